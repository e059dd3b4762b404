package cached_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/cached"
)

// TestTenMinutesWithoutTheStore is 500 Gets a second, spread over ten references, with a store that is away for ten minutes.
func TestTenMinutesWithoutTheStore(t *testing.T) {
	t.Parallel()
	const refs, outage = 10, 10 * time.Minute
	for name, down := range map[string]func(context.Context, secret.Ref) (secret.Entry, error){
		"refused": fails(secret.ErrUnavailable), "silent": hangs,
	} {
		for name, background := range map[string]bool{name + ", with the background": true, name: false} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				inBubble(t, cached.Config{TTL: time.Minute, MaxStale: 10*time.Minute + 30*time.Second}, func(t *testing.T, w *world) {
					ctx, stop := context.WithCancel(t.Context())
					var all sync.WaitGroup
					if background {
						all.Go(func() { _ = w.Run(ctx) })
					}
					for n := range refs {
						_, err := w.Get(t.Context(), other(n), cached.Options{})
						require.NoError(t, err)
					}
					pass(10 * time.Second)
					w.store.taken()
					w.store.set(down)
					every := 2 * time.Millisecond
					if !background {
						every *= 10 // it is as long, with fewer
					}
					var failed, stale atomic.Int32
					var slowest atomic.Int64
					for n := range int(outage / every) {
						all.Go(func() {
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
					synctest.Wait()
					require.Zero(t, failed.Load())
					require.Greater(t, int(stale.Load()), int(8*time.Minute/every))
					require.LessOrEqual(t, time.Duration(slowest.Load()), time.Second, "nobody waits for a store that is away")
					require.Less(t, w.store.taken(), 60, "a store that is away is left alone")
					require.Equal(t, "UUUUUUUUUU", w.saw.taken(), "one for each reference")

					pass(time.Minute) // longer than a value may be stale
					for n := range refs {
						require.Equal(t, "down", got(w.Get(t.Context(), other(n), cached.Options{})))
					}
					require.Equal(t, "-", w.saw.taken())

					w.store.set(gives("1"))
					pass(time.Minute) // until the breaker lets a call through
					for n := range refs {
						require.Equal(t, "v1", got(w.Get(t.Context(), other(n), cached.Options{})))
					}
					synctest.Wait()
					require.Equal(t, "CCCCCCCCCC", w.saw.taken(), "it is the same value as before")
					stop()
					all.Wait()
				})
			})
		}
	}
}
