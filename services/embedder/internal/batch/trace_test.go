package batch_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/genai"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/genai/genaitest"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/embedder/internal/batch"
)

// recording makes the calls of a test, each in one attempt that is recorded.
type recording struct {
	fake

	recorder *genai.Recorder
}

// Call implements [batch.Calls].
func (r *recording) Call(ctx context.Context, g batch.Group, texts []string, truncate bool) (*llm.Embedded, string, error) {
	about := genai.About{
		Target: &genai.Target{Provider: "openai", Address: "a", Port: 1}, Name: "a/m", Model: "m", Number: 1, Place: 1, Why: genai.First, Began: time.Now(),
	}
	ctx, span := r.recorder.Embed(ctx, &about, &llm.EmbedCall{Model: "m", Texts: texts})
	e, answered, err := r.fake.Call(ctx, g, texts, truncate)
	if err != nil {
		span.End(0, nil, llm.FaultOf(err))
		return nil, "", err
	}
	span.End(0, e, nil)
	return e, answered, nil
}

// traced is a batcher whose attempts are recorded.
func traced(t *testing.T, f *recording) (*genaitest.Spans, *batch.Batcher) {
	t.Helper()
	s := genaitest.New(t)
	f.recorder = s.Recorder(t, false)
	return s, batch.New(f, batch.Options{GenAI: f.recorder, InFlight: 1})
}

// request asks in a trace of its own.
func request(t *testing.T, s *genaitest.Spans, b *batch.Batcher, name, caller string, list ...string) {
	t.Helper()
	ctx, span := s.Provider.Tracer("test").Start(t.Context(), name)
	defer span.End()
	items, err := b.Embed(ctx, caller, batch.Group{Model: "m"}, list)
	if err != nil || len(items) != len(list) {
		t.Errorf("%v, %v", items, err)
	}
}

// TestACallHasLinksToItsRequests: it belongs to the trace of one of them, and the others' spans say where it is to be found.
func TestACallHasLinksToItsRequests(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, b := traced(t, &recording{fake: fake{takes: time.Second}})
		var all sync.WaitGroup
		all.Go(func() { request(t, s, b, "alone", "x", "t1") }) // while it is under way, the others wait
		synctest.Wait()
		all.Go(func() { request(t, s, b, "first", "x", "t2", "t3", "t2") })
		synctest.Wait()
		all.Go(func() { request(t, s, b, "second", "y", "t2") })
		all.Wait()

		calls := s.Wait(t, "embeddings m", 2)
		alone, first, second := s.Named("alone")[0], s.Named("first")[0], s.Named("second")[0]
		require.Empty(t, calls[0].Links(), "its parent says it all")
		require.Equal(t, alone.SpanContext().SpanID(), calls[0].Parent().SpanID())
		require.Empty(t, alone.Links())

		require.Equal(t, first.SpanContext().SpanID(), calls[1].Parent().SpanID())
		var linked []trace.SpanID
		for _, link := range calls[1].Links() {
			linked = append(linked, link.SpanContext.SpanID())
		}
		require.Equal(t, []trace.SpanID{first.SpanContext().SpanID(), second.SpanContext().SpanID()}, linked, "each once")
		require.Equal(t, [][]any{{int64(1), int64(1)}, {int64(3), int64(2)}},
			genaitest.Values(calls, "mlsdm.batch.texts", "mlsdm.batch.requests"), "callers share no texts")
		require.Empty(t, first.Links(), "the call is in its trace")
		require.Len(t, second.Links(), 1)
		require.Equal(t, calls[1].SpanContext().SpanID(), second.Links()[0].SpanContext.SpanID())
	})
}

// TestPartsOfACall: those that follow from one that has failed say so.
func TestPartsOfACall(t *testing.T) {
	t.Parallel()
	s, b := traced(t, &recording{fake: fake{answer: poisoned(llm.ClassCaller, events.CodeInvalidArgument, "t2")}})
	request(t, s, b, "request", "x", "t1", "t2")
	whys := genaitest.Values(s.Wait(t, "embeddings m", 3), "mlsdm.attempt.why", "mlsdm.batch.texts", "error.type")
	require.Equal(t, []any{"first", int64(2), "caller"}, whys[0])
	failed := []any{"part", int64(1), "caller"}
	require.ElementsMatch(t, [][]any{{"part", int64(1), nil}, failed}, whys[1:])
}

// TestManyRequests: the links of a call are bounded.
func TestManyRequests(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, b := traced(t, &recording{fake: fake{takes: time.Second}})
		var all sync.WaitGroup
		for _, text := range texts(0, 301) {
			all.Go(func() { request(t, s, b, "request", "x", text) })
			synctest.Wait()
		}
		all.Wait()
		calls := s.Wait(t, "embeddings m", 2)
		require.Len(t, calls[1].Links(), 128)
		require.Equal(t, int64(300), genaitest.Attributes(calls[1])["mlsdm.batch.requests"])
		found := slices.DeleteFunc(s.Wait(t, "request", 301), func(r sdktrace.ReadOnlySpan) bool { return len(r.Links()) == 0 })
		require.Len(t, found, 299, "all but those in whose traces the calls are")
	})
}
