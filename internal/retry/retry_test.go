package retry_test

import (
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/retry"
)

var errBase = errors.New("receiver said no")

func TestPermanent(t *testing.T) {
	t.Parallel()
	err := fmt.Errorf("deliver: %w", retry.Permanent(errBase))

	require.True(t, retry.IsPermanent(err))
	require.ErrorIs(t, err, errBase, "the mark must not hide the cause")
	require.EqualError(t, err, "deliver: receiver said no", "the mark must not change the text")
	require.False(t, retry.IsPermanent(errBase))
	require.False(t, retry.IsPermanent(nil))
	require.NoError(t, retry.Permanent(nil))
}

func TestAfter(t *testing.T) {
	t.Parallel()
	err := fmt.Errorf("embed: %w", retry.After(errBase, 3*time.Second))

	d, ok := retry.Delay(err)
	require.True(t, ok)
	require.Equal(t, 3*time.Second, d)
	require.ErrorIs(t, err, errBase)
	require.EqualError(t, err, "embed: receiver said no")
	require.False(t, retry.IsPermanent(err))

	_, ok = retry.Delay(errBase)
	require.False(t, ok)
	_, ok = retry.Delay(nil)
	require.False(t, ok)
	require.NoError(t, retry.After(nil, time.Second))

	d, ok = retry.Delay(retry.After(errBase, -time.Second))
	require.True(t, ok)
	require.Zero(t, d, "a negative wait is no wait")

	d, _ = retry.Delay(retry.After(retry.After(errBase, time.Hour), time.Second))
	require.Equal(t, time.Second, d, "the outermost counts")

	both := retry.Permanent(retry.After(errBase, time.Second))
	require.True(t, retry.IsPermanent(both))
	d, ok = retry.Delay(both)
	require.True(t, ok)
	require.Equal(t, time.Second, d)
}

func TestBackoffDelay(t *testing.T) {
	t.Parallel()
	python := retry.Backoff{Base: time.Second, Cap: 5 * time.Second, Jitter: 500 * time.Millisecond}
	half := func() float64 { return 0.5 }
	tests := []struct {
		name    string
		backoff retry.Backoff
		n       int
		rnd     func() float64
		want    time.Duration
	}{
		{"first", python, 0, nil, time.Second},
		{"second doubles", python, 1, nil, 2 * time.Second},
		{"third doubles", python, 2, nil, 4 * time.Second},
		{"fourth meets the cap", python, 3, nil, 5 * time.Second},
		{"far beyond the cap", python, math.MaxInt, nil, 5 * time.Second},
		{"jitter on top of the cap", python, 9, half, 5250 * time.Millisecond},
		{"negative counts as the first", python, -4, half, 1250 * time.Millisecond},
		{"base above the cap", retry.Backoff{Base: time.Minute, Cap: time.Second}, 0, half, time.Second},
		{"no cap", retry.Backoff{Base: time.Second}, 10, nil, 1024 * time.Second},
		{"no cap does not overflow", retry.Backoff{Base: time.Hour, Jitter: time.Hour}, 1000, half, math.MaxInt64},
		{"zero value", retry.Backoff{}, 5, half, 0},
		{"only jitter", retry.Backoff{Jitter: time.Second}, 5, half, 500 * time.Millisecond},
		{"negative fields", retry.Backoff{Base: -1, Cap: -1, Jitter: -1}, 5, half, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tt.want, tt.backoff.Delay(tt.n, tt.rnd))
		})
	}
}

func ExampleBackoff() {
	b := retry.Backoff{Base: time.Second, Cap: 5 * time.Second}
	for n := range 4 {
		fmt.Print(b.Delay(n, nil), " ")
	}
	// Output: 1s 2s 4s 5s
}
