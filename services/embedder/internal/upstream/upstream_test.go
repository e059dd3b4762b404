package upstream_test

import (
	"context"
	"log/slog"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/providers"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/embedder/internal/upstream"
)

// TestFaults: what follows each class of failure. Half of each wait is waited: 0.25s, 0.5s.
func TestFaults(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		steps map[string][]step
		calls string
		code  events.Code // empty: it is answered
		class llm.Class
	}{
		"none":     {nil, "k1", "", ""},
		"caller":   {map[string][]step{"": {status(400)}}, "k1", events.CodeInvalidArgument, llm.ClassCaller},
		"content":  {map[string][]step{"": {reason(400, "content_filter")}}, "k1", events.CodeContentRejected, llm.ClassContent},
		"too long": {map[string][]step{"": {reason(400, llm.ReasonTooLong)}}, "k1", events.CodeInvalidArgument, llm.ClassUnsupported},
		"model":    {map[string][]step{"": {status(404)}}, "k1", events.CodeNotFound, llm.ClassModel},
		"canceled": {
			map[string][]step{"": {fails(&llm.Fault{Class: llm.ClassCanceled, Err: events.Errorf(events.CodeCanceled, "gone")})}},
			"k1", events.CodeCanceled, llm.ClassCanceled,
		},
		"key, then another":   {map[string][]step{"k1": {status(401)}}, "k1 k2", "", ""},
		"keys":                {map[string][]step{"": {status(401)}}, "k1 k2", events.CodeUnauthenticated, llm.ClassKey},
		"forbidden":           {map[string][]step{"": {status(403)}}, "k1 k2", events.CodePermissionDenied, llm.ClassKey},
		"quota, then another": {map[string][]step{"k1": {reason(429, "insufficient_quota")}}, "k1 k2", "", ""},
		"quotas":              {map[string][]step{"": {reason(429, "insufficient_quota")}}, "k1 k2", events.CodeRateLimited, llm.ClassQuota},
		"limit, then another": {map[string][]step{"k1": {status(429, "Retry-After", "9")}}, "k1 k2", "", ""},
		"limit, then a wait": {
			map[string][]step{"k1": {status(429, "Retry-After", "10"), answers}, "k2": {status(429, "Retry-After", "9"), answers}},
			"k1 k2 k2@9.45s", "", "",
		},
		"limits that last": {map[string][]step{"": {status(429, "Retry-After", "99")}}, "k1 k2", events.CodeRateLimited, llm.ClassLimit},
		"limits without a time": {
			map[string][]step{"": {status(429)}},
			"k1 k2 k1@1.05s k2@1.05s k1@3.15s k2@3.15s k1@7.35s k2@7.35s",
			events.CodeRateLimited, llm.ClassLimit,
		},
		"limit, and a word": {
			map[string][]step{"": {status(429, "Retry-After", "9", "X-Should-Retry", "false")}}, "k1 k2", events.CodeRateLimited, llm.ClassLimit,
		},
		"provider, then none": {map[string][]step{"": {status(503), answers}}, "k1 k1@250ms", "", ""},
		"provider":            {map[string][]step{"": {status(503)}}, "k1 k1@250ms k1@750ms", events.CodeUnavailable, llm.ClassProvider},
		"provider, and when":  {map[string][]step{"": {status(503, "Retry-After", "3"), answers}}, "k1 k1@3s", "", ""},
		"provider, and later": {map[string][]step{"": {status(503, "Retry-After", "30"), answers}}, "k1 k1@30.5s", "", ""},
		"provider, much later": {
			map[string][]step{"": {status(503, "Retry-After", "200"), answers}}, "k1", events.CodeUnavailable, llm.ClassProvider,
		},
		"provider, and a word": {
			map[string][]step{"": {status(500, "X-Should-Retry", "false")}}, "k1", events.CodeUnavailable, llm.ClassProvider,
		},
		"network":           {map[string][]step{"": {network()}}, "k1 k1@250ms k1@750ms", events.CodeUnavailable, llm.ClassNetwork},
		"timeout":           {map[string][]step{"": {status(504)}}, "k1 k1@250ms", events.CodeDeadlineExceeded, llm.ClassTimeout},
		"own timeout":       {map[string][]step{"": {takes(time.Hour)}}, "k1 k1@1m0.25s", events.CodeDeadlineExceeded, llm.ClassTimeout},
		"answer, then none": {map[string][]step{"": {badAnswer(), answers}}, "k1 k1@250ms", "", ""},
		"answer":            {map[string][]step{"": {badAnswer()}}, "k1 k1@250ms", events.CodeInternal, llm.ClassAnswer},
		"one after the other": {
			map[string][]step{"k1": {status(500), badAnswer(), status(401)}, "k2": {status(429, "Retry-After", "2"), answers}},
			"k1 k1@250ms k1@750ms k2@750ms k2@2.85s", "", "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := newFake()
				for key, steps := range c.steps {
					f.on(key, steps...)
				}
				u := newUpstream(t, f, keys("k1", "k2"), nil)
				err := ask(t.Context(), u, "m")
				require.Equal(t, c.calls, f.calls())
				require.Equal(t, c.code, events.CodeOf(err))
				if err != nil {
					require.Equal(t, c.class, llm.FaultOf(err).Class)
				}
			})
		})
	}
}

// TestLittleTime: what does not fit before the deadline is not waited for.
func TestLittleTime(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		step step
		code events.Code
		took time.Duration
	}{
		"limit":    {status(429, "Retry-After", "10"), events.CodeRateLimited, 0},
		"provider": {status(503, "Retry-After", "7"), events.CodeUnavailable, 0},
		"timeout":  {takes(time.Hour), events.CodeDeadlineExceeded, 5 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := newFake()
				f.on("", c.step)
				u := newUpstream(t, f, keys("k1"), nil)
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
				defer cancel()
				begin := time.Now()
				require.Equal(t, c.code, events.CodeOf(ask(ctx, u, "m")))
				require.Equal(t, c.took, time.Since(begin))
				require.Equal(t, 1, f.count())
			})
		})
	}
}

// TestInFlight: so many attempts are made at once, others wait in order, and too many are refused.
func TestInFlight(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		var order []string
		f.on("", func(ctx context.Context, call *llm.EmbedCall) (*llm.Embedded, error) {
			order = append(order, call.Model)
			return takes(time.Second)(ctx, call)
		})
		u := newUpstream(t, f, nil, func(o *upstream.Options) { o.InFlight, o.Waiting = 1, 3 })
		for i := range 4 {
			go func() {
				if err := ask(t.Context(), u, strconv.Itoa(i)); err != nil {
					t.Errorf("%v", err)
				}
			}()
			synctest.Wait()
		}
		err := ask(t.Context(), u, "m")
		require.Equal(t, events.CodeRateLimited, events.CodeOf(err))
		require.Positive(t, events.AsError(err).RetryAfter)
		<-time.After(1500 * time.Millisecond)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.Equal(t, events.CodeDeadlineExceeded, events.CodeOf(ask(ctx, u, "m")), "who has left waits no longer")
		<-time.After(time.Minute)
		require.Equal(t, []string{"0", "1", "2", "3"}, order)
	})
}

// TestPanicGivesEverythingBack: neither a place in flight nor the probe of a breaker is lost.
func TestPanicGivesEverythingBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.on("", network())
		u := newUpstream(t, f, keys("k1"), func(o *upstream.Options) { o.InFlight, o.Retries = 1, 0 })
		for range 5 {
			require.Error(t, ask(t.Context(), u, "m"))
		}
		<-time.After(time.Minute)
		f.on("", func(context.Context, *llm.EmbedCall) (*llm.Embedded, error) { panic("oh") }, answers)
		require.Panics(t, func() { _ = ask(t.Context(), u, "m") })
		require.NoError(t, ask(t.Context(), u, "m"))
	})
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	m, err := upstream.NewMetrics(reg)
	require.NoError(t, err)
	f := newFake()
	f.on("", status(400), answers)
	for range 2 { // they share the metrics
		u := newUpstream(t, f, nil, func(o *upstream.Options) { o.Metrics = m })
		_, err = u.Embed(t.Context(), llm.EmbedCall{Model: "m", Texts: []string{"a", "b"}})
	}
	require.NoError(t, err)
	n, err := testutil.GatherAndCount(reg, "mlsdm_embedder_calls_total", "mlsdm_embedder_call_seconds", "mlsdm_embedder_call_texts")
	require.NoError(t, err)
	require.Equal(t, 4, n, "ok, caller, and two histograms")
	_, err = upstream.NewMetrics(reg)
	require.Error(t, err)
}

func TestNew(t *testing.T) {
	t.Parallel()
	log := slog.New(slog.DiscardHandler)
	for name, make := range map[string]func() (*upstream.Upstream, error){
		"no name": func() (*upstream.Upstream, error) {
			return upstream.New("", newFake(), nil, upstream.Options{Logger: log})
		},
		"no adapter": func() (*upstream.Upstream, error) { return upstream.New("a", nil, nil, upstream.Options{Logger: log}) },
		"no logger":  func() (*upstream.Upstream, error) { return upstream.New("a", newFake(), nil, upstream.Options{}) },
		"retries": func() (*upstream.Upstream, error) {
			return upstream.New("a", newFake(), nil, upstream.Options{Logger: log, Retries: -1})
		},
		"keys": func() (*upstream.Upstream, error) {
			return upstream.New("a", newFake(), keysOf(providers.MaxKeys+1), upstream.Options{Logger: log})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := make()
			require.Error(t, err)
		})
	}
	u, err := upstream.New("a", newFake(), keysOf(providers.MaxKeys), upstream.Options{Logger: log})
	require.NoError(t, err)
	require.Equal(t, "a", u.Name())
}

func keysOf(n int) []providers.Key { return make([]providers.Key, n) }

// TestAllocates: a call that is answered at once costs few allocations.
func TestAllocates(t *testing.T) {
	f := newFake()
	f.asked = make([]string, 0, 3000)
	e := &llm.Embedded{}
	f.on("", func(context.Context, *llm.EmbedCall) (*llm.Embedded, error) { return e, nil })
	u := newUpstream(t, f, keys("k1", "k2"), nil)
	call := llm.EmbedCall{Model: "m", Texts: []string{"hello"}}
	require.LessOrEqual(t, testing.AllocsPerRun(1000, func() {
		if _, err := u.Embed(t.Context(), call); err != nil {
			t.Error(err)
		}
	}), 16.0)
}
