package cached_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/cached"
)

func TestNoCacheIsOneCallASecond(t *testing.T) {
	t.Parallel()
	inBubble(t, cached.Config{}, func(t *testing.T, w *world) {
		for tenth := range 100 {
			if tenth == 50 {
				w.store.set(gives("2"))
			}
			want := "v1"
			if tenth >= 50 {
				want = "v2"
			}
			require.Equal(t, want, w.get(t.Context(), cached.Options{NoCache: true}))
			pass(100 * time.Millisecond)
		}
		require.Equal(t, 10, w.store.taken())
		require.Equal(t, "R", w.saw.taken())
	})
}

func TestNoCacheTellsWhatItFound(t *testing.T) {
	t.Parallel()
	inBubble(t, cached.Config{}, func(t *testing.T, w *world) {
		found, err := w.Get(t.Context(), ref(), cached.Options{NoCache: true})
		require.NoError(t, err)
		require.False(t, found.Rotated, "nothing was known before")
		w.store.set(gives("2"))
		pass(2 * time.Second)
		for range 2 { // the second shares the call of the first
			found, err = w.Get(t.Context(), ref(), cached.Options{NoCache: true})
			require.NoError(t, err)
			require.True(t, found.Rotated)
			require.Equal(t, "1", found.Previous)
			require.Equal(t, "2", found.Version)
			require.Equal(t, time.Now(), found.FetchedAt)
		}
		pass(2 * time.Second)
		found, err = w.Get(t.Context(), ref(), cached.Options{NoCache: true})
		require.NoError(t, err)
		require.False(t, found.Rotated)
		require.Equal(t, 3, w.store.taken())
	})
}

// A call that began long before the question may bring what was before a rotation that the caller knows of.
func TestNoCacheDoesNotShareAnOldCall(t *testing.T) {
	t.Parallel()
	inBubble(t, cached.Config{}, func(t *testing.T, w *world) {
		w.store.set(slowly(5*time.Second, gives("1")))
		ask := func(o cached.Options) <-chan string {
			answer := make(chan string, 1)
			go func() { answer <- w.get(t.Context(), o) }()
			synctest.Wait()
			return answer
		}
		first := ask(cached.Options{})
		pass(500 * time.Millisecond)
		soon := ask(cached.Options{NoCache: true})
		pass(time.Second)
		w.store.set(gives("2"))
		var later []<-chan string
		for range 10 {
			later = append(later, ask(cached.Options{NoCache: true}))
		}
		require.Equal(t, "v1", <-first)
		require.Equal(t, "v1", <-soon)
		for _, answer := range later {
			require.Equal(t, "v2", <-answer)
		}
		require.Equal(t, 2, w.store.taken())
	})
}

func TestNoCacheIsLimitedForAllOfAStore(t *testing.T) {
	t.Parallel()
	inBubble(t, cached.Config{NoCacheRate: 10}, func(t *testing.T, w *world) {
		ask := func(n int) error {
			_, err := w.Get(t.Context(), other(n), cached.Options{NoCache: true})
			return err
		}
		for n := range 10 {
			require.NoError(t, ask(n))
		}
		for n := range 10 {
			require.NoError(t, ask(n), "what was just asked for is shared")
			var limited *cached.TooOftenError
			require.ErrorAs(t, ask(100+n), &limited)
			require.ErrorIs(t, limited, cached.ErrTooOften)
			require.Equal(t, 100*time.Millisecond, limited.RetryAfter)
			require.ErrorContains(t, limited, "may be asked again in 100ms")
		}
		require.Equal(t, 10, w.store.taken())
		require.Equal(t, "v1", w.get(t.Context(), cached.Options{}), "with the cache there is no such limit")
		pass(100 * time.Millisecond)
		require.NoError(t, ask(200))
		require.ErrorIs(t, ask(201), cached.ErrTooOften)
	})
}

func TestNoCacheWithNothingToShare(t *testing.T) {
	t.Parallel()
	inBubble(t, cached.Config{}, func(t *testing.T, w *world) {
		w.store.set(lends("1", 300*time.Millisecond))
		require.Equal(t, "v1", w.get(t.Context(), cached.Options{NoCache: true}))
		pass(400 * time.Millisecond)
		_, err := w.Get(t.Context(), ref(), cached.Options{NoCache: true})
		var limited *cached.TooOftenError
		require.ErrorAs(t, err, &limited)
		require.Equal(t, 600*time.Millisecond, limited.RetryAfter)
		pass(limited.RetryAfter)
		require.Equal(t, "v1", w.get(t.Context(), cached.Options{NoCache: true}))
		require.Equal(t, 2, w.store.taken())
	})
}

// A rotation that was told of right after a call is not missed, though who tells it shares that call.
func TestNoCacheThatSharesACallAsksAgain(t *testing.T) {
	t.Parallel()
	running(t, cached.Config{}, func(t *testing.T, w *world) {
		require.Equal(t, "v1", w.get(t.Context(), cached.Options{}))
		w.store.set(gives("2"))
		pass(100 * time.Millisecond)
		for range 100 {
			require.Equal(t, "v1", w.get(t.Context(), cached.Options{NoCache: true}))
		}
		require.Equal(t, 1, w.store.taken())
		pass(900 * time.Millisecond)
		require.Equal(t, 1, w.store.taken())
		require.Equal(t, "R", w.saw.taken())
		require.Equal(t, "v2", w.get(t.Context(), cached.Options{}))
		pass(10 * time.Second)
		require.Zero(t, w.store.taken(), "once")

		w.store.set(slowly(time.Second, gives("2")))
		answer := make(chan string, 1)
		go func() { answer <- w.get(t.Context(), cached.Options{NoCache: true}) }()
		pass(500 * time.Millisecond)
		w.store.set(gives("3"))
		require.Equal(t, "v2", w.get(t.Context(), cached.Options{NoCache: true}))
		require.Equal(t, "v2", <-answer)
		pass(10 * time.Millisecond)
		require.Equal(t, "R", w.saw.taken())
		require.Equal(t, 2, w.store.taken())
	})
	running(t, cached.Config{}, func(t *testing.T, w *world) { // of what is not there, too
		w.store.set(fails(secret.ErrNotFound))
		require.Equal(t, "none", w.get(t.Context(), cached.Options{}))
		w.store.set(gives("1"))
		require.Equal(t, "none", w.get(t.Context(), cached.Options{NoCache: true}))
		pass(time.Second)
		require.Equal(t, "v1", w.get(t.Context(), cached.Options{}))
		require.Equal(t, 2, w.store.taken())
	})
}
