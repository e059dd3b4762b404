package engine_test

import (
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/providers"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/generator/internal/engine"
)

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	log := slog.New(slog.DiscardHandler)
	_, err := engine.New(engine.Config{}, nil)
	require.ErrorContains(t, err, "Logger must be set")
	_, err = engine.New(engine.Config{Logger: log, Retries: -1}, nil)
	require.ErrorContains(t, err, "must not be below 0")
	reg := prometheus.NewRegistry()
	_, err = engine.New(engine.Config{Logger: log, Metrics: reg}, nil)
	require.NoError(t, err)
	_, err = engine.New(engine.Config{Logger: log, Metrics: reg}, nil)
	require.ErrorContains(t, err, "attempt metrics")
	for want, list := range map[string][]engine.Provider{
		"a name and an adapter": {{Name: "a"}},
		"is there twice":        {{Name: "a", Adapter: fake{}}, {Name: "a", Adapter: fake{}}},
		"65 keys":               {{Name: "a", Adapter: fake{}, Keys: make([]providers.Key, providers.MaxKeys+1)}},
	} {
		_, err := engine.New(engine.Config{Logger: log}, list)
		require.ErrorContains(t, err, want)
	}
}

// TestTheMostTellingError: of what all targets said, the caller is told what helps him most.
func TestTheMostTellingError(t *testing.T) {
	t.Parallel()
	unsupported := func(field string) *llm.Fault {
		return &llm.Fault{Class: llm.ClassUnsupported, Err: llm.Refuse("x", "%s: not here", field)}
	}
	for name, c := range map[string]struct {
		a, b, c *llm.Fault
		message string
		code    events.Code
	}{
		"the first that cannot":       {unsupported("n"), unsupported("seed"), status(404), "n: not here", events.CodeUnsupported},
		"the first that is not there": {status(404), unsupported("seed"), unsupported("n"), "status 404: Not Found", events.CodeNotFound},
		"what may pass":               {status(401), status(503), unsupported("n"), "status 503: Service Unavailable", events.CodeUnavailable},
		"the last that may pass":      {status(504), retryAfter(429, "999999")(), status(503), "status 503: Service Unavailable", events.CodeUnavailable},
		"what an operator can change": {unsupported("n"), status(401), status(404), "status 401: Unauthorized", events.CodeUnauthenticated},
		"the last of these":           {status(401), status(402), unsupported("n"), "status 402: Payment Required", events.CodeRateLimited},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			w.on("a", fails(c.a))
			w.on("b", fails(c.b))
			w.on("c", fails(c.c))
			e := newEngine(t, w, once)
			_, err := ask(t.Context(), e, to(t, "a/m", "b/m", "c/m"), nil)
			told := events.AsError(err)
			require.Equal(t, c.code, told.Code)
			require.Regexp(t, `^`+c.message+` \([34] attempts, 3 of 3 models asked\)$`, told.Message)
		})
	}
}

// TestSoonest: RetryAfter is the time until the first target can be asked, of those that can do what is asked for.
func TestSoonest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.on("a", fails(retryAfter(429, "300")()))
		w.on("b", fails(retryAfter(429, "200")()))
		w.on("c", fails(status(404)))
		e := newEngine(t, w, once)
		_, err := ask(t.Context(), e, to(t, "a/m", "b/m", "c/m"), nil)
		require.Equal(t, events.CodeRateLimited, events.CodeOf(err))
		require.Equal(t, 200*time.Second, events.AsError(err).RetryAfter)
		w.on("c", fails(status(503)))
		_, err = ask(t.Context(), e, to(t, "a/m", "b/m", "c/m"), nil)
		require.Equal(t, events.CodeUnavailable, events.CodeOf(err))
		require.Zero(t, events.AsError(err).RetryAfter, "c may be asked now")
	})
}

// TestErrorsAreNotShared: what one caller is told is no other's to change.
func TestErrorsAreNotShared(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.on("b", fails(status(402)))
	e := newEngine(t, w, nil)
	_, first := ask(t.Context(), e, to(t, "b/m"), nil)
	events.AsError(first).Message = "changed"
	_, second := ask(t.Context(), e, to(t, "b/m"), nil)
	require.Equal(t, "status 402: Payment Required", events.AsError(second).Message)
	require.NotSame(t, first, second)
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.on("b", fails(status(404)))
	reg := prometheus.NewRegistry()
	e := newEngine(t, w, func(c *engine.Config) { c.Metrics = reg })
	for i := range 300 {
		_, err := ask(t.Context(), e, to(t, fmt.Sprintf("b/made-up-%d", i), fmt.Sprintf("c/m%d", i)), nil)
		require.NoError(t, err)
	}
	count, err := testutil.GatherAndCount(reg, "mlsdm_attempts_total")
	require.NoError(t, err)
	require.Equal(t, 202, count, "of names that callers make up there is no end")
	count, err = testutil.GatherAndCount(reg, "mlsdm_attempt_seconds")
	require.NoError(t, err)
	require.Equal(t, 2, count)
	families, err := reg.Gather()
	require.NoError(t, err)
	found := 0.0
	for _, f := range families {
		for _, m := range f.GetMetric() {
			labels := make(map[string]string)
			for _, l := range m.GetLabel() {
				labels[l.GetName()] = l.GetValue()
			}
			if labels["provider"] == "b" && labels["model"] == "other" && labels["class"] == "model" {
				found = m.GetCounter().GetValue()
			}
		}
	}
	require.InDelta(t, 300, found, 0)
}
