package cached_test

import (
	"context"
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

// slowly answers after a time, or when the call ends.
func slowly(d time.Duration, answer func(context.Context, secret.Ref) (secret.Entry, error)) func(context.Context, secret.Ref) (secret.Entry, error) {
	return func(ctx context.Context, ref secret.Ref) (secret.Entry, error) {
		select {
		case <-time.After(d):
			return answer(ctx, ref)
		case <-ctx.Done():
			return secret.Entry{}, fmt.Errorf("as told: %w", ctx.Err())
		}
	}
}

func TestThousandGetsAreOneCall(t *testing.T) {
	t.Parallel()
	for want, answer := range map[string]func(context.Context, secret.Ref) (secret.Entry, error){
		"v7": gives("7"), "none": fails(secret.ErrNotFound), "down": fails(secret.ErrUnavailable),
	} {
		for name, o := range map[string]cached.Options{"cached": {}, "not cached": {NoCache: true}} {
			t.Run(want+", "+name, func(t *testing.T) {
				t.Parallel()
				inBubble(t, cached.Config{}, func(t *testing.T, w *world) {
					w.store.set(slowly(time.Second, answer))
					var right atomic.Int32
					var all sync.WaitGroup
					for range 1000 {
						all.Go(func() {
							if w.get(t.Context(), o) == want {
								right.Add(1)
							}
						})
					}
					all.Wait()
					require.EqualValues(t, 1000, right.Load())
					require.Equal(t, 1, w.store.taken())
				})
			})
		}
	}
}

func TestWhoLeavesDoesSoAlone(t *testing.T) {
	t.Parallel()
	inBubble(t, cached.Config{}, func(t *testing.T, w *world) {
		w.store.set(slowly(4*time.Second, gives("1")))
		ctx, leave := context.WithCancel(t.Context())
		began := time.Now()
		first, second := make(chan string), make(chan string)
		go func() { first <- w.get(ctx, cached.Options{}) }() // whose call it is
		synctest.Wait()
		go func() { second <- w.get(t.Context(), cached.Options{}) }()
		pass(time.Second)
		leave()
		require.Equal(t, "left", <-first)
		require.Equal(t, time.Second, time.Since(began))
		require.Equal(t, "v1", <-second)
		require.Equal(t, 4*time.Second, time.Since(began))
		require.Equal(t, "v1", w.get(t.Context(), cached.Options{}))
		require.Equal(t, 1, w.store.taken())
	})
}

func TestNobodyWaitsLongerThanTheTimeout(t *testing.T) {
	t.Parallel()
	inBubble(t, cached.Config{}, func(t *testing.T, w *world) {
		w.store.set(hangs)
		began := time.Now()
		_, err := w.Get(t.Context(), ref(), cached.Options{})
		require.ErrorIs(t, err, secret.ErrUnavailable)
		require.NotErrorIs(t, err, context.DeadlineExceeded, "it was not the caller's time that was over")
		require.ErrorContains(t, err, "no answer from vault within 8s")
		require.Equal(t, 8*time.Second, time.Since(began))
	})
}

func TestStoreThatDoesNotEnd(t *testing.T) {
	t.Parallel()
	inBubble(t, cached.Config{}, func(t *testing.T, w *world) {
		mended := make(chan struct{})
		w.store.set(func(ctx context.Context, ref secret.Ref) (secret.Entry, error) {
			<-mended
			return gives("1")(ctx, ref)
		})
		began := time.Now()
		_, err := w.Get(t.Context(), ref(), cached.Options{})
		require.ErrorIs(t, err, secret.ErrUnavailable)
		require.Less(t, time.Since(began), 9*time.Second)
		w.store.set(gives("2"))
		pass(time.Second)
		require.Equal(t, "v2", w.get(t.Context(), cached.Options{}))
		close(mended)
		synctest.Wait()
		require.Equal(t, "v2", w.get(t.Context(), cached.Options{}), "what comes too late is not used")
		require.Equal(t, "-", w.saw.taken())
		require.NoError(t, w.Consistent())
	})
}

func TestStoreThatIsSlow(t *testing.T) {
	t.Parallel()
	inBubble(t, cached.Config{}, func(t *testing.T, w *world) {
		require.Equal(t, "v1", w.get(t.Context(), cached.Options{}))
		pass(10 * time.Minute)
		w.store.taken()
		w.store.set(slowly(5*time.Second, gives("2")))
		began := time.Now()
		require.Equal(t, "v1~", w.get(t.Context(), cached.Options{}), "patience is over")
		require.Equal(t, time.Second, time.Since(began))
		require.Equal(t, "v1~", w.get(t.Context(), cached.Options{}), "nobody else waits for the same call")
		require.Equal(t, time.Second, time.Since(began))
		require.Equal(t, "v2", w.get(t.Context(), cached.Options{MaxStale: cached.Never}), "who wants nothing stale waits")
		require.Equal(t, 5*time.Second, time.Since(began))
		require.Equal(t, "v2", w.get(t.Context(), cached.Options{}))
		require.Equal(t, 1, w.store.taken())
		synctest.Wait()
		require.Equal(t, "R", w.saw.taken(), "it was slow, not away")
	})
}

func TestRefusalThatComesLatePurges(t *testing.T) {
	t.Parallel()
	inBubble(t, cached.Config{}, func(t *testing.T, w *world) {
		require.Equal(t, "v1", w.get(t.Context(), cached.Options{}))
		pass(10 * time.Minute)
		w.store.set(slowly(5*time.Second, fails(secret.ErrDenied)))
		require.Equal(t, "v1~", w.get(t.Context(), cached.Options{}))
		pass(5 * time.Second)
		require.Equal(t, "denied", w.get(t.Context(), cached.Options{}))
		require.Equal(t, "P", w.saw.taken())
	})
}

func TestStoresAreAskedLessAndLessWhileTheyFail(t *testing.T) {
	t.Parallel()
	inBubble(t, cached.Config{Failures: 1000}, func(t *testing.T, w *world) { // the breaker keeps out of it
		w.store.set(fails(secret.ErrUnavailable))
		var asked []int
		for second := range 60 {
			require.Equal(t, "down", w.get(t.Context(), cached.Options{}))
			if w.store.taken() > 0 {
				asked = append(asked, second)
			}
			pass(time.Second)
		}
		require.Equal(t, []int{0, 1, 3, 7, 15, 30, 45}, asked)
	})
}

func TestBreaker(t *testing.T) {
	t.Parallel()
	inBubble(t, cached.Config{}, func(t *testing.T, w *world) {
		ask := func(n int) error {
			_, err := w.Get(t.Context(), other(n), cached.Options{})
			return err
		}
		w.store.set(fails(secret.ErrUnavailable))
		for n := range 4 {
			require.ErrorIs(t, ask(n), secret.ErrUnavailable)
		}
		w.store.set(fails(secret.ErrNotFound)) // an answer: the store is there
		require.ErrorIs(t, ask(4), secret.ErrNotFound)
		w.store.set(fails(secret.ErrUnavailable))
		for n := range 5 {
			require.ErrorIs(t, ask(10+n), secret.ErrUnavailable)
		}
		require.Equal(t, 10, w.store.taken())
		err := ask(20)
		require.ErrorIs(t, err, secret.ErrUnavailable)
		require.ErrorContains(t, err, "vault has failed 5 times in a row")
		require.ErrorContains(t, err, "as told", "it says why")
		require.Zero(t, w.store.taken())

		pass(2 * time.Second) // the longest first pause
		w.store.set(slowly(time.Second, fails(secret.ErrUnavailable)))
		probe := make(chan error)
		go func() { probe <- ask(30) }()
		synctest.Wait()
		require.ErrorIs(t, ask(31), secret.ErrUnavailable, "one call probes")
		require.ErrorIs(t, <-probe, secret.ErrUnavailable)
		require.Equal(t, 1, w.store.taken())
		pass(1900 * time.Millisecond)
		require.ErrorIs(t, ask(32), secret.ErrUnavailable, "the second pause is 2 seconds at least")
		require.Zero(t, w.store.taken())

		pass(1100 * time.Millisecond)
		w.store.set(gives("1"))
		require.NoError(t, ask(33))
		require.NoError(t, ask(0), "that it failed before does not count any more")
		require.NoError(t, ask(31))
		synctest.Wait()
		require.Regexp(t, `(?s)"a store of secrets fails and is left alone.*"a store of secrets answers again"`, w.log.String())
	})
}

func TestClose(t *testing.T) {
	t.Parallel()
	inBubble(t, cached.Config{}, func(t *testing.T, w *world) {
		require.Equal(t, "v1", w.get(t.Context(), cached.Options{}))
		w.store.set(hangs)
		waiting := make(chan error, 1)
		go func() {
			_, err := w.Get(t.Context(), other(1), cached.Options{})
			waiting <- err
		}()
		synctest.Wait()
		began := time.Now()
		w.Close()
		err := <-waiting
		require.ErrorIs(t, err, secret.ErrUnavailable)
		require.NotErrorIs(t, err, context.Canceled)
		require.Zero(t, time.Since(began), "nothing waits for the store")
		w.store.taken()
		require.Equal(t, "down", w.get(t.Context(), cached.Options{}))
		require.Equal(t, "down", w.get(t.Context(), cached.Options{NoCache: true}))
		require.Equal(t, cached.Unknown, w.Look(ref()).State)
		require.Zero(t, w.store.taken())
		w.Close()
	})
}
