package cache

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// What works for a moment and fails again is probed less and less often; once it has worked for a while, as at first.
func TestBreakerOfWhatFlaps(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var probes atomic.Int64
		var broken atomic.Bool
		still := errors.New("still down")
		b := newBreaker("read", func(context.Context) error {
			probes.Add(1)
			if broken.Load() {
				return still
			}
			return nil
		}, slog.New(slog.DiscardHandler))
		defer b.close()
		down := errors.New("down")
		waits := func() time.Duration {
			start, before := time.Now(), probes.Load()
			b.fail(t.Context(), down)
			require.False(t, b.allow())
			require.Equal(t, down, b.failure())
			for !b.allow() {
				<-time.After(time.Millisecond)
			}
			require.NoError(t, b.failure())
			require.Equal(t, before+1, probes.Load())
			return time.Since(start)
		}
		require.True(t, b.allow())
		require.InDelta(t, 100, waits().Milliseconds(), 2)
		require.InDelta(t, 200, waits().Milliseconds(), 2)
		for range 5 {
			waits()
		}
		require.InDelta(t, 5000, waits().Milliseconds(), 2)
		<-time.After(31 * time.Second)
		require.InDelta(t, 100, waits().Milliseconds(), 2)

		broken.Store(true)
		probes.Store(0)
		b.fail(t.Context(), down)
		b.fail(t.Context(), down) // of a visit that had begun before
		<-time.After(30 * time.Second)
		require.Equal(t, int64(9), probes.Load(), "no more than one in five seconds, in the end")
		require.Equal(t, still, b.failure())
		broken.Store(false)
		<-time.After(5 * time.Second)
		require.True(t, b.allow())
	})
}

func TestBreakerThatIsClosedForGood(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBreaker("read", func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		}, slog.New(slog.DiscardHandler))
		b.fail(t.Context(), errors.New("down"))
		<-time.After(time.Second)
		b.close()
		require.False(t, b.allow())
		b.fail(t.Context(), errors.New("down"))
	})
}
