package tracker_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/tracker"
)

func TestTransitions(t *testing.T) {
	t.Parallel()
	closeAfterTwo, neutral := rules(), rules()
	closeAfterTwo.PassesToClose, neutral.NeutralPasses = 2, true
	tests := []struct {
		name   string
		rules  tracker.Rules
		runs   []forge.Run
		want   string
		streak int
		health string
	}{
		{"green is no news", rules(), []forge.Run{run(1, 1, s), run(2, 1, s)}, "", 0, events.CIHealthy},
		{"two failures are not three", rules(), []forge.Run{run(1, 1, f), run(2, 1, f)}, "run_failed(1.1) run_failed(2.1)", 2, events.CIFailing},
		{
			"three in a row", rules(),
			[]forge.Run{run(1, 1, f), run(2, 1, forge.TimedOut), run(3, 1, forge.StartupFailure)},
			"run_failed(1.1) run_failed(2.1) run_failed(3.1) degraded(3.1)", 3, events.CIDegradedHealth,
		},
		{
			"further failures are no news", rules(),
			[]forge.Run{run(1, 1, f), run(2, 1, f), run(3, 1, f), run(4, 1, f), run(5, 1, f)},
			"run_failed(1.1) run_failed(2.1) run_failed(3.1) degraded(3.1)", 5, events.CIDegradedHealth,
		},
		{
			"a success ends the streak", rules(),
			[]forge.Run{run(1, 1, f), run(2, 1, f), run(3, 1, s), run(4, 1, s), run(5, 1, f)},
			"run_failed(1.1) run_failed(2.1) run_succeeded(3.1) run_failed(5.1)", 1, events.CIFailing,
		},
		{
			"green again", rules(),
			[]forge.Run{run(1, 1, f), run(2, 1, f), run(3, 1, f), run(4, 1, s), run(5, 1, s)},
			"run_failed(1.1) run_failed(2.1) run_failed(3.1) degraded(3.1) recovered(4.1)", 0, events.CIHealthy,
		},
		{
			"one pass of two", closeAfterTwo,
			[]forge.Run{run(1, 1, f), run(2, 1, f), run(3, 1, f), run(4, 1, s)},
			"run_failed(1.1) run_failed(2.1) run_failed(3.1) degraded(3.1)", 0, events.CIRecovering,
		},
		{
			"a failure between the passes", closeAfterTwo,
			[]forge.Run{run(1, 1, f), run(2, 1, f), run(3, 1, f), run(4, 1, s), run(5, 1, f), run(6, 1, s), run(7, 1, s)},
			"run_failed(1.1) run_failed(2.1) run_failed(3.1) degraded(3.1) recovered(7.1)", 0, events.CIHealthy,
		},
		{
			"passes from before the alarm do not close it", closeAfterTwo,
			[]forge.Run{run(1, 1, s), run(2, 1, s), run(3, 1, f), run(4, 1, f), run(5, 1, f), run(5, 2, s)},
			"run_failed(3.1) run_failed(4.1) run_failed(5.1) degraded(5.1) flaky(5.2)", 0, events.CIRecovering,
		},
		{
			"what neither fails nor passes changes nothing", rules(),
			[]forge.Run{
				run(1, 1, f), run(2, 1, forge.Cancelled), run(3, 1, f), run(4, 1, forge.Skipped), run(5, 1, forge.Neutral),
				run(6, 1, forge.Stale), run(7, 1, forge.ActionRequired), run(8, 1, "invented_later"), run(9, 1, f), run(10, 1, forge.Skipped),
			},
			"run_failed(1.1) run_failed(3.1) run_failed(9.1) degraded(9.1)", 3, events.CIDegradedHealth,
		},
		{"nothing but that is unknown", rules(), []forge.Run{run(1, 1, forge.Cancelled), run(2, 1, forge.Neutral)}, "", 0, events.CIUnknown},
		{"neutral passes where a rule says so", neutral, []forge.Run{run(1, 1, f), run(2, 1, forge.Neutral)}, "run_failed(1.1) run_succeeded(2.1)", 0, events.CIHealthy},
		{
			"a run that fails again is still one failed run", rules(),
			[]forge.Run{run(1, 1, f), run(1, 2, f), run(1, 3, f), run(1, 4, f)},
			"run_failed(1.1)", 1, events.CIFailing,
		},
		{
			"a rerun that passes ends the streak and is flaky", rules(),
			[]forge.Run{run(1, 1, f), run(2, 1, f), run(2, 2, s)},
			"run_failed(1.1) run_failed(2.1) run_succeeded(2.2) flaky(2.2)", 0, events.CIHealthy,
		},
		{
			"a rerun that passes is a recovery", rules(),
			[]forge.Run{run(1, 1, f), run(2, 1, f), run(3, 1, f), run(3, 2, s)},
			"run_failed(1.1) run_failed(2.1) run_failed(3.1) degraded(3.1) flaky(3.2) recovered(3.2)", 0, events.CIHealthy,
		},
		{
			"an old commit that passes is no recovery", rules(),
			[]forge.Run{run(1, 1, f), run(2, 1, f), run(3, 1, f), later(run(1, 2, s), 4)},
			"run_failed(1.1) run_failed(2.1) run_failed(3.1) degraded(3.1) flaky(1.2)", 2, events.CIDegradedHealth,
		},
		{
			"a rerun that was cancelled does not excuse the failure", rules(),
			[]forge.Run{run(1, 1, f), run(2, 1, f), run(2, 2, forge.Cancelled), run(3, 1, f)},
			"run_failed(1.1) run_failed(2.1) run_failed(3.1) degraded(3.1)", 3, events.CIDegradedHealth,
		},
		{
			"a passed run that fails when it runs again", rules(),
			[]forge.Run{run(1, 1, s), run(1, 2, f)},
			"run_failed(1.2)", 1, events.CIFailing,
		},
		{
			"a slow run in between fails last", rules(),
			[]forge.Run{run(1, 1, f), run(3, 1, f), later(run(2, 1, f), 4)},
			"run_failed(1.1) run_failed(3.1) run_failed(2.1) degraded(2.1)", 3, events.CIDegradedHealth,
		},
		{
			"a slow run in between passes last", rules(),
			[]forge.Run{run(1, 1, f), run(3, 1, f), later(run(2, 1, s), 3), run(4, 1, f)},
			"run_failed(1.1) run_failed(3.1) run_failed(4.1)", 2, events.CIFailing,
		},
		{
			"a failure that is told too late is counted", rules(),
			[]forge.Run{run(1, 1, f), run(3, 1, f), run(2, 1, f)},
			"run_failed(1.1) run_failed(3.1) run_failed(2.1) degraded(2.1)", 3, events.CIDegradedHealth,
		},
		{
			"and opens no alarm that is over", rules(),
			[]forge.Run{run(1, 1, f), run(3, 1, f), run(4, 1, s), run(2, 1, f)},
			"run_failed(1.1) run_failed(3.1) run_succeeded(4.1)", 0, events.CIHealthy,
		},
		{
			"a failed attempt that is told after its rerun", rules(),
			[]forge.Run{run(1, 2, s), run(1, 1, f)},
			"", 0, events.CIHealthy,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			state, told := observe(t, fresh(), tt.rules, tt.runs...)
			require.Equal(t, tt.want, strings.Join(told, " "))
			require.Equal(t, tt.streak, state.ConsecutiveFailures())
			require.Equal(t, tt.health, state.Health(tt.rules, epoch()))
			require.Equal(t, encoded(t, state), encoded(t, stored(t, state)))
			require.Empty(t, state.Pending)
		})
	}
}

// later is a run that ended, and started, hours after the first.
func later(r forge.Run, hours int) forge.Run {
	r.StartedAt = epoch().Add(time.Duration(hours)*time.Hour + 10*time.Minute)
	r.CompletedAt = r.StartedAt.Add(time.Minute)
	return r
}

func TestAllRuns(t *testing.T) {
	t.Parallel()
	_, told := observe(t, fresh(), allRuns(), run(1, 1, s), run(2, 1, f), run(2, 2, f), run(3, 1, f), run(4, 1, f), run(5, 1, f),
		run(6, 1, forge.Cancelled), run(7, 1, s), run(8, 1, s))
	require.Equal(t, `run_succeeded(1.1) run_failed(2.1) run_failed(2.2) run_failed(3.1) run_failed(4.1) degraded(4.1) run_failed(5.1)`+
		` run_succeeded(7.1) recovered(7.1) run_succeeded(8.1)`, strings.Join(told, " "))
}

// TestSameRunIsCountedOnceHoweverOftenItIsPolled is the counting fault of the first program of this kind: each poll counted the latest
// run again, so that one failed run and three polls were an alarm.
func TestSameRunIsCountedOnceHoweverOftenItIsPolled(t *testing.T) {
	t.Parallel()
	state := fresh()
	failing := run(1, 1, f)
	var told []tracker.Event
	for poll := range 10 {
		now := failing.CompletedAt.Add(time.Duration(poll) * time.Minute)
		var out []tracker.Event
		state, out = state.Listed([]forge.Run{failing}, now).Note(failing, now).Advance(rules(), now, now)
		told = append(told, out...)
		state = stored(t, state)
	}
	require.Equal(t, "run_failed", words(told))
	require.Equal(t, 1, state.ConsecutiveFailures())
	require.Equal(t, 1, state.Stats(failing.CompletedAt).Failed)
}

// TestThresholdCountsRunsNotResults is its threshold fault: it opened at the count that it had reached, whatever lay between, and again with
// each failure after that.
func TestThresholdCountsRunsNotResults(t *testing.T) {
	t.Parallel()
	state, told := observe(t, fresh(), rules(), run(1, 1, f), run(1, 2, f), run(2, 1, s), run(3, 1, f), run(3, 2, f), run(4, 1, f))
	require.NotContains(t, strings.Join(told, " "), "degraded", "five failed attempts are three failed runs, and not in a row")
	state, told = observe(t, state, rules(), run(5, 1, f), run(6, 1, f), run(6, 2, f), run(7, 1, f))
	require.Equal(t, "run_failed(5.1) degraded(5.1)", strings.Join(told, " "))
	require.Equal(t, 5, state.ConsecutiveFailures())
	for _, threshold := range []int{-1, 0, 1} {
		_, told = observe(t, fresh(), tracker.Rules{FailuresToAlert: threshold, PassesToClose: threshold}, run(1, 1, f), run(2, 1, s))
		require.Equal(t, "run_failed(1.1) degraded(1.1) recovered(2.1)", strings.Join(told, " "))
	}
}

func TestPayloads(t *testing.T) {
	t.Parallel()
	state, _ := observe(t, fresh(), rules(), run(1, 1, f), run(2, 1, f))
	third := run(3, 1, f)
	state = state.Note(third, third.CompletedAt)
	state = state.NoteJobs(third, []forge.Job{job(third, "lint", f, "vet", "fmt"), job(third, "test", s)})
	state, out := state.Advance(rules(), third.CompletedAt, third.CompletedAt.Add(time.Second))
	require.Equal(t, "run_failed degraded", words(out))

	ran := events.CIRun{
		Forge: "github", Repository: repository, Workflow: "CI", WorkflowID: 7, Branch: "main", RunID: 1003, RunAttempt: 1, RunNumber: 3,
		Conclusion: "failure", Event: "push", HeadSHA: third.HeadSHA, Title: "a change", Author: "someone", URL: third.URL,
		StartedAt: third.StartedAt, CompletedAt: third.CompletedAt, DurationSeconds: 60,
		FailedJobs: []events.CIJob{{Name: "lint", Conclusion: "failure", FailedSteps: []string{"vet", "fmt"}}},
	}
	require.Equal(t, events.CIRunFailed{CIRun: ran, ConsecutiveFailures: 3}, out[0].Payload)
	require.Equal(t, third.CompletedAt, out[0].Time)
	require.Equal(t, events.CIDegraded{CIRun: ran, ConsecutiveFailures: 3, Threshold: 3, FirstFailedRunID: 1001}, out[1].Payload)
	require.Equal(t, ran, *state.Status(rules(), third.CompletedAt).LastRun)

	failing, ok := state.LastFailed()
	require.True(t, ok)
	require.Equal(t, []string{repository, "main"}, []string{failing.Repository, failing.Branch})
	require.Equal(t, []string{"vet", "fmt"}, failing.Failed[0].FailedSteps)

	state, _ = observe(t, state, rules(), run(4, 1, f))
	passing := run(4, 2, s)
	state, out = state.Note(passing, passing.CompletedAt).Advance(rules(), passing.CompletedAt, passing.CompletedAt)
	require.Equal(t, "flaky recovered", words(out))
	flaky, ok := out[0].Payload.(events.CIFlaky)
	require.True(t, ok)
	require.Equal(t, []int64{1004, 1}, []int64{flaky.FailedRunID, int64(flaky.FailedAttempt)})
	recovered, ok := out[1].Payload.(events.CIRecovered)
	require.True(t, ok)
	require.Equal(t, 4, recovered.FailedRuns)
	require.Equal(t, third.CompletedAt, recovered.DegradedSince)
	_, ok = state.LastFailed()
	require.False(t, ok)
	require.Equal(t, int64(1004), state.LastGood.RunID)
}

func TestStale(t *testing.T) {
	t.Parallel()
	daily := rules()
	daily.StaleAfter = 24 * time.Hour
	require.Zero(t, fresh().Due(daily))
	last := run(1, 1, s)
	state, _ := observe(t, fresh(), daily, last)
	over := last.CompletedAt.Add(daily.StaleAfter)
	require.Equal(t, over, state.Due(daily))
	require.Zero(t, state.Due(rules()))

	_, out := state.Advance(daily, time.Time{}, over.Add(-time.Second))
	require.Empty(t, out)
	require.Equal(t, events.CIHealthy, state.Health(daily, over.Add(-time.Second)))
	require.Equal(t, events.CIStaleHealth, state.Health(daily, over))
	state, out = state.Advance(daily, time.Time{}, over.Add(time.Hour))
	require.Equal(t, "stale", words(out))
	requireValid(t, out[0])
	require.Equal(t, over, out[0].Time)
	stale, ok := out[0].Payload.(events.CIStale)
	require.True(t, ok)
	require.Equal(t, []any{int64(1001), 86400.0}, []any{stale.RunID, stale.AfterSeconds})
	require.Equal(t, over, state.Status(daily, over.Add(time.Hour)).Since)

	require.Zero(t, state.Due(daily))
	state, out = stored(t, state).Advance(daily, time.Time{}, over.Add(48*time.Hour))
	require.Empty(t, out, "it is told once")
	state, told := observe(t, state, daily, run(100, 1, forge.Cancelled))
	require.Empty(t, told)
	require.Equal(t, events.CIHealthy, state.Health(daily, run(100, 1, s).CompletedAt))
	_, out = state.Advance(daily, time.Time{}, epoch().Add(300*time.Hour))
	require.Equal(t, "stale", words(out), "and again after a run")
}

func TestSameHistorySameIDs(t *testing.T) {
	t.Parallel()
	state, _ := observe(t, fresh(), rules(), run(1, 1, f), run(2, 1, f))
	third := run(3, 1, f)
	tell := func(state tracker.State, r forge.Run, now time.Time) []tracker.Event {
		_, out := state.Note(r, now).Advance(rules(), now, now)
		return out
	}
	first, again := tell(state, third, third.CompletedAt), tell(state, third, third.CompletedAt.Add(time.Hour))
	require.Equal(t, first, again)
	other := tell(state, run(4, 1, f), epoch().Add(9*time.Hour))
	require.NotEqual(t, first[0].ID, other[0].ID, "another run is another event")
	require.Equal(t, first[1].ID, other[1].ID, "the same crossing of the threshold, seen through two runs, is one")
	id := identity()
	id.Branch = "release"
	elsewhere, _ := observe(t, tracker.New(id).Begin(epoch(), rules()), rules(), run(1, 1, f), run(2, 1, f))
	require.NotEqual(t, first[1].ID, tell(elsewhere, third, third.CompletedAt)[1].ID)
}
