package embedder_test

import (
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace"

	"github.com/neuron7x/mlsdm-integrations/internal/llm/genai/genaitest"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// theTrace is that to which requests belong which send it.
const theTrace = "0af7651916cd43dd8448eb211c80319c"

// askIn asks in that trace.
func (r *rig) askIn(t *testing.T, model string, texts ...string) {
	t.Helper()
	header := map[string][]string{events.HeaderTraceParent: {"00-" + theTrace + "-b7ad6b7169203331-01"}}
	m := r.AskWith(t, interactive, header, body(t, model, texts))
	require.Nil(t, m.Err())
}

// processed are values of the n-th request's span.
func (r *rig) processed(t *testing.T, n int) []any {
	t.Helper()
	all := genaitest.Attributes(r.spans.Wait(t, "process mlsdm.embed", n)[n-1])
	return []any{all["mlsdm.cache"], all["mlsdm.cache.texts"], all["mlsdm.inputs"], all["mlsdm.answered_by"]}
}

// TestOneTrace: a request, its attempts, the HTTP requests and its event are one trace, and a request that needs none has none.
func TestOneTrace(t *testing.T) {
	t.Parallel()
	r := serve(t, `providers: {cohere: {base_url: "$cohere/v2", keys: ["$key"]}}`)
	heard := r.Listen(t, "mlsdm.events."+events.TypeRequestProcessed)
	m := r.model(t, "cohere")
	var once sync.Once
	m.answer(func(w http.ResponseWriter, _ *http.Request, _ asked) (failed bool) {
		once.Do(func() {
			failed = true
			w.WriteHeader(http.StatusServiceUnavailable)
		})
		return failed
	})
	r.askIn(t, "cohere/m", "canary")
	require.Equal(t, []any{"miss", int64(0), int64(1), "cohere/m"}, r.processed(t, 1))
	process := r.spans.Named("process mlsdm.embed")[0]
	attempts := r.spans.Wait(t, "embeddings m", 2)
	require.Equal(t, [][]any{
		{int64(1), "first", "provider", nil}, {int64(2), "retry", nil, int64(8)},
	}, genaitest.Values(attempts, "mlsdm.attempt", "mlsdm.attempt.why", "error.type", "gen_ai.embeddings.dimension.count"))
	requests := r.spans.Wait(t, "POST /v2/embed", 2)
	for i, attempt := range attempts {
		require.Equal(t, theTrace, attempt.SpanContext().TraceID().String())
		require.Equal(t, process.SpanContext().SpanID(), attempt.Parent().SpanID())
		require.Equal(t, attempt.SpanContext().SpanID(), requests[i].Parent().SpanID())
		require.Equal(t, "cohere", genaitest.Attributes(attempt)["gen_ai.provider.name"])
	}
	require.Contains(t, heard.Next(t).Value(events.HeaderTraceParent), theTrace)

	r.askIn(t, "cohere/m", "canary")
	require.Equal(t, []any{"hit", int64(1), int64(1), nil}, r.processed(t, 2))
	r.askIn(t, "cohere/m", "canary", "another")
	require.Equal(t, []any{"partial", int64(1), int64(2), "cohere/m"}, r.processed(t, 3))
	require.Len(t, r.spans.Wait(t, "embeddings m", 3), 3)
}

// TestRequestsOfOneCall: what is asked for together has links to all who asked. While as many calls are under way as may be, requests
// wait, so that the next call carries several.
func TestRequestsOfOneCall(t *testing.T) {
	t.Parallel()
	r := serve(t, `providers: {vllm: {base_url: "$vllm/v1"}}`)
	m, begun, held := r.model(t, "vllm"), make(chan struct{}, 100), make(chan struct{})
	m.answer(func(_ http.ResponseWriter, r *http.Request, _ asked) bool {
		begun <- struct{}{}
		select {
		case <-held:
		case <-r.Context().Done():
		}
		return false
	})
	const inFlight, more = 8, 5
	var all sync.WaitGroup
	for range inFlight {
		all.Go(func() { r.Ask(t, interactive, body(t, "vllm/m", []string{events.NewID()})) })
		<-begun // on its way before the next: each is a call
	}
	for range more {
		all.Go(func() { r.Ask(t, interactive, body(t, "vllm/m", []string{events.NewID()})) })
	}
	require.Eventually(t, func() bool { return r.spans.Open("process mlsdm.embed") == inFlight+more }, genaitest.Patience, time.Millisecond)
	close(held)
	all.Wait()
	r.spans.Wait(t, "process mlsdm.embed", inFlight+more)
	carried := 0
	for _, span := range r.spans.Named("embeddings m") {
		requests, ok := genaitest.Attributes(span)["mlsdm.batch.requests"].(int64)
		require.True(t, ok)
		carried += int(requests)
		if requests == 1 {
			require.Empty(t, span.Links())
			continue
		}
		require.Len(t, span.Links(), int(requests))
	}
	require.Equal(t, inFlight+more, carried)
}

// TestTheModelInTheProcessIsTraced: by an internal span.
func TestTheModelInTheProcessIsTraced(t *testing.T) {
	t.Parallel()
	r := serve(t, "")
	r.askIn(t, "local/hash-384", "hello")
	span := r.spans.Wait(t, "embeddings hash-384", 1)[0]
	require.Equal(t, trace.SpanKindInternal, span.SpanKind())
	require.Equal(t, []any{"off", int64(0), int64(1), "local/hash-384"}, r.processed(t, 1))
}
