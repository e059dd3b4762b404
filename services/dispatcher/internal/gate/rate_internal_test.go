package gate

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestSlots(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 5, 1, 10, 0, 0, 0, time.UTC)
	at := func(ms ...int) []time.Time {
		times := make([]time.Time, len(ms))
		for i, n := range ms {
			times[i] = now.Add(time.Duration(n) * time.Millisecond)
		}
		return times
	}
	tests := []struct {
		name  string
		next  time.Time
		rate  float64
		burst int
		want  []time.Time
		after time.Time
	}{
		{"the first", time.Time{}, 10, 0, at(0, 100, 200), at(300)[0]},
		{"long ago", now.Add(-time.Hour), 10, 1, at(0, 100, 200), at(300)[0]},
		{"while others wait", at(500)[0], 10, 1, at(500, 600, 700), at(800)[0]},
		{"burst", now.Add(-time.Hour), 10, 3, at(-200, -100, 0), at(300)[0]},
		{"burst that is used up", at(300)[0], 10, 3, at(100, 200, 300), at(600)[0]},
		{"slow", time.Time{}, 0.5, 1, at(0, 2000, 4000), at(6000)[0]},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, after := slots(tt.next, now, Limits{Rate: tt.rate, Burst: tt.burst}, 3)
			require.Equal(t, tt.want, got)
			require.Equal(t, tt.after, after)
		})
	}
}

func TestOpenDoubles(t *testing.T) {
	t.Parallel()
	p := DefaultPolicy()
	for n, want := range map[int]time.Duration{1: time.Second, 2: 2 * time.Second, 6: 32 * time.Second, 7: time.Minute, 1000: time.Minute} {
		require.Equal(t, want, p.open(n))
	}
}
