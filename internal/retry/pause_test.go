package retry_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/retry"
)

func TestPause(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		require.False(t, retry.Pause(ctx, 10*time.Second), "nothing could follow")
		require.Zero(t, time.Since(begin))
		require.True(t, retry.Pause(ctx, time.Second))
		require.Equal(t, time.Second, time.Since(begin))
		time.AfterFunc(time.Second, cancel)
		require.False(t, retry.Pause(ctx, 5*time.Second), "who asked is gone")
		require.Equal(t, 2*time.Second, time.Since(begin))
	})
}

func TestAwait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		half := func() float64 { return 0.5 }
		for _, c := range []struct{ away, waited time.Duration }{
			{-time.Second, 0}, {0, 0}, {2 * time.Second, 2100 * time.Millisecond}, {time.Minute, time.Minute + 500*time.Millisecond},
		} {
			begin := time.Now()
			require.True(t, retry.Await(t.Context(), begin.Add(c.away), time.Minute, half))
			require.Equal(t, c.waited, time.Since(begin))
		}
		begin := time.Now()
		require.False(t, retry.Await(t.Context(), begin.Add(61*time.Second), time.Minute, half))
		require.Zero(t, time.Since(begin))
	})
}
