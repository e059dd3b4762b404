package tracker_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/tracker"
)

func TestBegin(t *testing.T) {
	t.Parallel()
	since := epoch().Add(24 * time.Hour)
	tests := []struct {
		name   string
		runs   []forge.Run // as a forge lists them, the newest first
		told   string
		health string
	}{
		{"nothing yet", nil, "", events.CIUnknown},
		{"green", []forge.Run{run(3, 1, s), run(2, 1, f), run(1, 1, f)}, "", events.CIHealthy},
		{"old alarms are over", []forge.Run{run(5, 1, s), run(4, 1, f), run(3, 1, f), run(2, 1, f), run(1, 1, f)}, "", events.CIHealthy},
		{"the streak that lasts", []forge.Run{run(4, 1, f), run(3, 1, f), run(2, 1, s), run(1, 1, f)}, "run_failed run_failed", events.CIFailing},
		{"the alarm that lasts", []forge.Run{run(4, 1, f), run(3, 1, f), run(2, 1, f)}, "run_failed run_failed run_failed degraded", events.CIDegradedHealth},
		{"never green", []forge.Run{run(2, 1, f), run(1, 1, f)}, "run_failed run_failed", events.CIFailing},
		{"a failure during the watch is news", []forge.Run{run(30, 1, f), run(2, 1, s), run(1, 1, f)}, "run_failed", events.CIFailing},
		{"a slow old run passed last", []forge.Run{run(4, 1, f), later(run(3, 1, s), 6), run(2, 1, f)}, "run_failed", events.CIFailing},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			now := epoch().Add(48 * time.Hour)
			state := tracker.New(identity()).Listed(tt.runs, now)
			_, out := state.Advance(rules(), now, now)
			require.Empty(t, out, "the watch has not begun")
			require.Zero(t, state.Due(rules()))

			state, out = state.Begin(since, rules()).Advance(rules(), now, now)
			require.Equal(t, tt.told, words(out))
			require.Equal(t, tt.health, state.Health(rules(), now))
			for _, r := range tt.runs {
				require.True(t, state.Seen(r), "run %d", r.Number)
			}
			again, out := state.Listed(tt.runs, now).Begin(since, rules()).Advance(rules(), now, now)
			require.Empty(t, out)
			require.Equal(t, encoded(t, state), encoded(t, again))
			require.Equal(t, len(tt.runs) > 0, state.Stats(now).Runs > 0, "history is counted")
		})
	}
}

func TestAttemptsFromBeforeTheWatch(t *testing.T) {
	t.Parallel()
	since := epoch().Add(24 * time.Hour)
	state := tracker.New(identity()).Note(run(1, 1, s), since).Note(run(2, 1, s), since).Note(run(2, 2, f), since)
	_, out := state.Begin(since, rules()).Advance(rules(), since, since)
	require.Equal(t, "run_failed", words(out), "run 2 passed, and failed when it ran again: the streak lasts")
}

func TestWhatIsOlderThanTheWatchIsNotNews(t *testing.T) {
	t.Parallel()
	state := tracker.New(identity()).Listed([]forge.Run{run(12, 1, f), run(11, 1, f)}, epoch()).Begin(epoch(), rules())
	state, _ = observe(t, state, rules(), run(13, 1, s))
	state, told := observe(t, state, rules(), run(10, 1, f), run(14, 1, f))
	require.Equal(t, []string{"run_failed(14.1)"}, told, "run 10 was listed only after another had been deleted")
	require.Equal(t, 1, state.ConsecutiveFailures())
}

func TestCatchingUp(t *testing.T) {
	t.Parallel()
	fall := func(from int) []forge.Run { return []forge.Run{run(from, 1, f), run(from+1, 1, f), run(from+2, 1, f)} }
	join := func(parts ...[]forge.Run) []forge.Run { return slices.Concat(parts...) }
	tests := []struct {
		name           string
		before, missed []forge.Run
		rules          tracker.Rules
		want           string
		health         string
	}{
		{"an alarm that opened and closed", nil, join(fall(1), []forge.Run{run(4, 1, s)}), rules(), "", events.CIHealthy},
		{"a streak that began and ended", nil, []forge.Run{run(1, 1, f), run(2, 1, s)}, rules(), "", events.CIHealthy},
		{"an alarm that lasts", nil, fall(1), rules(), "run_failed run_failed run_failed degraded", events.CIDegradedHealth},
		{"the second of two lasts", nil, join(fall(1), []forge.Run{run(4, 1, s)}, fall(5)), rules(), "run_failed run_failed run_failed degraded", events.CIDegradedHealth},
		{"an alarm that was told ends", fall(1), []forge.Run{run(4, 1, s)}, rules(), "recovered", events.CIHealthy},
		{"and another opens and closes", fall(1), join([]forge.Run{run(4, 1, s)}, fall(5), []forge.Run{run(8, 1, s)}), rules(), "recovered", events.CIHealthy},
		{"a streak that was told ends", []forge.Run{run(1, 1, f)}, []forge.Run{run(2, 1, s), run(3, 1, f)}, rules(), "run_succeeded run_failed", events.CIFailing},
		{"a flaky commit", nil, []forge.Run{run(1, 1, f), run(1, 2, s)}, rules(), "flaky", events.CIHealthy},
		{"all runs", nil, join(fall(1), []forge.Run{run(4, 1, s)}), allRuns(), "run_failed run_failed run_failed run_succeeded", events.CIHealthy},
		{"what ended a moment ago is told", nil, join(fall(20), []forge.Run{run(23, 1, s)}), rules(), "run_failed run_failed run_failed degraded recovered", events.CIHealthy},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			state, _ := observe(t, fresh(), tt.rules, tt.before...)
			now := run(23, 1, s).CompletedAt.Add(10 * time.Minute)
			caughtUp, out := state.Listed(tt.missed, now).Resume(now).Advance(tt.rules, now, now)
			require.Equal(t, tt.want, words(out))
			require.Equal(t, tt.health, caughtUp.Health(tt.rules, now))

			watched, told := observe(t, state, tt.rules, tt.missed...)
			require.Equal(t, encoded(t, watched), encoded(t, caughtUp), "what is not told is counted")
			_, all := state.Listed(tt.missed, now).Advance(tt.rules, now, now)
			require.Len(t, all, len(told), "without a gap all is told")
		})
	}
}

func TestCatchingUpHundredsOfRuns(t *testing.T) {
	t.Parallel()
	var missed []forge.Run
	for number := 1; number <= 303; number++ {
		missed = append(missed, run(number, 1, []forge.Conclusion{f, f, f, s}[number%4]))
	}
	slices.Reverse(missed)
	now := missed[0].CompletedAt.Add(time.Hour)
	state, out := fresh().Listed(missed, now).Resume(now).Advance(rules(), now, now)
	require.Empty(t, state.Pending, "none is left out")
	require.Empty(t, words(out), "all that is over")
	require.Equal(t, events.CIHealthy, state.Health(rules(), now))
	require.Equal(t, 75, state.Episode)
	_ = stored(t, state)
}
