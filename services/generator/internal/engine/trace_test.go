package engine_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/genai/genaitest"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/generator/internal/engine"
	"github.com/neuron7x/mlsdm-integrations/services/generator/internal/route"
)

// watched is an engine whose spans are recorded, below one that stands for the bus's.
type watched struct {
	*genaitest.Spans
	*world

	engine *engine.Engine
	parent trace.Span
}

func newWatched(t *testing.T, change func(*engine.Config)) *watched {
	t.Helper()
	w := &watched{Spans: genaitest.New(t), world: newWorld()}
	recorder := w.Recorder(t, false)
	w.engine = newEngine(t, w.world, func(c *engine.Config) {
		c.GenAI = recorder
		if change != nil {
			change(c)
		}
	})
	return w
}

// ask asks below the span that stands for the bus's.
func (w *watched) ask(ctx context.Context, r *route.Route, emit func(*events.ChatChunk) error) (*engine.Result, error) {
	ctx, w.parent = w.Provider.Tracer("test").Start(ctx, "process x")
	defer w.parent.End()
	return w.engine.Do(ctx, engine.Ask{Route: r, Request: request(), Emit: emit})
}

// attempts are those that were made at a model, "number target why error.type", all of them below the one span.
func (w *watched) attempts(t *testing.T, model string) [][]any {
	t.Helper()
	spans := w.Named("chat " + model)
	for _, span := range spans {
		require.Equal(t, trace.SpanKindClient, span.SpanKind())
		require.Equal(t, w.parent.SpanContext().SpanID(), span.Parent().SpanID(), "all of them are below the one of the bus")
		failed := span.Status().Code == codes.Error
		require.Equal(t, failed, genaitest.Attributes(span)["error.type"] != nil)
	}
	return genaitest.Values(spans, "mlsdm.attempt", "mlsdm.attempt.target", "mlsdm.attempt.why", "error.type")
}

func TestASpanOfAnAnswer(t *testing.T) {
	t.Parallel()
	w := newWatched(t, nil)
	_, err := w.ask(t.Context(), to(t, "a/m"), nil)
	require.NoError(t, err)
	require.Equal(t, [][]any{{int64(1), int64(1), "first", nil}}, w.attempts(t, "m"))
	all := genaitest.Attributes(w.Named("chat m")[0])
	require.Equal(t, []any{"own", "id", []string{"stop"}, int64(3), int64(5), "a/m"}, []any{
		all["gen_ai.response.model"], all["gen_ai.response.id"], all["gen_ai.response.finish_reasons"],
		all["gen_ai.usage.input_tokens"], all["gen_ai.usage.output_tokens"], all["mlsdm.model"],
	})
	require.NotContains(t, all, "gen_ai.request.stream")
	require.NotContains(t, all, "gen_ai.response.time_to_first_chunk")
	require.NotContains(t, all, "gen_ai.input.messages")
}

// TestASpanOfAStream: it ends with the stream, and says when the first chunk came.
func TestASpanOfAStream(t *testing.T) {
	t.Parallel()
	w := newWatched(t, nil)
	during := -1
	_, err := w.ask(t.Context(), to(t, "a/m"), func(*events.ChatChunk) error {
		during = len(w.Named("chat m"))
		return nil
	})
	require.NoError(t, err)
	require.Zero(t, during, "it ends not before the stream does")
	require.Equal(t, [][]any{{int64(1), int64(1), "first", nil}}, w.attempts(t, "m"))
	all := genaitest.Attributes(w.Named("chat m")[0])
	require.Equal(t, []any{true, "own", "id", []string{"stop"}, int64(3), int64(5)}, []any{
		all["gen_ai.request.stream"], all["gen_ai.response.model"], all["gen_ai.response.id"], all["gen_ai.response.finish_reasons"],
		all["gen_ai.usage.input_tokens"], all["gen_ai.usage.output_tokens"],
	})
	require.Positive(t, all["gen_ai.response.time_to_first_chunk"])
}

// TestSpansOfAttempts: each has its own, and says why it was made.
func TestSpansOfAttempts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWatched(t, nil)
		w.on("a", fails(network()), fails(status(http.StatusTooManyRequests)), fails(status(http.StatusUnauthorized)))
		w.on("b", fails(status(http.StatusNotFound)))
		res, err := w.ask(t.Context(), to(t, "a/m", "b/n", "c/o"), nil)
		require.NoError(t, err)
		require.Equal(t, "c/o", res.Response.Model)
		atA := w.attempts(t, "m")
		require.Len(t, atA, 3)
		require.Equal(t, []any{int64(1), int64(1), "first", "network"}, atA[0])
		require.Contains(t, []any{"retry", "next_key"}, atA[1][2], "either key may be the next")
		require.Equal(t, "limit", atA[1][3])
		require.Equal(t, []any{int64(3), int64(1), "next_key", "key"}, atA[2])
		require.Equal(t, [][]any{{int64(4), int64(2), "fallback", "model"}}, w.attempts(t, "n"))
		require.Equal(t, [][]any{{int64(5), int64(3), "fallback", nil}}, w.attempts(t, "o"))
		require.Equal(t, 1, res.Skipped, "both keys of a rest")
	})
}

func TestARetryIsASpan(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWatched(t, nil)
		w.on("c", fails(network(), "half of"), fails(network()), says("hello"))
		_, err := w.ask(t.Context(), to(t, "c/m"), nil)
		require.NoError(t, err)
		require.Equal(t, [][]any{
			{int64(1), int64(1), "first", "network"}, {int64(2), int64(1), "retry", "network"}, {int64(3), int64(1), "retry", nil},
		}, w.attempts(t, "m"))
	})
}

// TestHowAttemptsEnd: who has ended an attempt is to be seen.
func TestHowAttemptsEnd(t *testing.T) {
	t.Parallel()
	rejected := events.Errorf(events.CodeContentRejected, "not this")
	for name, c := range map[string]struct {
		does   step
		emit   func(*events.ChatChunk) error
		cancel func(context.Context) (context.Context, context.CancelFunc)
		kind   string
	}{
		"the caller left": {does: hangs(), kind: "canceled", cancel: func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(ctx)
			time.AfterFunc(time.Second, cancel)
			return ctx, cancel
		}},
		"the caller has no time left": {does: hangs(), kind: "deadline_exceeded", cancel: func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, time.Second)
		}},
		"the server is slow":          {does: hangs(), kind: "timeout"},
		"a stream stands still":       {does: hangs("half of"), kind: "timeout", emit: func(*events.ChatChunk) error { return nil }},
		"the provider refuses":        {does: fails(status(http.StatusBadRequest, "content_filter")), kind: "content"},
		"our filter refuses":          {does: says("something", "bad"), kind: "content_rejected", emit: func(*events.ChatChunk) error { return rejected }},
		"the reader of a stream left": {does: says("a"), kind: "canceled", emit: func(*events.ChatChunk) error { return errors.New("gone") }},
		"a stream breaks off":         {does: fails(network(), "half of"), kind: "network", emit: func(*events.ChatChunk) error { return nil }},
		"nobody understands it":       {does: fails(badAnswer()), kind: "answer"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWatched(t, func(c *engine.Config) { c.Retries, c.Answer, c.Idle = 0, time.Minute, time.Minute })
				w.on("c", c.does)
				ctx := t.Context()
				if c.cancel != nil {
					var cancel context.CancelFunc
					ctx, cancel = c.cancel(ctx)
					defer cancel()
				}
				_, err := w.ask(ctx, to(t, "c/m"), c.emit)
				require.Error(t, err)
				require.Equal(t, [][]any{{int64(1), int64(1), "first", c.kind}}, w.attempts(t, "m"))
				require.Equal(t, c.kind, w.Named("chat m")[0].Status().Description, "and nothing of what the provider says")
			})
		})
	}
}

// TestAPanicEndsTheSpan: whoever looks for it finds it.
func TestAPanicEndsTheSpan(t *testing.T) {
	t.Parallel()
	w := newWatched(t, nil)
	w.on("c", func(context.Context, *llm.Call, func(*events.ChatChunk) error) (*events.ChatResponse, error) {
		panic("oops")
	})
	require.Panics(t, func() { _, _ = w.ask(t.Context(), to(t, "c/m"), nil) })
	require.Equal(t, [][]any{{int64(1), int64(1), "first", "panic"}}, w.attempts(t, "m"))
}

// TestWhatIsLeftOutHasNoAttempts: of a trace that nobody keeps, nothing is recorded.
func TestWhatIsLeftOutHasNoAttempts(t *testing.T) {
	t.Parallel()
	w := newWatched(t, nil)
	at := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}})
	ctx := trace.ContextWithSpanContext(t.Context(), at)
	_, err := w.engine.Do(ctx, engine.Ask{Route: to(t, "a/m"), Request: request()})
	require.NoError(t, err)
	require.Empty(t, w.Named("chat m"))
}
