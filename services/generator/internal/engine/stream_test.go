package engine_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/generator/internal/engine"
)

// delta is a chunk of one choice.
func delta(index int, d events.ChatDelta, finish string) *events.ChatChunk {
	c := chunk("")
	c.Choices[0].Index, c.Choices[0].Delta = index, d
	if finish != "" {
		c.Choices[0].FinishReason = &finish
	}
	return c
}

// emits emits chunks.
func emits(chunks ...*events.ChatChunk) step {
	return does(func(_ context.Context, _ *llm.Call, emit func(*events.ChatChunk) error) error {
		for _, c := range chunks {
			if err := emit(c); err != nil {
				return err
			}
		}
		return nil
	})
}

// TestFirstOutput: what counts as the first output of a stream, from which on nobody else is asked.
func TestFirstOutput(t *testing.T) {
	t.Parallel()
	index := 0
	for name, c := range map[string]struct {
		delta  events.ChatDelta
		finish string
		output bool
	}{
		"role":      {events.ChatDelta{Role: events.RoleAssistant}, "", false},
		"nothing":   {events.ChatDelta{}, "", false},
		"finish":    {events.ChatDelta{}, events.FinishLength, false},
		"content":   {events.ChatDelta{Content: " "}, "", true},
		"refusal":   {events.ChatDelta{Refusal: "no"}, "", true},
		"reasoning": {events.ChatDelta{ReasoningContent: "hm"}, "", true},
		"tool call": {events.ChatDelta{ToolCalls: []events.ToolCall{{Index: &index, ID: "1"}}}, "", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			w.on("b", does(func(_ context.Context, _ *llm.Call, emit func(*events.ChatChunk) error) error {
				if err := emit(delta(0, c.delta, c.finish)); err != nil {
					return err
				}
				return status(404)
			}))
			e := newEngine(t, w, nil)
			var r reader
			_, err := ask(t.Context(), e, to(t, "b/m", "c/m"), &r)
			_, partial := err.(*engine.PartialError) //nolint:errorlint // nothing wraps it
			require.Equal(t, c.output, partial, err)
			if !c.output {
				require.NoError(t, err)
				require.Equal(t, "hello", r.text.String())
			}
		})
	}
}

// TestHeldChunks: what came before the first word comes with it, whatever the adapter has done with its memory since.
func TestHeldChunks(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.on("b", does(func(_ context.Context, _ *llm.Call, emit func(*events.ChatChunk) error) error {
		own := delta(0, events.ChatDelta{Role: events.RoleAssistant}, "")
		if err := emit(own); err != nil {
			return err
		}
		own.Choices[0] = events.ChatChunkChoice{Index: 1, Delta: events.ChatDelta{Role: events.RoleAssistant}}
		if err := emit(own); err != nil {
			return err
		}
		own.Choices[0] = events.ChatChunkChoice{Index: 1, Delta: events.ChatDelta{Content: "word"}}
		return emit(own)
	}))
	e := newEngine(t, w, nil)
	var r reader
	res, err := ask(t.Context(), e, to(t, "b/m"), &r)
	require.NoError(t, err)
	require.Len(t, r.chunks, 3)
	for i, want := range []events.ChatChunkChoice{
		{Index: 0, Delta: events.ChatDelta{Role: events.RoleAssistant}},
		{Index: 1, Delta: events.ChatDelta{Role: events.RoleAssistant}},
		{Index: 1, Delta: events.ChatDelta{Content: "word"}},
	} {
		require.Equal(t, []events.ChatChunkChoice{want}, r.chunks[i].Choices)
	}
	require.Nil(t, res.Usage, "it was not told")
}

// TestSilentStreams: one that ends without a word is an answer, one that goes on without one is none.
func TestSilentStreams(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.on("b", emits(delta(0, events.ChatDelta{Role: events.RoleAssistant}, ""), delta(0, events.ChatDelta{}, events.FinishContentFilter)))
	e := newEngine(t, w, once)
	var r reader
	res, err := ask(t.Context(), e, to(t, "b/m", "c/m"), &r)
	require.NoError(t, err)
	require.Len(t, r.chunks, 2)
	require.Equal(t, events.FinishContentFilter, res.Finish)
	require.Equal(t, "b/m", res.Target.ID)

	w.on("b", emits())
	res, err = ask(t.Context(), e, to(t, "b/m", "c/m"), &r)
	require.NoError(t, err)
	require.Empty(t, res.Response.Choices)

	w.on("b", does(func(_ context.Context, _ *llm.Call, emit func(*events.ChatChunk) error) error {
		for {
			if err := emit(delta(0, events.ChatDelta{Role: events.RoleAssistant}, "")); err != nil {
				return err
			}
		}
	}))
	res, err = ask(t.Context(), e, to(t, "b/m", "c/m"), &reader{})
	require.NoError(t, err)
	require.Equal(t, "b:k3=answer c:=ok", tried(res))
}

// TestPutTogether: choices, tool calls, refusals and thoughts of a stream become what a plain answer has.
func TestPutTogether(t *testing.T) {
	t.Parallel()
	at := func(i int) *int { return &i }
	call := func(i int, id, name, arguments string) events.ChatDelta {
		return events.ChatDelta{ToolCalls: []events.ToolCall{{Index: at(i), ID: id, Function: events.ToolFunction{Name: name, Arguments: arguments}}}}
	}
	last := &events.ChatChunk{SystemFingerprint: "fp", ServiceTier: "flex", Choices: []events.ChatChunkChoice{}, Usage: usage()}
	w := newWorld()
	w.on("b", emits(
		delta(0, events.ChatDelta{Role: events.RoleAssistant}, ""),
		delta(1, events.ChatDelta{Content: "se"}, ""),
		delta(0, call(0, "c0", "f", `{"a"`), ""),
		delta(0, call(1, "c1", "g", ""), ""),
		delta(0, call(0, "", "", `:1}`), ""),
		delta(1, events.ChatDelta{Content: "cond", ReasoningContent: "hm"}, events.FinishLength),
		delta(0, call(1, "", "", `{}`), events.FinishToolCalls),
		delta(2, events.ChatDelta{Refusal: "no"}, events.FinishStop),
		last,
	))
	e := newEngine(t, w, nil)
	res, err := ask(t.Context(), e, to(t, "b/m"), &reader{})
	require.NoError(t, err)
	require.Equal(t, events.FinishToolCalls, res.Finish)
	null := events.Content{Null: true}
	require.Equal(t, &events.ChatResponse{
		ID: "id", Object: events.ObjectChatCompletion, Created: 7, Model: "b/m", SystemFingerprint: "fp", ServiceTier: "flex", Usage: usage(),
		Choices: []events.ChatChoice{
			{Index: 0, FinishReason: events.FinishToolCalls, Message: events.ChatMessage{
				Role: events.RoleAssistant, Content: null, ToolCalls: []events.ToolCall{
					{ID: "c0", Type: "function", Function: events.ToolFunction{Name: "f", Arguments: `{"a":1}`}},
					{ID: "c1", Type: "function", Function: events.ToolFunction{Name: "g", Arguments: `{}`}},
				},
			}},
			{Index: 1, FinishReason: events.FinishLength, Message: events.ChatMessage{
				Role: events.RoleAssistant, Content: events.TextContent("second"), ReasoningContent: "hm",
			}},
			{Index: 2, FinishReason: events.FinishStop, Message: events.ChatMessage{Role: events.RoleAssistant, Content: null, Refusal: "no"}},
		},
	}, res.Response)
}

// TestLongStreams: they are passed on, but not kept.
func TestLongStreams(t *testing.T) {
	t.Parallel()
	many := func(what func(i int) *events.ChatChunk, n int) step {
		return does(func(_ context.Context, _ *llm.Call, emit func(*events.ChatChunk) error) error {
			for i := range n {
				if err := emit(what(i)); err != nil {
					return err
				}
			}
			return status(503)
		})
	}
	long := strings.Repeat("x", 1<<20)
	for name, s := range map[string]step{
		"text":    many(func(int) *events.ChatChunk { return chunk(long) }, 9),
		"choices": many(func(i int) *events.ChatChunk { return delta(i, events.ChatDelta{Content: "x"}, "") }, 300),
		"calls": many(func(i int) *events.ChatChunk {
			return delta(0, events.ChatDelta{ToolCalls: []events.ToolCall{{Index: &i, ID: "x"}}}, "")
		}, 300),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			w.on("b", s)
			e := newEngine(t, w, nil)
			passed := 0
			_, err := e.Do(t.Context(), engine.Ask{Route: to(t, "b/m"), Request: request(), Emit: func(*events.ChatChunk) error {
				passed++
				return nil
			}})
			partial, ok := errors.AsType[*engine.PartialError](err)
			require.True(t, ok)
			require.Nil(t, partial.Partial, "half an answer must not be taken for one")
			require.GreaterOrEqual(t, passed, 9)
		})
	}
}

// TestReaderLeaves: an error of Emit ends the stream, at its first word and later; the next target is not asked.
func TestReaderLeaves(t *testing.T) {
	t.Parallel()
	rejected := events.Errorf(events.CodeContentRejected, "not this")
	for _, c := range []struct {
		err  error
		code events.Code
	}{{errors.New("no responders"), events.CodeCanceled}, {rejected, events.CodeContentRejected}} {
		for after := range 4 {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				w.on("b", says("one ", "two"))
				e := newEngine(t, w, nil)
				emitted := 0
				res, err := e.Do(t.Context(), engine.Ask{Route: to(t, "b/m", "c/m"), Request: request(), Emit: func(*events.ChatChunk) error {
					if emitted == after {
						return c.err
					}
					emitted++
					return nil
				}})
				require.Equal(t, c.code, events.CodeOf(err))
				require.ErrorIs(t, err, c.err)
				partial, ok := errors.AsType[*engine.PartialError](err)
				require.True(t, ok)
				require.Equal(t, c.code == events.CodeContentRejected, partial.Partial == nil, "what was refused is not repeated")
				require.Equal(t, "b:k3", w.asked())
				require.Equal(t, "b:k3=canceled", tried(res))
				require.True(t, e.Available("b", "m").Available, "it is not the provider's fault")
			})
		}
	}
}

// TestAdapterThatGoesOn: that the reader has left is not forgotten when an adapter does not hand it on.
func TestAdapterThatGoesOn(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.on("b", does(func(_ context.Context, _ *llm.Call, emit func(*events.ChatChunk) error) error {
		_ = emit(chunk("word"))
		return nil
	}))
	e := newEngine(t, w, nil)
	left := errors.New("left")
	res, err := e.Do(t.Context(), engine.Ask{Route: to(t, "b/m"), Request: request(), Emit: func(*events.ChatChunk) error { return left }})
	require.ErrorIs(t, err, left)
	require.Nil(t, res.Response)
}
