package cached_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/cached"
)

// running runs a test beside [cached.Cache.Run].
func running(t *testing.T, cfg cached.Config, test func(t *testing.T, w *world)) {
	t.Helper()
	inBubble(t, cfg, func(t *testing.T, w *world) {
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		done := make(chan error, 1)
		go func() { done <- w.Run(ctx) }()
		test(t, w)
		stop()
		require.NoError(t, <-done)
		w.store.taken()
		pass(24 * time.Hour)
		require.Zero(t, w.store.taken(), "nothing is asked after the end of Run")
	})
}

func TestRotationIsSeenWithoutAGet(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]cached.Options{"of all": {}, "of its own": {TTL: 30 * time.Second}} {
		t.Run("ttl "+name, func(t *testing.T) {
			t.Parallel()
			ttl := max(o.TTL, 30*time.Second)
			if o.TTL == 0 {
				ttl = 5 * time.Minute
			}
			running(t, cached.Config{}, func(t *testing.T, w *world) {
				require.Equal(t, "v1", w.get(t.Context(), o))
				pass(time.Second)
				w.store.set(gives("2"))
				pass(ttl - time.Second)
				require.Equal(t, "R", w.saw.taken())
				require.Equal(t, []string{"R vault:mlsdm/openai#api_key 1>2"}, w.saw.details())
				w.store.taken()
				require.Equal(t, "v2", w.get(t.Context(), o))
				require.Zero(t, w.store.taken())
			})
		})
	}
}

func TestShorterTTLCountsAtOnce(t *testing.T) {
	t.Parallel()
	running(t, cached.Config{}, func(t *testing.T, w *world) {
		require.Equal(t, "v1", w.get(t.Context(), cached.Options{TTL: time.Hour}))
		require.Equal(t, "v1", w.get(t.Context(), cached.Options{TTL: time.Minute}))
		w.store.set(gives("2"))
		pass(time.Minute)
		require.Equal(t, "R", w.saw.taken())
	})
}

func TestRotationWithoutVersions(t *testing.T) {
	t.Parallel()
	text := func(text string) func(context.Context, secret.Ref) (secret.Entry, error) {
		return func(context.Context, secret.Ref) (secret.Entry, error) {
			return secret.NewEntry(secret.StoreVault, "", text)
		}
	}
	running(t, cached.Config{}, func(t *testing.T, w *world) {
		w.store.set(text(canary))
		require.Equal(t, "v", w.get(t.Context(), cached.Options{}))
		pass(10 * time.Minute)
		require.Equal(t, "-", w.saw.taken())
		w.store.set(text(canary + "\x00")) // as little else as there can be
		pass(5 * time.Minute)
		require.Equal(t, "R", w.saw.taken())
		_, err := w.Get(t.Context(), ref(), cached.Options{NoCache: true})
		require.NoError(t, err)
		pass(2 * time.Second) // now no call is so near that it would be shared
		w.store.set(text(canary))
		found, err := w.Get(t.Context(), ref(), cached.Options{NoCache: true})
		require.NoError(t, err)
		require.True(t, found.Rotated)
		require.Empty(t, found.Previous)
		synctest.Wait()
		require.Equal(t, "R", w.saw.taken())
	})
}

func TestRefusalIsSeenWithoutAGet(t *testing.T) {
	t.Parallel()
	running(t, cached.Config{}, func(t *testing.T, w *world) {
		require.Equal(t, "v1", w.get(t.Context(), cached.Options{}))
		w.store.set(fails(secret.ErrDenied))
		w.store.taken()
		pass(5 * time.Minute)
		require.Equal(t, "P", w.saw.taken())
		require.Equal(t, cached.Refusing, w.Look(ref()).State)
		pass(30 * time.Minute)
		require.Equal(t, 1, w.store.taken(), "the background does not ask for what was refused")
		require.Equal(t, "denied", w.get(t.Context(), cached.Options{}))
	})
}

func TestWhatNobodyUsesIsNotRefreshed(t *testing.T) {
	t.Parallel()
	running(t, cached.Config{Keep: 3}, func(t *testing.T, w *world) {
		require.Equal(t, "v1", w.get(t.Context(), cached.Options{}))
		pass(24 * time.Hour)
		calls := w.store.taken()
		require.GreaterOrEqual(t, calls, 4)
		require.LessOrEqual(t, calls, 6, "for three times five minutes")
		require.Equal(t, cached.Known{State: cached.Unknown}, w.Look(ref()), "it is forgotten")
	})
}

func TestWhoLooksAfterValuesDoesNotUseThem(t *testing.T) {
	t.Parallel()
	running(t, cached.Config{Keep: 3}, func(t *testing.T, w *world) {
		require.Equal(t, "v1", w.get(t.Context(), cached.Options{}))
		for range 20 {
			pass(time.Minute)
			if w.Look(ref()).State == cached.Fresh {
				require.Equal(t, "v1", w.get(t.Context(), cached.Options{Passive: true}))
			}
		}
		w.store.taken()
		pass(24 * time.Hour)
		require.Zero(t, w.store.taken())
	})
}

func TestOutageIsToldWithoutAGet(t *testing.T) {
	t.Parallel()
	running(t, cached.Config{}, func(t *testing.T, w *world) {
		require.Equal(t, "v1", w.get(t.Context(), cached.Options{}))
		w.store.set(fails(secret.ErrUnavailable))
		pass(6 * time.Minute)
		require.Equal(t, "U", w.saw.taken())
		require.Equal(t, cached.Stale, w.Look(ref()).State)
		w.store.set(gives("2"))
		pass(time.Minute) // until the breaker lets a call through
		require.Equal(t, "CR", w.saw.taken())
		require.Equal(t, cached.Fresh, w.Look(ref()).State)
	})
}

func TestBackgroundIsAFewCallsAtATime(t *testing.T) {
	t.Parallel()
	running(t, cached.Config{}, func(t *testing.T, w *world) {
		const refs = 2000
		for n := range refs {
			_, err := w.Get(t.Context(), other(n), cached.Options{})
			require.NoError(t, err)
		}
		w.store.taken()
		var now, most atomic.Int32
		w.store.set(func(ctx context.Context, ref secret.Ref) (secret.Entry, error) {
			most.Store(max(most.Load(), now.Add(1)))
			defer now.Add(-1)
			return slowly(10*time.Millisecond, gives("2"))(ctx, ref)
		})
		pass(5 * time.Minute)
		require.EqualValues(t, 4, most.Load())
		require.Equal(t, refs, w.store.taken(), "once each")
		require.Len(t, w.saw.taken(), refs)
		for n := range refs {
			require.Equal(t, cached.Fresh, w.Look(other(n)).State)
		}
	})
}

func TestLeases(t *testing.T) {
	t.Parallel()
	running(t, cached.Config{}, func(t *testing.T, w *world) {
		w.store.set(lends("1", time.Minute))
		found, err := w.Get(t.Context(), ref(), cached.Options{})
		require.NoError(t, err)
		require.Equal(t, time.Minute, found.ExpiresAt.Sub(found.FetchedAt), "not longer than the lease")
		w.store.set(lends("2", time.Minute))
		pass(49 * time.Second)
		require.Equal(t, "R", w.saw.taken(), "asked for again at 80 % of the lease, not of the TTL")
		w.store.set(fails(secret.ErrUnavailable))
		pass(58 * time.Second)
		require.Equal(t, "v2", w.get(t.Context(), cached.Options{}))
		pass(3 * time.Second)
		require.Equal(t, "down", w.get(t.Context(), cached.Options{}), "a lease that has ended is not stale but gone")
		require.Equal(t, "U", w.saw.taken())
	})
}
