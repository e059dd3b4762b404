package moral

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestBreaker(t *testing.T) {
	t.Parallel()
	now := time.Unix(1, 0)
	var b breaker
	for range breakAfter - 1 {
		require.Zero(t, b.enter(now))
		require.False(t, b.failed(now, time.Time{}))
	}
	require.False(t, b.worked(), "it was not open")
	for i := range breakAfter {
		require.Zero(t, b.enter(now), "a success begins anew")
		require.Equal(t, i == breakAfter-1, b.failed(now, time.Time{}))
	}
	require.Equal(t, breakFor, b.enter(now))
	require.False(t, b.failed(now, time.Time{}), "one that was on its way")
	now = now.Add(breakFor)
	require.Zero(t, b.enter(now), "one probe")
	require.Positive(t, b.enter(now), "and no other")
	require.False(t, b.failed(now, time.Time{}))
	require.Equal(t, 2*breakFor, b.enter(now))
	now = now.Add(2 * breakFor)
	require.Zero(t, b.enter(now))
	b.leave()
	require.Zero(t, b.enter(now), "the probe said nothing")
	require.True(t, b.worked())
	require.Zero(t, b.enter(now))
	require.Zero(t, b.enter(now))

	for range breakAfter {
		b.failed(now, now.Add(30*time.Second))
	}
	require.Equal(t, 30*time.Second, b.enter(now), "it says itself when it can be asked")
	for range 20 {
		now = now.Add(time.Hour)
		require.Zero(t, b.enter(now))
		b.failed(now, now.Add(24*time.Hour))
		require.LessOrEqual(t, b.enter(now), breakForMost)
	}
}
