package schedule_test

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/schedule"
)

// all returns the waits of a schedule without jitter.
func all(s schedule.Schedule) (waits []time.Duration) {
	for attempt := 1; ; attempt++ {
		wait, more := s.Next(attempt, nil)
		if !more {
			return waits
		}
		waits = append(waits, wait)
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	fast := []time.Duration{time.Second, 2 * time.Second}
	standard := []time.Duration{
		5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour, 10 * time.Hour, 14 * time.Hour,
		20 * time.Hour, 24 * time.Hour,
	}
	tests := map[string]struct {
		retry   string
		waits   []time.Duration
		refusal []time.Duration
		format  string
	}{
		"none is standard":  {"", standard, standard[:2], "standard"},
		"standard":          {"standard", standard, standard[:2], "standard"},
		"fast":              {"fast", fast, fast, "fast"},
		"a list":            {"10s 1m 7m", []time.Duration{10 * time.Second, time.Minute, 7 * time.Minute}, []time.Duration{10 * time.Second, time.Minute}, "10s 1m0s 7m0s"},
		"one wait":          {"1m", []time.Duration{time.Minute}, []time.Duration{time.Minute}, "1m0s"},
		"at once":           {"0s 0", []time.Duration{0, 0}, []time.Duration{0, 0}, "0s 0s"},
		"the longest":       {"168h", []time.Duration{168 * time.Hour}, []time.Duration{168 * time.Hour}, "168h0m0s"},
		"fast, but ±20 %":   {"1s 2s", fast, fast, "1s 2s"},
		"the standard list": {"5s 5m 30m 2h 5h 10h 14h 20h 24h", standard, standard[:2], "standard"},
	}
	for name, tt := range tests {
		s, err := schedule.Parse(strings.Fields(tt.retry))
		require.NoError(t, err, name)
		require.Equal(t, tt.waits, all(s), name)
		require.Equal(t, len(tt.waits)+1, s.Attempts(), name)
		require.Equal(t, tt.refusal, all(s.Refusal()), name)
		require.Equal(t, strings.Fields(tt.format), s.Format(), name)
		again, err := schedule.Parse(s.Format())
		require.NoError(t, err, name)
		require.Equal(t, s, again, name)
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for name, retry := range map[string][]string{
		"no name":               {"slow"},
		"a name among waits":    {"5s", "fast"},
		"names":                 {"fast", "standard"},
		"negative":              {"-1s"},
		"too long":              {"168h0m1s"},
		"far too long":          {"9999999h"},
		"overflow":              {"99999999999999999999h"},
		"no unit":               {"5"},
		"empty":                 {""},
		"one of many":           {"5s", "5m", "x"},
		"too many":              strings.Fields(strings.Repeat("1s ", events.MaxEndpointRetries+1)),
		"something like a wait": {"5s5"},
	} {
		_, err := schedule.Parse(retry)
		require.Equal(t, events.CodeInvalidArgument, events.CodeOf(err), name)
		require.ErrorContains(t, err, "retry", name)
		require.Less(t, len(err.Error()), 300, name)
	}
	_, err := schedule.Parse([]string{strings.Repeat("9", 10_000)})
	require.Less(t, len(err.Error()), 300)
}

// Whatever the schedule and the attempt, a wait is within its bounds.
func TestNextIsBounded(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		retry := make([]string, r.IntN(events.MaxEndpointRetries)+1)
		for i := range retry {
			retry[i] = time.Duration(r.Int64N(int64(events.MaxEndpointWait) + 1)).String()
		}
		s, err := schedule.Parse(retry)
		require.NoError(t, err)
		attempt := r.IntN(2*events.MaxEndpointRetries) - 10
		plain, more := s.Next(attempt, nil)
		require.Equal(t, attempt < s.Attempts(), more)
		for _, rnd := range []float64{0, r.Float64(), 0.999999999999} {
			wait, again := s.Next(attempt, func() float64 { return rnd })
			require.Equal(t, more, again)
			require.InDelta(t, float64(plain), float64(wait), 0.2*float64(plain)+1)
			require.GreaterOrEqual(t, wait, time.Duration(0))
		}
		require.LessOrEqual(t, s.Refusal().Attempts(), min(3, s.Attempts()))
	}
}

func TestJitter(t *testing.T) {
	t.Parallel()
	next := func(s schedule.Schedule, attempt int, rnd float64) time.Duration {
		wait, _ := s.Next(attempt, func() float64 { return rnd })
		return wait
	}
	for attempt, least := range map[int]time.Duration{1: time.Second, 2: 2 * time.Second} {
		require.Equal(t, least, next(schedule.Fast(), attempt, 0))
		require.Equal(t, least+250*time.Millisecond, next(schedule.Fast(), attempt, 0.5))
		require.Equal(t, least+250*time.Millisecond, next(schedule.Fast().Refusal(), attempt, 0.5))
	}
	require.Equal(t, 4*time.Second, next(schedule.Standard(), 1, 0))
	require.Equal(t, 5*time.Second, next(schedule.Standard(), 1, 0.5))
	require.Equal(t, 24*time.Minute, next(schedule.Standard(), 3, 0))
	require.InDelta(t, float64(6*time.Second), float64(next(schedule.Standard(), 1, 0.999999)), float64(time.Millisecond))
}

func TestZeroScheduleTriesOnce(t *testing.T) {
	t.Parallel()
	_, more := schedule.Schedule{}.Next(1, rand.Float64)
	require.False(t, more)
	require.Equal(t, 1, schedule.Schedule{}.Attempts())
	require.Equal(t, 1, schedule.Schedule{}.Refusal().Attempts())
}
