package moral_test

import (
	"encoding/json"
	"errors"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/generator/internal/moral"
)

// phrase is what the scorer of these tests dislikes.
const phrase = "ключ: hunter2"

func dislikes(text string) float64 {
	if strings.Contains(text, phrase) {
		return 0.1
	}
	return 0.95
}

// piece is a chunk with text of the first choice.
func piece(text string) *events.ChatChunk { return pieceOf(0, text) }

func pieceOf(choice int, text string) *events.ChatChunk {
	return &events.ChatChunk{
		ID: "1", Object: events.ObjectChatCompletionChunk, Choices: []events.ChatChunkChoice{{Index: choice, Delta: events.ChatDelta{Content: text}}},
	}
}

// finish is the chunk with which a choice ends.
func finish(choice int) *events.ChatChunk {
	c := pieceOf(choice, "")
	reason := events.FinishStop
	c.Choices[0].FinishReason = &reason
	return c
}

// usage is the chunk that comes last.
func usage() *events.ChatChunk {
	return &events.ChatChunk{ID: "1", Choices: []events.ChatChunkChoice{}, Usage: &events.ChatUsage{TotalTokens: 7}}
}

// reader is who reads the stream.
type reader struct {
	chunks []string // as JSON
	text   string
	err    error
}

func (r *reader) emit(c *events.ChatChunk) error {
	body, err := json.Marshal(c)
	if err != nil {
		return err
	}
	r.chunks = append(r.chunks, string(body))
	for _, choice := range c.Choices {
		r.text += choice.Delta.Content
	}
	return r.err
}

// windowed returns a filter that judges answers in windows of 40 runes, and its scorer.
func windowed(t *testing.T, srv *bustest.Server, overlap int) (*moral.Filter, *custom) {
	t.Helper()
	c := newCustom(t, scores(dislikes))
	cfg := c.config()
	cfg.Output, cfg.Window, cfg.Overlap = true, 40, overlap
	return filterOn(t, srv, cfg), c
}

// send sends chunks, each in the same memory as the one before, and closes the window.
func send(w *moral.Window, chunks ...*events.ChatChunk) error {
	var m struct {
		chunk   events.ChatChunk
		choices [1]events.ChatChunkChoice
		calls   [1]events.ToolCall
		index   int
		reason  string
		usage   events.ChatUsage
	}
	for _, c := range chunks {
		m.chunk = *c
		if c.Usage != nil {
			m.usage = *c.Usage
			m.chunk.Usage = &m.usage
		}
		if len(c.Choices) > 0 {
			m.choices[0] = c.Choices[0]
			m.chunk.Choices = m.choices[:]
			if reason := c.Choices[0].FinishReason; reason != nil {
				m.reason = *reason
				m.choices[0].FinishReason = &m.reason
			}
			if calls := c.Choices[0].Delta.ToolCalls; len(calls) > 0 {
				m.calls[0] = calls[0]
				m.choices[0].Delta.ToolCalls = m.calls[:]
				m.index = *calls[0].Index
				m.calls[0].Index = &m.index
			}
		}
		err := w.Emit(&m.chunk)
		m.reason, m.index, m.usage.TotalTokens, m.calls[0].ID = "overwritten", -1, -1, "overwritten"
		if err != nil {
			return err
		}
	}
	return w.Close()
}

// A phrase is seen however it is cut into chunks, also within a letter, and wherever windows end.
func TestPhraseThatIsCut(t *testing.T) {
	t.Parallel()
	srv := bustest.Start(t)
	f, _ := windowed(t, srv, 20)
	for at := 1; at < len(phrase); at++ {
		for _, before := range []int{0, 10, 38, 39, 40, 41, 75, 200} {
			var r reader
			w := f.Window(t.Context(), subject(), r.emit)
			filler := strings.Repeat("x", before)
			err := send(w, piece(filler), piece(phrase[:at]), piece(phrase[at:]), piece(strings.Repeat("y", 100)), finish(0))
			require.Equal(t, events.CodeContentRejected, events.CodeOf(err), "cut at %d behind %d", at, before)
			require.NotContains(t, r.text, phrase)
			require.Less(t, len(r.text), before+len(phrase))
			require.Equal(t, err, w.Emit(piece("more")), "nothing comes behind it")
			require.Equal(t, err, w.Close())
		}
	}
	for size := 1; size <= 7; size++ { // in many chunks, at every place
		text := strings.Repeat("x", 30+size) + phrase + strings.Repeat("y", 90)
		var chunks []*events.ChatChunk
		for part := text; part != ""; part = part[min(size, len(part)):] {
			chunks = append(chunks, piece(part[:min(size, len(part))]))
		}
		var r reader
		require.Error(t, send(f.Window(t.Context(), subject(), r.emit), chunks...))
		require.NotContains(t, r.text, phrase)
	}
}

// What passes comes as it was sent, in its order, though the chunks' memory is used again.
func TestWindowChangesNothing(t *testing.T) {
	t.Parallel()
	srv := bustest.Start(t)
	f, _ := windowed(t, srv, 10)
	one := 1
	calls := pieceOf(1, "")
	calls.Choices[0].Delta.ToolCalls = []events.ToolCall{{Index: &one, ID: "c", Function: events.ToolFunction{Name: "f", Arguments: `{"a":`}}}
	role := pieceOf(0, "")
	role.Choices[0].Delta.Role = "assistant"
	other := pieceOf(1, "")
	two := 2
	other.Choices[0].Delta.ToolCalls = []events.ToolCall{{Index: &two, ID: "d"}}
	alphabet := []*events.ChatChunk{other, piece("hello "), pieceOf(1, "wörld. "), pieceOf(2, strings.Repeat("z", 50)), calls, role, piece("")}
	for seed := range uint64(100) {
		rnd := rand.New(rand.NewPCG(seed, 2))
		var sent []*events.ChatChunk
		for range rnd.IntN(60) {
			sent = append(sent, alphabet[rnd.IntN(len(alphabet))])
		}
		sent = append(sent, finish(1), piece("late"), finish(0), finish(2), usage())
		var want, got reader
		for _, c := range sent {
			require.NoError(t, want.emit(c))
		}
		require.NoError(t, send(f.Window(t.Context(), subject(), got.emit), sent...))
		require.Equal(t, want.chunks, got.chunks, "seed %d", seed)
	}
}

// Choices that come in turns are texts of their own, and so are tool calls, refusals and thoughts.
func TestTextsOfAnAnswer(t *testing.T) {
	t.Parallel()
	srv := bustest.Start(t)
	f, _ := windowed(t, srv, 20)
	const half = len("ключ: ")
	call := func(args string) *events.ChatChunk {
		c := pieceOf(0, "")
		index := 3
		c.Choices[0].Delta.ToolCalls = []events.ToolCall{{Index: &index, Function: events.ToolFunction{Arguments: args}}}
		return c
	}
	refusal := func(text string) *events.ChatChunk {
		c := pieceOf(0, "")
		c.Choices[0].Delta.Refusal = text
		return c
	}
	thought := func(text string) *events.ChatChunk {
		c := pieceOf(0, "")
		c.Choices[0].Delta.ReasoningContent = text
		return c
	}
	for name, make := range map[string]func(string) *events.ChatChunk{"content": piece, "call": call, "refusal": refusal, "thought": thought} {
		var r reader
		w := f.Window(t.Context(), subject(), r.emit)
		require.Error(t, send(w, make(phrase[:half]), pieceOf(1, "between"), pieceOf(2, " "), make(phrase[half:]), finish(0)), name)
		require.Empty(t, r.chunks, "nothing was out yet")
	}
	var r reader
	require.NoError(t, send(f.Window(t.Context(), subject(), r.emit), piece(phrase[:half]), pieceOf(1, phrase[half:]), finish(0), finish(1)))
}

// A stream is as far behind as its window, not more; the end of a sentence lets it go on.
func TestWindowReleases(t *testing.T) {
	t.Parallel()
	srv := bustest.Start(t)
	f, c := windowed(t, srv, 10)
	var r reader
	w := f.Window(t.Context(), subject(), r.emit)
	role := piece("")
	role.Choices[0].Delta.Role = "assistant"
	require.NoError(t, w.Emit(role))
	require.Empty(t, r.chunks, "nothing before the first text has passed")
	require.NoError(t, w.Emit(piece("Short.")))
	require.Empty(t, r.chunks)
	require.NoError(t, w.Emit(piece(" A sentence ends.")))
	require.Len(t, r.chunks, 3, "in the second half of the window")
	require.NoError(t, w.Emit(piece("")))
	require.Len(t, r.chunks, 4, "there is nothing to wait for")
	for range 39 {
		require.NoError(t, w.Emit(piece("ж")))
	}
	require.Len(t, r.chunks, 4)
	require.NoError(t, w.Emit(piece("ж")))
	require.Len(t, r.chunks, 44)
	require.NoError(t, w.Emit(piece("end")))
	require.Len(t, r.chunks, 44)
	require.NoError(t, w.Emit(finish(0)))
	require.Len(t, r.chunks, 46, "the finish chunk waits for what is before it, and comes behind it")
	require.NoError(t, w.Emit(usage()))
	require.Len(t, r.chunks, 47)
	require.NoError(t, w.Close())
	require.Error(t, w.Close())
	require.Error(t, w.Emit(piece("x")))
	require.Equal(t, []string{"Short. A sentence ends.", "ence ends." + strings.Repeat("ж", 40), strings.Repeat("ж", 10) + "end"}, c.texts())
	require.EqualValues(t, 1, f.State().Count, "one answer, one decision")
	require.Equal(t, "completion", c.asked[0]["stage"])
}

func TestWindowThatIsNotClosed(t *testing.T) {
	t.Parallel()
	srv := bustest.Start(t)
	f, c := windowed(t, srv, 10)
	var r reader
	w := f.Window(t.Context(), subject(), r.emit)
	require.NoError(t, w.Emit(piece("half of an answer")))
	require.True(t, w.Reset(), "nothing is out")
	require.NoError(t, send(w, piece("another one"), finish(0)))
	require.Equal(t, "another one", r.text)
	require.Equal(t, []string{"another one"}, c.texts())
	require.False(t, w.Reset())

	w = f.Window(t.Context(), subject(), r.emit)
	require.NoError(t, w.Emit(piece(strings.Repeat("x", 50))))
	require.False(t, w.Reset())
	require.EqualValues(t, 1, f.State().Count)
}

// A reader who fails ends the stream with his own error.
func TestReaderThatFails(t *testing.T) {
	t.Parallel()
	srv := bustest.Start(t)
	f, _ := windowed(t, srv, 10)
	r := reader{err: errors.New("gone")}
	w := f.Window(t.Context(), subject(), r.emit)
	require.Equal(t, r.err, w.Emit(piece(strings.Repeat("x", 50))))
	require.Equal(t, r.err, w.Emit(piece("x")))
	require.Equal(t, r.err, w.Close())
	require.Len(t, r.chunks, 1)
	require.Zero(t, f.State().Count)
}

// However an answer is cut, what is held has a bound.
func TestWindowHoldsLittle(t *testing.T) {
	t.Parallel()
	srv := bustest.Start(t)
	const size, overlap = 40, 20
	f, _ := windowed(t, srv, overlap)
	most, bytes := 0, 0
	look := func(w *moral.Window) {
		n, b := w.Held()
		most, bytes = max(most, n), max(bytes, b)
	}
	var nothing events.ChatChunk
	w := f.Window(t.Context(), subject(), func(*events.ChatChunk) error { return nil })
	for range 3 * moral.MaxHeld { // without text there is nothing to wait for but the first
		require.NoError(t, w.Emit(&nothing))
		look(w)
	}
	require.LessOrEqual(t, most, moral.MaxHeld)
	for i := range 200 {
		require.NoError(t, w.Emit(piece(strings.Repeat("ж", i%30))))
		look(w)
	}
	require.LessOrEqual(t, bytes, 2*2*(size+30)+2*overlap)
	for i := range 3000 { // texts without end
		c := piece("")
		c.Choices[0].Delta.ToolCalls = []events.ToolCall{{Index: &i, Function: events.ToolFunction{Name: "abcdefgh"}}}
		require.NoError(t, w.Emit(c))
		look(w)
	}
	require.LessOrEqual(t, bytes, 1100*2*overlap)
	require.NoError(t, w.Close())
}

func TestWholeAnswer(t *testing.T) {
	t.Parallel()
	srv := bustest.Start(t)
	f, c := windowed(t, srv, 10)
	res := &events.ChatResponse{Choices: []events.ChatChoice{
		{Message: events.ChatMessage{Content: events.TextContent("fine")}},
		{Message: events.ChatMessage{Content: events.Content{Null: true}, ToolCalls: []events.ToolCall{{Function: events.ToolFunction{Name: "f", Arguments: phrase}}}}},
	}}
	require.Equal(t, events.CodeContentRejected, events.CodeOf(f.Completion(t.Context(), subject(), res)))
	require.Equal(t, []string{"fine\n\nf\n\n" + phrase}, c.texts())
	res.Choices = res.Choices[:1]
	require.NoError(t, f.Completion(t.Context(), subject(), res))
	require.NoError(t, f.Completion(t.Context(), subject(), &events.ChatResponse{}))

	large := &events.ChatResponse{Choices: []events.ChatChoice{{Message: events.ChatMessage{Content: events.TextContent(strings.Repeat("x", moral.Default().MaxText+1))}}}}
	require.Equal(t, events.CodeContentRejected, events.CodeOf(f.Completion(t.Context(), subject(), large)))
	require.Len(t, c.texts(), 2)
}

// Without judged output nothing is held, and nobody is asked.
func TestOutputThatIsNotJudged(t *testing.T) {
	t.Parallel()
	c := newCustom(t, scores(dislikes))
	f := newFilter(t, c.config())
	require.False(t, f.JudgesOutput())
	var r reader
	w := f.Window(t.Context(), subject(), r.emit)
	for i := range 3 {
		require.NoError(t, w.Emit(piece(phrase)))
		require.Len(t, r.chunks, i+1)
	}
	require.NoError(t, w.Close())
	require.NoError(t, f.Completion(t.Context(), subject(), &events.ChatResponse{}))
	require.Empty(t, c.texts())
}

// When the scorer fails in the middle, what was not scored stays in.
func TestScorerThatFailsInTheMiddle(t *testing.T) {
	t.Parallel()
	srv := bustest.Start(t)
	for _, action := range []moral.Action{moral.Reject, moral.Accept} {
		n := 0
		c := newCustom(t, nil)
		c.answer = func(w http.ResponseWriter, text string) {
			if n++; n > 1 {
				answers(http.StatusBadRequest, "text/plain", canary)(w, text)
				return
			}
			scores(dislikes)(w, text)
		}
		cfg := c.config()
		cfg.Output, cfg.Window, cfg.Overlap, cfg.OnScorerError = true, 40, 10, action
		f := filterOn(t, srv, cfg)
		var r reader
		first := strings.Repeat("a", 50)
		err := send(f.Window(t.Context(), subject(), r.emit), piece(first), piece(strings.Repeat("b", 50)), finish(0))
		if action == moral.Accept {
			require.NoError(t, err)
			require.Len(t, r.text, 100)
			continue
		}
		require.Equal(t, events.CodeUnavailable, events.CodeOf(err))
		requireNoCanary(t, err)
		require.Equal(t, first, r.text)
	}
}

func BenchmarkWindow(b *testing.B) {
	srv := bustest.Start(b)
	var r strings.Builder
	f, err := moral.New(moral.Default(), moral.Deps{Bus: srv.Connect(b, events.ServiceGenerator), HTTP: http.DefaultClient, Source: "/mlsdm/generator", Logger: bustest.Logger(b)})
	require.NoError(b, err)
	req := valued("hi", "0.95")
	w := f.Window(b.Context(), subject(), func(c *events.ChatChunk) error {
		r.Reset()
		r.WriteString(strconv.Itoa(utf8.RuneCountInString(c.Choices[0].Delta.Content)))
		return nil
	})
	chunk := piece("hello")
	for b.Loop() {
		if err := f.Prompt(b.Context(), subject(), req); err != nil {
			b.Fatal(err)
		}
		if err := w.Emit(chunk); err != nil {
			b.Fatal(err)
		}
	}
}
