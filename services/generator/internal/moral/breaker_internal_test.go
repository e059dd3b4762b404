package moral

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
)

// passes enters a breaker, which must let it.
func passes(t *testing.T, b *breaker, now time.Time) *entry {
	t.Helper()
	e, wait := b.enter(now)
	require.Zero(t, wait)
	return e
}

// waits is how long a breaker keeps a request away.
func waits(t *testing.T, b *breaker, now time.Time) time.Duration {
	t.Helper()
	e, wait := b.enter(now)
	require.Nil(t, e)
	return wait
}

func TestBreaker(t *testing.T) {
	t.Parallel()
	now := time.Unix(1, 0)
	var b breaker
	late, later := passes(t, &b, now), passes(t, &b, now)
	for range breakAfter - 1 {
		require.False(t, passes(t, &b, now).failed(now, time.Time{}))
	}
	require.False(t, passes(t, &b, now).worked(), "it was not open")
	for i := range breakAfter { // a success begins anew
		require.Equal(t, i == breakAfter-1, passes(t, &b, now).failed(now, time.Time{}))
	}
	require.Equal(t, breakFor, waits(t, &b, now))
	require.False(t, late.failed(now, time.Time{}), "one that was on its way")
	now = now.Add(breakFor)
	probe := passes(t, &b, now)
	require.Positive(t, waits(t, &b, now), "one probe, and no other")
	require.False(t, later.failed(now, time.Time{}))
	later.leave()
	require.Positive(t, waits(t, &b, now), "that was none: the probe is still under way")
	require.False(t, probe.failed(now, time.Time{}))
	probe.leave()
	require.Equal(t, 2*breakFor, waits(t, &b, now), "one failure of a probe is one")
	now = now.Add(2 * breakFor)
	passes(t, &b, now).leave()
	require.True(t, passes(t, &b, now).worked(), "the probe before said nothing")
	passes(t, &b, now).leave()
	passes(t, &b, now)

	for range breakAfter {
		passes(t, &b, now).failed(now, now.Add(30*time.Second))
	}
	require.Equal(t, 30*time.Second, waits(t, &b, now), "it says itself when it can be asked")
	for range 20 {
		now = now.Add(time.Hour)
		passes(t, &b, now).failed(now, now.Add(24*time.Hour))
		require.LessOrEqual(t, waits(t, &b, now), breakForMost)
	}
}

// A probe that panics does not keep all others away for good.
func TestProbeThatPanics(t *testing.T) {
	t.Parallel()
	g := &guard{scorer: panics{}, timeout: time.Second, observe: func(time.Duration, bool) {}}
	g.breaker.pause = breakFor // and that time is over
	for range 3 {
		require.Panics(t, func() { _, _ = g.score(t.Context(), question{}) }, "it is asked each time")
	}
}

type panics struct{}

func (panics) score(context.Context, secret.Value, question) (verdict, error) { panic("a bug") }
