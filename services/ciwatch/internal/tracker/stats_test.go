package tracker_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge"
)

func TestStats(t *testing.T) {
	t.Parallel()
	require.Equal(t, events.CIStats{}, fresh().Stats(epoch()))
	// Each took a minute; the first attempt of each had waited two. Three failures in a row; degraded for two hours; another failure.
	state, _ := observe(t, fresh(), rules(),
		run(1, 1, f), run(2, 1, f), run(3, 1, f), run(4, 1, f), run(5, 1, s), run(6, 1, forge.Cancelled), run(7, 1, f), run(7, 2, f), run(9, 1, s), run(10, 1, s))
	now := run(10, 1, s).CompletedAt
	got := state.Stats(now)
	require.Equal(t, events.CIStats{
		Runs: 8, Failed: 5, FailureRate: 5.0 / 8, MeanTimeToRecovery: (2 * time.Hour).Seconds(), Recoveries: 1,
		TimeToGreen: (3 * time.Hour).Seconds(), QueueP50: 120, QueueP95: 120, RunP50: 60, RunP95: 60,
	}, got)

	// A rerun changes what a run is counted as.
	state, _ = observe(t, state, rules(), later(run(7, 3, s), 11))
	require.Equal(t, 4, state.Stats(now).Failed)
	state, _ = observe(t, state, rules(), later(run(10, 2, f), 12))
	require.Equal(t, []int{8, 5}, []int{state.Stats(now).Runs, state.Stats(now).Failed})

	require.Zero(t, state.Stats(now.Add(31*24*time.Hour)).Runs, "what is older than 30 days is not counted")
	for day := 1; day <= 100; day++ {
		state, _ = observe(t, state, rules(), run(24*day, 1, s))
		require.LessOrEqual(t, len(state.Days), 30)
	}
	require.Equal(t, 30, state.Stats(run(2400, 1, s).CompletedAt).Runs)
}

func TestPercentiles(t *testing.T) {
	t.Parallel()
	state := fresh()
	for number := 1; number <= 100; number++ {
		r := run(number, 1, s)
		r.CompletedAt = r.StartedAt.Add(time.Duration(number) * time.Second)
		r.StartedAt = r.CreatedAt.Add(2 * time.Minute)
		r.CreatedAt = r.StartedAt.Add(-time.Duration(number) * time.Millisecond)
		state, _ = observe(t, state, rules(), r)
	}
	got := state.Stats(run(100, 1, s).CompletedAt)
	require.InDelta(t, 68, got.RunP50, 1e-9, "the last 64 runs took from 37 to 100 seconds")
	require.InDelta(t, 97, got.RunP95, 1e-9)
	require.InDelta(t, 0.068, got.QueueP50, 1e-9)
	require.InDelta(t, 0.097, got.QueueP95, 1e-9)
}

func TestHistory(t *testing.T) {
	t.Parallel()
	failing := run(1, 1, f)
	state := fresh().Note(failing, failing.CompletedAt).NoteJobs(failing, []forge.Job{job(failing, "lint", f)})
	state, _ = state.Advance(rules(), failing.CompletedAt, failing.CompletedAt)
	state, _ = observe(t, state, rules(), run(1, 2, s), run(2, 1, forge.Cancelled), run(24, 1, f))
	got := stored(t, state).History(0)
	require.Len(t, got.Runs, 3)
	require.Equal(t, []string{"failed", "neither", "passed"}, []string{got.Runs[0].Result, got.Runs[1].Result, got.Runs[2].Result})
	first := run(1, 2, s)
	require.Equal(t, events.CIPastRun{
		Workflow: "CI", Branch: "main", RunID: 1001, RunNumber: 1, Attempts: 2, Result: "passed", HeadSHA: first.HeadSHA, URL: first.URL,
		Flaky: true, FailedJobs: []string{"lint"}, StartedAt: first.StartedAt, QueueSeconds: 120, RunSeconds: 60,
	}, got.Runs[2])
	require.Equal(t, []events.CIDay{
		{Day: "2026-05-05", Workflow: "CI", Branch: "main", Runs: 1, Failed: 1}, {Day: "2026-05-04", Workflow: "CI", Branch: "main", Runs: 1},
	}, got.Days)
	require.Len(t, state.History(2).Runs, 2)
}

func TestStatus(t *testing.T) {
	t.Parallel()
	got := fresh().Status(rules(), epoch())
	require.Equal(t, []any{events.CIUnknown, "CI", "main", int64(7), "github"}, []any{got.Health, got.Workflow, got.Branch, got.WorkflowID, got.Forge})
	state, _ := observe(t, fresh(), rules(), run(1, 1, s), run(2, 1, f), run(3, 1, f), run(4, 1, f))
	got = stored(t, state).Status(rules(), epoch().Add(9*time.Hour))
	require.Equal(t, events.CIDegradedHealth, got.Health)
	require.Equal(t, 3, got.ConsecutiveFailures)
	require.Equal(t, []time.Time{run(4, 1, f).CompletedAt, run(4, 1, f).CompletedAt}, []time.Time{got.Since, got.DegradedSince})
	require.Equal(t, []int64{1004, 1001}, []int64{got.LastRun.RunID, got.LastGood.RunID})
	require.Equal(t, repository, got.LastGood.Repository)
	require.Equal(t, 3, got.Stats.Failed)
	state, _ = observe(t, state, rules(), run(5, 1, f))
	require.Equal(t, got.Since, state.Status(rules(), epoch()).Since, "it did not change")
}
