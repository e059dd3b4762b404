package cache

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// What works for a moment and fails again is probed less and less often; once it has worked for a while, as at first.
func TestBreakerOfWhatFlaps(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var probes []time.Time
		var answer error
		b := newBreaker("read", func(context.Context) error {
			probes = append(probes, time.Now())
			return answer
		}, slog.New(slog.DiscardHandler))
		defer b.close()
		down := errors.New("down")
		waits := func() time.Duration {
			start, before := time.Now(), len(probes)
			b.fail(t.Context(), down)
			require.False(t, b.allow())
			require.Equal(t, down, b.failure())
			for !b.allow() {
				<-time.After(time.Millisecond)
			}
			require.NoError(t, b.failure())
			require.Len(t, probes, before+1)
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

		answer = errors.New("still down")
		probes = nil
		b.fail(t.Context(), down)
		b.fail(t.Context(), down) // of a visit that had begun before
		<-time.After(30 * time.Second)
		require.Len(t, probes, 9, "no more than one in five seconds, in the end")
		require.Equal(t, answer, b.failure())
		answer = nil
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
