package cached_test

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/cached"
)

// TestTenMinutesWithoutTheStore is Gets of ten references, spread evenly, with a store that is away for ten minutes.
func TestTenMinutesWithoutTheStore(t *testing.T) {
	t.Parallel()
	type answer = func(context.Context, secret.Ref) (secret.Entry, error)
	for name, test := range map[string]struct {
		down       answer
		background bool
		every      time.Duration // between Gets
	}{
		"refused, 500 a second":        {fails(secret.ErrUnavailable), true, 2 * time.Millisecond},
		"refused, without Run":         {fails(secret.ErrUnavailable), false, 20 * time.Millisecond},
		"no answer":                    {hangs, true, 20 * time.Millisecond},
		"no answer, without Run":       {hangs, false, 20 * time.Millisecond},
		"no answer, each seldom":       {hangs, true, 10 * time.Second},
		"refused, each seldom, no Run": {fails(secret.ErrUnavailable), false, 10 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, cached.Config{TTL: time.Minute, MaxStale: 10*time.Minute + 30*time.Second}, func(t *testing.T, w *world) {
				ctx, stop := context.WithCancel(t.Context())
				defer stop()
				var running sync.WaitGroup
				if test.background {
					running.Go(func() { _ = w.Run(ctx) })
				}
				outage(t, w, test.down, test.every)
				stop()
				running.Wait()
			})
		})
	}
}

// outage is ten minutes without the store, and what comes then.
func outage(t *testing.T, w *world, down func(context.Context, secret.Ref) (secret.Entry, error), every time.Duration) {
	t.Helper()
	const refs, lasts = 10, 10 * time.Minute
	all := func(want string) {
		for n := range refs {
			require.Equal(t, want, got(w.Get(t.Context(), other(n), cached.Options{})))
		}
		synctest.Wait()
	}
	all("v1")
	pass(10 * time.Second)
	w.store.taken()
	w.store.set(down)
	var failed, stale, slowest atomic.Int64
	var asking sync.WaitGroup
	for n := range int(lasts / every) {
		asking.Go(func() {
			began := time.Now()
			found, err := w.Get(t.Context(), other(n%refs), cached.Options{})
			if err != nil {
				failed.Add(1)
			} else if found.Stale {
				stale.Add(1)
			}
			if took := int64(time.Since(began)); took > slowest.Load() {
				slowest.Store(took)
			}
		})
		<-time.After(every)
	}
	asking.Wait()
	synctest.Wait()
	require.Zero(t, failed.Load())
	require.GreaterOrEqual(t, stale.Load(), int64(8*time.Minute/every))
	require.LessOrEqual(t, time.Duration(slowest.Load()), time.Second, "nobody waits for long for a store that is away")
	require.Less(t, w.store.taken(), 60, "a store that is away is left alone")
	require.Equal(t, strings.Repeat("U", refs), w.saw.taken(), "one for each reference")

	pass(time.Minute) // longer than a value may be stale
	all("down")
	require.Equal(t, "-", w.saw.taken())

	w.store.set(gives("1"))
	pass(time.Minute) // until the breaker lets a call through
	all("v1")
	require.Equal(t, strings.Repeat("C", refs), w.saw.taken(), "it is the same value as before")
}
