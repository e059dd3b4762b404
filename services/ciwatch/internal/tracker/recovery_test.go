package tracker_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/tracker"
)

// degraded is a state after three failed runs, the recovery of the last of which is planned, and its id.
func degraded(t *testing.T, action string) (tracker.State, string) {
	t.Helper()
	state, _ := observe(t, fresh(), rules(), run(1, 1, f), run(2, 1, f), run(3, 1, f))
	failing, ok := state.LastFailed()
	require.True(t, ok)
	state = state.Plan(tracker.Recovery{
		Action: action, Rule: "main", Reason: "3 failed runs in a row", RunID: failing.ID, RunAttempt: failing.Attempt, HeadSHA: failing.HeadSHA,
		At: failing.CompletedAt,
	})
	planned, ok := state.Planned()
	require.True(t, ok)
	require.NoError(t, events.CheckID("id", planned.ID))
	require.Equal(t, []any{events.CIRecoveryPlanned, 3, 1}, []any{planned.State, planned.Number, planned.Episode})
	return stored(t, state), planned.ID
}

func TestARecoveryIsPlannedOnce(t *testing.T) {
	t.Parallel()
	state, id := degraded(t, tracker.ActionRerun)
	again := state.Plan(tracker.Recovery{Action: tracker.ActionRerun, RunID: 1003, RunAttempt: 1, At: epoch().Add(99 * time.Hour)})
	require.Equal(t, encoded(t, state), encoded(t, again), "another replica, or the same after a crash, decides the same")
	asked := state.Asked(id, epoch().Add(5*time.Hour))
	_, ok := asked.Planned()
	require.False(t, ok)
	require.Equal(t, encoded(t, asked), encoded(t, asked.Asked(id, epoch().Add(6*time.Hour))), "and asks once")
	require.Equal(t, encoded(t, asked), encoded(t, asked.DryRun(id, epoch())))
	require.Equal(t, encoded(t, asked), encoded(t, asked.Asked("nobody", epoch())))
	require.Len(t, state.Plan(tracker.Recovery{Action: tracker.ActionRerun, RunID: 1003, RunAttempt: 2}).Recoveries, 2)
}

func TestRecoveryOutcomes(t *testing.T) {
	t.Parallel()
	dispatched := func(conclusion forge.Conclusion) forge.Run { return run(9, 1, conclusion) }
	inFlight := func(conclusion forge.Conclusion) forge.Run {
		r := later(run(4, 1, conclusion), 9)
		r.CreatedAt = run(3, 1, f).CreatedAt
		return r
	}
	tests := []struct {
		name   string
		action string
		runs   []forge.Run
		want   string
		state  string
		health string
	}{
		{"nothing yet", tracker.ActionRerun, nil, "[]", events.CIRecoveryAsked, events.CIRecovering},
		{"the rerun passes", tracker.ActionRerun, []forge.Run{run(3, 2, s)}, "[flaky(3.2) recovered(3.2)]", events.CIRecoveryWorked, events.CIHealthy},
		{"the rerun fails", tracker.ActionRerunFailedJobs, []forge.Run{run(3, 2, f), run(3, 3, f)}, "[recovery_failed(3.2)]", events.CIRecoveryUseless, events.CIDegradedHealth},
		{"the rerun is cancelled", tracker.ActionRerun, []forge.Run{run(3, 2, forge.Cancelled)}, "[]", events.CIRecoveryAsked, events.CIRecovering},
		{"another run fails", tracker.ActionRerun, []forge.Run{dispatched(f)}, "[]", events.CIRecoveryAsked, events.CIRecovering},
		{"another run passes", tracker.ActionRerun, []forge.Run{dispatched(s)}, "[recovered(9.1)]", events.CIRecoveryWorked, events.CIHealthy},
		{"the rerun fails and another run passes", tracker.ActionRerun, []forge.Run{run(3, 2, f), dispatched(s)}, "[recovery_failed(3.2) recovered(9.1)]", events.CIRecoveryUseless, events.CIHealthy},
		{"the rerun passes, but a newer run had failed", tracker.ActionRerun, []forge.Run{run(4, 1, f), later(run(3, 2, s), 5)}, "[flaky(3.2)]", events.CIRecoveryAsked, events.CIDegradedHealth},
		{"the new run passes", "workflow_dispatch", []forge.Run{dispatched(s)}, "[recovered(9.1)]", events.CIRecoveryWorked, events.CIHealthy},
		{"the new run fails", "workflow_dispatch", []forge.Run{dispatched(f)}, "[recovery_failed(9.1)]", events.CIRecoveryUseless, events.CIDegradedHealth},
		{"one that was under way fails", "workflow_dispatch", []forge.Run{inFlight(f)}, "[]", events.CIRecoveryAsked, events.CIRecovering},
		{"someone else acted, in vain", "publish", []forge.Run{dispatched(forge.TimedOut)}, "[recovery_failed(9.1)]", events.CIRecoveryUseless, events.CIDegradedHealth},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			state, id := degraded(t, tt.action)
			at := run(3, 1, f).CompletedAt.Add(time.Second)
			state, told := observe(t, state.Asked(id, at), rules(), tt.runs...)
			require.Equal(t, tt.want, fmt.Sprint(told))
			require.Equal(t, tt.state, state.Recoveries[0].State)
			require.Equal(t, tt.health, state.Health(rules(), at.Add(time.Hour)))
			require.NotEqual(t, events.CIRecovering, state.Health(rules(), at.Add(25*time.Hour)), "nobody waits for ever")
			require.NotEmpty(t, stored(t, state).Status(rules(), at).Recovery)
		})
	}
}

func TestRecoveredNamesItsRecovery(t *testing.T) {
	t.Parallel()
	state, id := degraded(t, tracker.ActionRerun)
	passing := run(3, 2, s)
	_, out := state.Asked(id, epoch()).Note(passing, epoch()).Advance(rules(), passing.CompletedAt, passing.CompletedAt)
	recovered, ok := out[1].Payload.(events.CIRecovered)
	require.True(t, ok)
	require.Equal(t, id, recovered.RecoveryID)

	dry, out := state.DryRun(id, epoch()).Note(passing, epoch()).Advance(rules(), passing.CompletedAt, passing.CompletedAt)
	recovered, ok = out[1].Payload.(events.CIRecovered)
	require.True(t, ok)
	require.Empty(t, recovered.RecoveryID, "a dry run recovers nothing")
	require.Equal(t, events.CIRecoveryDryRun, dry.Recoveries[0].State)
	_, ok = dry.LastRecovery()
	require.False(t, ok)
}

func TestWhatWasOnlyPlanned(t *testing.T) {
	t.Parallel()
	state, id := degraded(t, tracker.ActionRerun)
	green, told := observe(t, state, rules(), run(4, 1, s))
	require.Equal(t, []string{"recovered(4.1)"}, told)
	require.Equal(t, events.CIRecoveryRefused, green.Recoveries[0].State, "nothing is left to do")
	_, ok := green.Planned()
	require.False(t, ok)

	// The rerun was asked for, its process died before it could say so, and the rerun was quick.
	failing, told := observe(t, state, rules(), run(3, 2, f))
	require.Equal(t, []string{"system.recovery_triggered(3.2)", "recovery_failed(3.2)"}, told)
	require.Equal(t, encoded(t, failing), encoded(t, failing.Asked(id, epoch())))
	passing, told := observe(t, state, rules(), run(3, 2, s))
	require.Contains(t, told, "system.recovery_triggered(3.2)")
	require.Equal(t, events.CIRecoveryWorked, passing.Recoveries[0].State)
}

// Of what is planned and starts no run again, nobody can see in a later run whether it was done.
func TestPlannedIsNotWhatFailedLater(t *testing.T) {
	t.Parallel()
	state, id := degraded(t, "workflow_dispatch")
	failing, told := observe(t, state, rules(), run(4, 1, f))
	require.Empty(t, told)
	r, ok := failing.Planned()
	require.True(t, ok)
	require.Equal(t, id, r.ID)
	green, told := observe(t, failing, rules(), run(5, 1, s))
	require.Equal(t, []string{"recovered(5.1)"}, told)
	require.Equal(t, events.CIRecoveryRefused, green.Recoveries[0].State)

	dry, _ := degraded(t, tracker.ActionRerun)
	dry.Recoveries[0].Dry = true
	_, told = observe(t, dry, rules(), run(3, 2, f))
	require.Empty(t, told, "it was somebody else who ran it again")
}

func TestRefused(t *testing.T) {
	t.Parallel()
	state, id := degraded(t, tracker.ActionRerun)
	refused, out := state.Refused(id, "the run is \"too old\"\nto run again", epoch().Add(4*time.Hour))
	require.Equal(t, "recovery_failed", words(out))
	requireValid(t, out[0])
	payload, ok := out[0].Payload.(events.CIRecoveryFailed)
	require.True(t, ok)
	require.Equal(t, []any{id, "rerun", "main", "the run is 'too old' to run again", int64(1003)},
		[]any{payload.RecoveryID, payload.Action, payload.Rule, payload.Reason, payload.RunID})
	_, again := state.Refused(id, "another line", epoch().Add(5*time.Hour))
	require.Equal(t, out[0].ID, again[0].ID)
	_, out = refused.Refused(id, "again", epoch())
	require.Empty(t, out)
	require.Equal(t, events.CIDegradedHealth, refused.Health(rules(), epoch()))
}

func TestTriggered(t *testing.T) {
	t.Parallel()
	state, id := degraded(t, tracker.ActionRerunFailedJobs)
	ev, ok := state.Triggered(id, rules())
	require.True(t, ok)
	requireValid(t, ev)
	third := run(3, 1, f)
	require.Equal(t, events.SystemRecoveryTriggered{
		Trigger: "ci.degraded", Action: "rerun_failed_jobs", Reason: "3 failed runs in a row", Repository: repository, Workflow: "CI", Branch: "main",
		RunID: 1003, ConsecutiveFailures: 3, CooldownSeconds: 300, RecoveryID: id, Rule: "main", Forge: "github", RunAttempt: 1,
		HeadSHA: third.HeadSHA, URL: third.URL,
	}, ev.Payload)
	dry, ok := state.DryRun(id, epoch()).Triggered(id, rules())
	require.True(t, ok)
	payload, ok := dry.Payload.(events.SystemRecoveryTriggered)
	require.True(t, ok)
	require.True(t, payload.DryRun)
	_, ok = state.Triggered("nobody", rules())
	require.False(t, ok)
}

// TestCooldownIsCountedFromWhatWasDone is the cooldown fault of the first program of this kind: it was counted from the last failure, so that
// a branch that kept failing was never recovered, and it was forgotten with the process.
func TestCooldownIsCountedFromWhatWasDone(t *testing.T) {
	t.Parallel()
	state, id := degraded(t, tracker.ActionRerun)
	_, ok := state.LastRecovery()
	require.False(t, ok, "what is planned is not done")
	at := epoch().Add(4 * time.Hour)
	state, _ = observe(t, state.Asked(id, at), rules(), run(3, 2, f), run(4, 1, f), run(5, 1, f), run(6, 1, s))
	last, ok := stored(t, state).LastRecovery()
	require.True(t, ok)
	require.Equal(t, at, last.AskedAt)
	require.Equal(t, at, state.Status(rules(), at).LastRecoveryAt)
}

func TestTheLogIsBounded(t *testing.T) {
	t.Parallel()
	state, id := degraded(t, tracker.ActionRerun)
	for attempt := 2; attempt <= 60; attempt++ {
		state = state.Plan(tracker.Recovery{Action: tracker.ActionRerun, RunID: 1003, RunAttempt: attempt, At: epoch().Add(time.Duration(attempt) * time.Hour)})
		newest := state.Recoveries[len(state.Recoveries)-1]
		require.Equal(t, attempt, newest.RunAttempt)
		state, _ = state.Refused(newest.ID, "no", epoch())
	}
	require.Len(t, state.Recoveries, 20)
	planned, ok := stored(t, state).Planned()
	require.True(t, ok)
	require.Equal(t, id, planned.ID, "what is open is not forgotten")
	require.Equal(t, 60, state.History(5).Recoveries[0].RunAttempt)
}
