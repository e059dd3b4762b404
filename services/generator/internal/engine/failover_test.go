package engine_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/generator/internal/engine"
)

// failure is one row of the table of what follows a failure. Provider a, which has two keys, always fails; b answers.
type failure struct {
	name  string
	fault func() *llm.Fault
	// both is what is asked when the route leads to a and then to b, and code what the caller sees; empty: the answer of b.
	both string
	code events.Code
	// alone is what is asked when it leads to a only, aloneCode and message what the caller sees, wait the time that he is told.
	alone     string
	aloneCode events.Code
	message   string
	wait      time.Duration
}

func failures() []failure {
	of := func(f func() *llm.Fault, change func(*llm.Fault)) func() *llm.Fault {
		return func() *llm.Fault {
			fault := f()
			change(fault)
			return fault
		}
	}
	http := func(code int, reasons ...string) func() *llm.Fault {
		return func() *llm.Fault { return status(code, reasons...) }
	}
	const retried = "a:k1 a:k1@250ms a:k1@750ms"
	return []failure{
		{"caller", http(400), "a:k1", events.CodeInvalidArgument, "a:k1", events.CodeInvalidArgument, "status 400: Bad Request", 0},
		{"content", http(400, "content_filter"), "a:k1", events.CodeContentRejected, "a:k1", events.CodeContentRejected, "status 400: Bad Request", 0},
		{"unsupported", http(501), "a:k1 b:k3", "", "a:k1", events.CodeUnsupported, "status 501: Not Implemented", 0},
		{"model", http(404), "a:k1 b:k3", "", "a:k1", events.CodeNotFound, "status 404: Not Found", 0},
		{"key", http(401), "a:k1 a:k2 b:k3", "", "a:k1 a:k2", events.CodeUnauthenticated, "status 401: Unauthorized (2 attempts, 1 of 1 model asked)", 0},
		{"key, forbidden", http(403), "a:k1 a:k2 b:k3", "", "a:k1 a:k2", events.CodePermissionDenied, "status 403: Forbidden (2 attempts, 1 of 1 model asked)", 0},
		{
			"limit, soon", retryAfter(429, "20"),
			"a:k1 a:k2 b:k3", "",
			// Twice two keys, three waits of 20s and half of a second.
			"a:k1 a:k2 a:k1@20.5s a:k2 a:k1@41s a:k2 a:k1@1m1.5s a:k2", events.CodeRateLimited,
			"status 429: Too Many Requests (8 attempts, 1 of 1 model asked)", 20 * time.Second,
		},
		{
			"limit, late", retryAfter(429, "3600"), "a:k1 a:k2 b:k3", "",
			"a:k1 a:k2", events.CodeRateLimited, "status 429: Too Many Requests (2 attempts, 1 of 1 model asked)", time.Hour,
		},
		{
			"limit, unknown", http(429), "a:k1 a:k2 b:k3", "",
			"a:k1 a:k2 a:k1@1.05s a:k2 a:k1@3.15s a:k2 a:k1@7.35s a:k2", events.CodeRateLimited,
			"status 429: Too Many Requests (8 attempts, 1 of 1 model asked)", 8 * time.Second,
		},
		{
			"limit, final", of(retryAfter(429, "20"), func(f *llm.Fault) { f.Final = true }), "a:k1 a:k2 b:k3", "",
			"a:k1 a:k2", events.CodeRateLimited, "status 429: Too Many Requests (2 attempts, 1 of 1 model asked)", 20 * time.Second,
		},
		{"quota", http(429, "insufficient_quota"), "a:k1 a:k2 b:k3", "", "a:k1 a:k2", events.CodeRateLimited, "status 429: Too Many Requests (2 attempts, 1 of 1 model asked)", 0},
		{"quota, by status", http(402), "a:k1 a:k2 b:k3", "", "a:k1 a:k2", events.CodeRateLimited, "status 402: Payment Required (2 attempts, 1 of 1 model asked)", 0},
		{"provider", http(503), retried + " b:k3", "", retried, events.CodeUnavailable, "status 503: Service Unavailable (3 attempts, 1 of 1 model asked)", 0},
		{"provider, final", of(http(503), func(f *llm.Fault) { f.Final = true }), "a:k1 b:k3", "", "a:k1", events.CodeUnavailable, "status 503: Service Unavailable", 0},
		{"provider, soon", retryAfter(503, "3"), "a:k1 a:k1@3s a:k1@6s b:k3", "", "a:k1 a:k1@3s a:k1@6s", events.CodeUnavailable, "status 503: Service Unavailable (3 attempts, 1 of 1 model asked)", 3 * time.Second},
		{
			"provider, later", retryAfter(503, "30"), "a:k1 b:k3", "",
			"a:k1 a:k1@30.5s a:k1@1m1s a:k1@1m31.5s", events.CodeUnavailable,
			"status 503: Service Unavailable (4 attempts, 1 of 1 model asked)", 30 * time.Second,
		},
		{"slow, later", retryAfter(504, "30"), "a:k1 b:k3", "", "a:k1", events.CodeDeadlineExceeded, "status 504: Gateway Timeout", 0},
		{"provider, late", retryAfter(503, "90"), "a:k1 b:k3", "", "a:k1", events.CodeUnavailable, "status 503: Service Unavailable", 90 * time.Second},
		{"network", network, retried + " b:k3", "", retried, events.CodeUnavailable, "the connection broke (3 attempts, 1 of 1 model asked)", 0},
		{"timeout", http(504), "a:k1 a:k1@250ms b:k3", "", "a:k1 a:k1@250ms", events.CodeDeadlineExceeded, "status 504: Gateway Timeout (2 attempts, 1 of 1 model asked)", 0},
		{"answer", badAnswer, "a:k1 a:k1@250ms b:k3", "", "a:k1 a:k1@250ms", events.CodeInternal, "bad answer: it is not JSON (2 attempts, 1 of 1 model asked)", 0},
		{
			"canceled", of(network, func(f *llm.Fault) { f.Class, f.Err = llm.ClassCanceled, events.Errorf(events.CodeCanceled, "canceled") }),
			"a:k1", events.CodeCanceled, "a:k1", events.CodeCanceled, "canceled", 0,
		},
	}
}

// TestFailOver is the table of what follows each failure before anything was said.
func TestFailOver(t *testing.T) {
	t.Parallel()
	for _, f := range failures() {
		for _, streamed := range []bool{false, true} {
			name := f.name + ", plain"
			if streamed {
				name = f.name + ", streamed"
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) { f.both2(t, streamed) })
				synctest.Test(t, func(t *testing.T) { f.alone1(t, streamed) })
			})
		}
	}
}

// always fails with a new fault at each call: times in it are counted from the call.
func (f failure) always(words ...string) step {
	return func(ctx context.Context, call *llm.Call, emit func(*events.ChatChunk) error) (*events.ChatResponse, error) {
		return fails(f.fault(), words...)(ctx, call, emit)
	}
}

func (f failure) both2(t *testing.T, streamed bool) {
	w := newWorld()
	w.on("a", f.always())
	e := newEngine(t, w, nil)
	var r *reader
	if streamed {
		r = &reader{}
	}
	res, err := ask(t.Context(), e, to(t, "a/m", "b/n"), r)
	require.Equal(t, f.both, w.asked())
	require.Len(t, res.Attempts, w.count())
	if f.code != "" {
		require.Equal(t, f.code, events.CodeOf(err))
		require.Nil(t, res.Response)
		return
	}
	require.NoError(t, err)
	require.Equal(t, "hello", text(res.Response))
	require.Equal(t, "b/n", res.Target.ID)
	require.Equal(t, "b/n", res.Response.Model)
	require.Equal(t, events.FinishStop, res.Finish)
	require.Equal(t, usage(), res.Usage)
	require.Equal(t, time.Since(w.begin), res.FirstOutput)
	if streamed {
		require.Equal(t, "hello", r.text.String())
		require.Len(t, r.chunks, 4, "one of those before the first word, and nothing of those who failed")
		for _, c := range r.chunks {
			require.Equal(t, "b/n", c.Model)
		}
	}
}

func (f failure) alone1(t *testing.T, streamed bool) {
	w := newWorld()
	w.on("a", f.always())
	e := newEngine(t, w, nil)
	var r *reader
	if streamed {
		r = &reader{}
	}
	res, err := ask(t.Context(), e, to(t, "a/m"), r)
	require.Equal(t, f.alone, w.asked())
	require.Len(t, res.Attempts, w.count())
	told, ok := err.(*events.Error) //nolint:errorlint // nothing wraps it
	require.True(t, ok, "%T", err)
	require.Equal(t, f.aloneCode, told.Code)
	require.Equal(t, f.message, told.Message)
	require.Equal(t, f.wait, told.RetryAfter)
	require.Equal(t, f.fault().Err.Retryable, told.Retryable)
	require.Nil(t, res.Response)
	require.Zero(t, res.FirstOutput)
	if streamed {
		require.Empty(t, r.chunks, "nothing was said")
	}
}

// TestNoFailOverAfterTheFirstWord: whatever the failure, it ends a stream that has begun.
func TestNoFailOverAfterTheFirstWord(t *testing.T) {
	t.Parallel()
	for _, f := range failures() {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				w.on("a", f.always("one ", "two"))
				e := newEngine(t, w, nil)
				var r reader
				res, err := ask(t.Context(), e, to(t, "a/m", "b/n"), &r)
				require.Equal(t, "a:k1", w.asked())
				partial, ok := err.(*engine.PartialError) //nolint:errorlint // nothing wraps it
				require.True(t, ok, "%T", err)
				require.Equal(t, f.aloneCode, partial.Err.Code)
				require.Equal(t, f.aloneCode, events.CodeOf(err))
				require.Equal(t, "one two", r.text.String())
				require.Equal(t, "one two", text(partial.Partial))
				require.Equal(t, "a/m", partial.Partial.Model)
				require.Empty(t, partial.Partial.Choices[0].FinishReason)
				require.Nil(t, partial.Partial.Usage, "it is unknown")
				require.Nil(t, res.Usage)
				require.Nil(t, res.Response)
				require.Equal(t, "a/m", res.Target.ID)
				require.Len(t, res.Attempts, 1)
			})
		})
	}
}
