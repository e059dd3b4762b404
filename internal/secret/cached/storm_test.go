package cached_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/cached"
)

// TestStorm is many at once who do everything: for the race detector, and for what it leaves behind.
func TestStorm(t *testing.T) {
	t.Parallel()
	running(t, cached.Config{MaxEntries: 50, TTL: time.Second, MaxStale: 2 * time.Second}, func(t *testing.T, w *world) {
		answers := answers()
		w.store.set(func(ctx context.Context, ref secret.Ref) (secret.Entry, error) {
			column := answers[(len(ref.Path)+int(time.Now().Unix()))%len(answers)]
			return slowly(time.Millisecond, column[0])(ctx, ref)
		})
		var all sync.WaitGroup
		var wrong atomic.Int32
		for worker := range 20 {
			all.Go(func() {
				for n := range 500 {
					r := secret.Ref{Store: secret.StoreVault, Path: fmt.Sprintf("p%d", (n*n+worker)%70)}
					ctx, cancel := context.WithTimeout(t.Context(), time.Duration(n%5)*500*time.Microsecond)
					found, err := w.Get(ctx, r, cached.Options{NoCache: n%7 == 0})
					cancel()
					if err == nil && found.Value.Reveal() != canary+found.Version {
						wrong.Add(1)
					}
					w.Look(r)
					<-time.After(time.Duration(worker) * time.Millisecond)
				}
			})
		}
		all.Wait()
		require.Zero(t, wrong.Load())
		synctest.Wait()
		require.NoError(t, w.Consistent())
	})
}

// TestLeavingAtTheEnd is a time of callers that ends at the very moment at which the answer comes.
func TestLeavingAtTheEnd(t *testing.T) {
	t.Parallel()
	inBubble(t, cached.Config{}, func(t *testing.T, w *world) {
		w.store.set(slowly(time.Second, gives("1")))
		for n := range 100 {
			var all sync.WaitGroup
			var wrong atomic.Int32
			for range 10 {
				all.Go(func() {
					ctx, cancel := context.WithTimeout(t.Context(), time.Second)
					defer cancel()
					found, err := w.Get(ctx, other(n), cached.Options{})
					if err != nil && !errors.Is(err, context.DeadlineExceeded) || err == nil && found.Value.Reveal() != canary+"1" {
						wrong.Add(1)
					}
				})
			}
			all.Wait()
			require.Zero(t, wrong.Load())
		}
		synctest.Wait()
		require.NoError(t, w.Consistent())
		require.Equal(t, 100, w.store.taken())
	})
}

// TestPatienceThatEndsAtTheEnd is a patience that ends at the very moment at which the call fails, or the spare value ends.
func TestPatienceThatEndsAtTheEnd(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		takes, old time.Duration
		answer     func(context.Context, secret.Ref) (secret.Entry, error)
		want       []string
	}{
		"value":           {time.Second, 10 * time.Minute, gives("2"), []string{"v1~", "v2"}},
		"failure":         {time.Second, 10 * time.Minute, fails(secret.ErrUnavailable), []string{"v1~"}},
		"refusal":         {time.Second, 10 * time.Minute, fails(secret.ErrDenied), []string{"v1~", "denied"}},
		"end of spare":    {2 * time.Second, time.Hour - time.Second, gives("2"), []string{"v2"}},
		"end and failure": {2 * time.Second, time.Hour - time.Second, fails(secret.ErrUnavailable), []string{"down"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for range 20 {
				inBubble(t, cached.Config{}, func(t *testing.T, w *world) {
					require.Equal(t, "v1", w.get(t.Context(), cached.Options{}))
					pass(test.old)
					w.store.set(slowly(test.takes, test.answer))
					require.Contains(t, test.want, w.get(t.Context(), cached.Options{}))
					pass(10 * time.Second)
					require.NoError(t, w.Consistent())
				})
			}
		})
	}
}
