package generator_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/door/doortest"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/llmtest"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// valued is a request that brings its score.
func valued(prompt, value string) string {
	return `{"model":"fast","prompt":"` + prompt + `","metadata":{"moral_value":` + value + `,"team":"a"}}`
}

// decision is an event of the moral filter.
type decision struct {
	events.MoralFilterReject

	raw string
}

// next reads the next event of one type.
func next(t testing.TB, e *doortest.Ear) decision {
	t.Helper()
	m := e.Next(t)
	var whole struct {
		Data events.MoralFilterReject `json:"data"`
	}
	require.NoError(t, json.Unmarshal(m.Body, &whole))
	return decision{whole.Data, string(m.Body)}
}

// The score of a request decides before anybody is asked, and is nobody else's business.
func TestMoralValue(t *testing.T) {
	t.Parallel()
	r := serve(t, twoProviders)
	accepted, rejected := r.Listen(t, "mlsdm.events.moral_filter.accept"), r.Listen(t, "mlsdm.events.moral_filter.reject")
	a := r.server(t, "a")

	require.Nil(t, r.Ask(t, "mlsdm.as.shop.generate", []byte(valued("canary", "0.8"))).Err())
	require.Equal(t, map[string]any{"team": "a"}, bodyOf(t, a, 0)["metadata"])
	told := r.Processed(t)
	d := next(t, accepted)
	require.Equal(t, []any{told.RequestID, "shop", "fast", "prompt", 0.8}, []any{d.RequestID, d.Caller, d.Model, d.Stage, d.Score})
	require.NotContains(t, d.raw, "canary")

	failure := r.Ask(t, "mlsdm.as.shop.generate", []byte(valued("canary", "0.1"))).Err()
	require.Equal(t, events.CodeContentRejected, failure.Code)
	require.False(t, failure.Retryable)
	require.Equal(t, events.CodeContentRejected, r.Processed(t).Code)
	d = next(t, rejected)
	require.InDelta(t, 0.1, d.Score, 0)
	require.NotContains(t, d.raw, "canary")

	// A stream is rejected before it begins, and a durable request for good.
	messages := r.Stream(t, interactive, []byte(strings.Replace(valued("x", "0.1"), `"prompt"`, `"stream":true,"prompt"`, 1)))
	require.Len(t, messages, 1)
	require.Equal(t, events.CodeContentRejected, messages[0].Err().Code)
	r.Publish(t, durable, "bad", []byte(valued("x", "0.1")))
	require.Equal(t, events.CodeContentRejected, r.Results().Next(t).Err().Code)
	r.Dead().Nothing(t)

	require.Equal(t, events.CodeInvalidArgument, r.Ask(t, interactive, []byte(valued("x", `"good"`))).Err().Code)
	require.Equal(t, events.CodeInvalidArgument, r.Ask(t, interactive, []byte(valued("x", `1.5`))).Err().Code)
	require.Len(t, a.Requests(), 1)

	// What carries nothing but the score carries no metadata at all.
	response(t, r.Ask(t, interactive, []byte(`{"model":"fast","prompt":"x","metadata":{"moral_value":"0.99"}}`)))
	require.NotContains(t, bodyOf(t, a, 1), "metadata")
	require.Empty(t, r.server(t, "b").Requests())
}

// A rejected prompt is not even looked for in the cache, and a score is no part of the question.
func TestMoralFilterGoesBeforeTheCache(t *testing.T) {
	t.Parallel()
	r := serve(t, twoProviders)
	for i, value := range []string{"0.95", "0.94"} {
		res := response(t, r.ask(t, valued("x", value), events.HeaderCache, "on"))
		require.Equal(t, i > 0, res.Usage.Cached)
	}
	require.Equal(t, events.CodeContentRejected, r.ask(t, valued("x", "0.1"), events.HeaderCache, "on").Err().Code)
}

// All replicas have one threshold: what one accepts makes it rise for the other.
func TestThresholdIsShared(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.start(t, twoProviders)
	rejected := r.Listen(t, "mlsdm.events.moral_filter.reject")
	for range 60 {
		response(t, r.Ask(t, interactive, []byte(valued("x", "1"))))
	}
	kv, err := r.Bus.KV(t.Context(), events.BucketMoral)
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		state, _, err := kv.Get(t.Context(), "state")
		return err == nil && strings.Contains(string(state), `"count":60`)
	}, doortest.Patience, time.Millisecond, "it writes down what it knows")
	r.start(t, twoProviders)
	r.replicas(t, 2)
	for range 8 { // whoever is asked; the threshold falls again, but not so far
		require.Equal(t, events.CodeContentRejected, r.Ask(t, interactive, []byte(valued("x", "0.55"))).Err().Code)
		require.Greater(t, next(t, rejected).Threshold, 0.55, "it began at 0.5")
	}
}

// scorer is a service of the operator's, for which every text with "evil" is bad.
type scorer struct {
	*httptest.Server

	mu     sync.Mutex
	asked  []map[string]string
	broken bool
}

func newScorer(t *testing.T) *scorer {
	t.Helper()
	s := &scorer{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var question map[string]string
		err := json.NewDecoder(r.Body).Decode(&question)
		s.mu.Lock()
		s.asked = append(s.asked, question)
		broken := s.broken
		s.mu.Unlock()
		if err != nil || broken || r.Header.Get("X-Team") != "a" {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		score := 0.95
		if strings.Contains(question["text"], "evil") {
			score = 0.05
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, `{"score":%v,"categories":["evil"],"reason":"you said %s"}`, score, question["text"]) // to a client that may have gone
	}))
	t.Cleanup(s.Close)
	return s
}

// stages are those of all questions.
func (s *scorer) stages() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var stages []string
	for _, q := range s.asked {
		stages = append(stages, q["stage"])
	}
	return stages
}

func judged(url, more string) string {
	return twoProviders + `
moral_filter:
  scorer: {http: {url: "` + url + `/score", headers: {X-Team: a}}}
  trust_request: false
` + more
}

// A scorer from the file judges prompts, whatever score they bring.
func TestHTTPScorer(t *testing.T) {
	t.Parallel()
	s := newScorer(t)
	r := serve(t, judged(s.URL, ""))
	rejected := r.Listen(t, "mlsdm.events.moral_filter.reject")
	response(t, r.Ask(t, interactive, []byte(askFast)))
	r.Processed(t)
	failure := r.Ask(t, interactive, []byte(valued("an evil thing", "1"))).Err()
	require.Equal(t, events.CodeContentRejected, failure.Code)
	d := next(t, rejected)
	require.Equal(t, []string{"evil"}, d.Categories)
	require.NotContains(t, d.raw, "an evil thing")
	require.NotContains(t, failure.Message, "evil")
	require.Equal(t, []string{"prompt", "prompt"}, s.stages())
	require.Equal(t, "hello", s.asked[0]["text"])
	require.Equal(t, "fast", s.asked[0]["model"])
	require.Len(t, r.server(t, "a").Requests(), 1)

	s.mu.Lock()
	s.broken = true
	s.mu.Unlock()
	failure = r.Ask(t, interactive, []byte(askFast)).Err()
	require.Equal(t, events.CodeUnavailable, failure.Code, "what nobody can judge does not pass")
	require.True(t, failure.Retryable)
	require.Len(t, r.server(t, "a").Requests(), 1)
}

// Answers are judged too: whole, or piece by piece before anybody has seen them.
func TestOutputFilter(t *testing.T) {
	t.Parallel()
	s := newScorer(t)
	r := serve(t, judged(s.URL, "  output: on\n  window: 40\n  overlap: 10\n"))
	rejected := r.Listen(t, "mlsdm.events.moral_filter.reject")
	a := r.server(t, "a")
	good := "a fine sentence of which there are many. "

	require.Equal(t, "you said: hello", text(t, r.Stream(t, interactive, []byte(streamFast))))

	var stream strings.Builder
	for range 8 {
		stream.WriteString(say(good))
	}
	stream.WriteString(say("and now an ev") + say("il thing") + say(good))
	stream.WriteString(`data: {"id":"1","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}` + "\n\ndata: [DONE]\n\n")
	a.Script(llmtest.Stream(stream.String()))
	messages, end := r.StreamWith(t, interactive, nil, []byte(streamFast))
	require.NotNil(t, end.Err())
	require.Equal(t, events.CodeContentRejected, end.Err().Code)
	said := text(t, messages)
	require.Contains(t, said, good, "what was good was seen")
	require.NotContains(t, said, "an ev")
	require.NotContains(t, string(end.Body), "evil", "what was rejected is not told with the error either")
	require.Equal(t, "completion", next(t, rejected).Stage)

	a.Script(fullAnswer("an evil thing"))
	answer := r.Ask(t, interactive, []byte(askFast))
	require.Equal(t, events.CodeContentRejected, answer.Err().Code)
	require.NotContains(t, string(answer.Body), "evil")

	// It has not been kept either: who asks for the same is not given it.
	a.Script(fullAnswer("an evil thing"))
	require.Equal(t, events.CodeContentRejected, r.ask(t, askFast, events.HeaderCache, "on").Err().Code)
	require.False(t, response(t, r.ask(t, askFast, events.HeaderCache, "on")).Usage.Cached)
	require.Empty(t, r.server(t, "b").Requests(), "nobody else is asked to say it")
}

// What was held back when an answer broke off is not told with the error, unless it passes.
func TestPartialAnswersAreJudged(t *testing.T) {
	t.Parallel()
	s := newScorer(t)
	r := serve(t, judged(s.URL, "  output: on\n  window: 40\n  overlap: 10\n"))
	good := "a fine sentence of which there are many. "
	for _, last := range []string{"an evil thing", "a fair thing"} {
		r.server(t, "a").Script(llmtest.Stream(say(good) + say(last)))
		messages, end := r.StreamWith(t, interactive, nil, []byte(streamFast))
		require.Equal(t, good, text(t, messages))
		require.NotNil(t, end.Err())
		require.NotContains(t, string(end.Body), "evil")
		require.Equal(t, last == "a fair thing", strings.Contains(string(end.Body), last))
	}
}
