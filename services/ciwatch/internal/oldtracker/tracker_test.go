package tracker_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	forge "github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/oldforge"
	tracker "github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/oldtracker"
)

const repository = "neuron7x/mlsdm"

// epoch is when the tests' first run started.
func epoch() time.Time { return time.Date(2026, 5, 4, 9, 0, 0, 0, time.UTC) }

// rules are the defaults.
func rules() tracker.Rules { return tracker.Rules{Threshold: 3, Cooldown: 5 * time.Minute} }

// run makes an attempt of the run with a number; it took a minute and has a commit of its own.
func run(number, attempt int, conclusion forge.Conclusion) forge.Run {
	started := epoch().Add(time.Duration(number)*time.Hour + time.Duration(attempt)*time.Minute)
	return forge.Run{
		ID: int64(1000 + number), Attempt: attempt, Number: number, WorkflowID: 7, Workflow: "CI", Branch: "main",
		HeadSHA: fmt.Sprintf("%040x", number), Conclusion: conclusion, URL: "https://github.example/run",
		StartedAt: started, CompletedAt: started.Add(time.Minute),
	}
}

// watch observes runs one after another, each at the time of its end, from a state that knows nothing.
func watch(t *testing.T, rules tracker.Rules, runs ...forge.Run) (tracker.State, []string) {
	t.Helper()
	state, rest := tracker.Start(repository, nil, epoch())
	require.Empty(t, rest)
	return observe(t, state, rules, runs...)
}

// observe does the same from a state. What it returns tells each event as TYPE(NUMBER.ATTEMPT).
func observe(t *testing.T, state tracker.State, rules tracker.Rules, runs ...forge.Run) (tracker.State, []string) {
	t.Helper()
	var told []string
	ids := map[string]string{}
	for _, r := range runs {
		var out []tracker.Event
		state, out = state.Observe(r, rules, r.CompletedAt)
		for _, ev := range out {
			require.NoError(t, ev.Payload.Validate(), "%T", ev.Payload)
			require.NoError(t, events.CheckID("id", ev.ID))
			require.NotContains(t, ev.ID, ".")
			told = append(told, strings.TrimPrefix(ev.Payload.EventType(), "ci.")+fmt.Sprintf("(%d.%d)", r.Number, r.Attempt))
			require.Empty(t, ids[ev.ID], "%s has the id of another event", told[len(told)-1])
			ids[ev.ID] = told[len(told)-1]
		}
	}
	return state, told
}

func TestObserve(t *testing.T) {
	t.Parallel()
	const (
		f = forge.Failure
		s = forge.Success
	)
	tests := []struct {
		name   string
		runs   []forge.Run
		want   string
		streak int
	}{
		{"green", []forge.Run{run(1, 1, s)}, "run_succeeded(1.1)", 0},
		{"two failures are not three", []forge.Run{run(1, 1, f), run(2, 1, f)}, "run_failed(1.1) run_failed(2.1)", 2},
		{
			"three in a row",
			[]forge.Run{run(1, 1, f), run(2, 1, forge.TimedOut), run(3, 1, forge.StartupFailure)},
			"run_failed(1.1) run_failed(2.1) run_failed(3.1) degraded(3.1) system.recovery_triggered(3.1)", 3,
		},
		{
			"degraded is told once",
			[]forge.Run{run(1, 1, f), run(2, 1, f), run(3, 1, f), run(4, 1, f), run(5, 1, f)},
			"run_failed(1.1) run_failed(2.1) run_failed(3.1) degraded(3.1) system.recovery_triggered(3.1) run_failed(4.1) run_failed(5.1)", 5,
		},
		{
			"a success ends the streak",
			[]forge.Run{run(1, 1, f), run(2, 1, f), run(3, 1, s), run(4, 1, f)},
			"run_failed(1.1) run_failed(2.1) run_succeeded(3.1) run_failed(4.1)", 1,
		},
		{
			"green again",
			[]forge.Run{run(1, 1, f), run(2, 1, f), run(3, 1, f), run(4, 1, s), run(5, 1, s)},
			"run_failed(1.1) run_failed(2.1) run_failed(3.1) degraded(3.1) system.recovery_triggered(3.1) run_succeeded(4.1) recovered(4.1) run_succeeded(5.1)", 0,
		},
		{
			"what neither fails nor passes changes nothing",
			[]forge.Run{
				run(1, 1, f), run(2, 1, forge.Cancelled), run(3, 1, f), run(4, 1, forge.Skipped), run(5, 1, forge.Neutral),
				run(6, 1, forge.Stale), run(7, 1, forge.ActionRequired), run(8, 1, "invented_later"), run(9, 1, f), run(10, 1, forge.Skipped),
			},
			"run_failed(1.1) run_failed(3.1) run_failed(9.1) degraded(9.1) system.recovery_triggered(9.1)", 3,
		},
		{
			"the same attempt again is not counted",
			[]forge.Run{run(1, 1, f), run(1, 1, f), run(1, 1, f), run(2, 1, f), run(1, 1, f), run(2, 1, f)},
			"run_failed(1.1) run_failed(2.1)", 2,
		},
		{
			"a run that fails again is still one failed run",
			[]forge.Run{run(1, 1, f), run(1, 2, f), run(1, 3, f)},
			"run_failed(1.1) run_failed(1.2) run_failed(1.3)", 1,
		},
		{
			"a rerun that passes ends the streak and is flaky",
			[]forge.Run{run(1, 1, f), run(2, 1, f), run(2, 2, s)},
			"run_failed(1.1) run_failed(2.1) run_succeeded(2.2) flaky(2.2)", 0,
		},
		{
			"a rerun that passes is a recovery",
			[]forge.Run{run(1, 1, f), run(2, 1, f), run(3, 1, f), run(3, 2, s)},
			"run_failed(1.1) run_failed(2.1) run_failed(3.1) degraded(3.1) system.recovery_triggered(3.1) run_succeeded(3.2) flaky(3.2) recovered(3.2)", 0,
		},
		{
			"an old commit that passes is no recovery",
			[]forge.Run{run(1, 1, f), run(2, 1, f), run(3, 1, f), run(1, 2, s)},
			"run_failed(1.1) run_failed(2.1) run_failed(3.1) degraded(3.1) system.recovery_triggered(3.1) run_succeeded(1.2) flaky(1.2)", 2,
		},
		{
			"a rerun that was cancelled does not excuse the failure",
			[]forge.Run{run(1, 1, f), run(2, 1, f), run(2, 2, forge.Cancelled), run(3, 1, f)},
			"run_failed(1.1) run_failed(2.1) run_failed(3.1) degraded(3.1) system.recovery_triggered(3.1)", 3,
		},
		{
			"out of order: the success in between comes last",
			[]forge.Run{run(1, 1, f), run(3, 1, f), run(2, 1, s), run(4, 1, f)},
			"run_failed(1.1) run_failed(3.1) run_succeeded(2.1) run_failed(4.1)", 2,
		},
		{
			"out of order: a late failure completes the streak",
			[]forge.Run{run(2, 1, f), run(3, 1, f), run(1, 1, f)},
			"run_failed(2.1) run_failed(3.1) run_failed(1.1) degraded(1.1) system.recovery_triggered(1.1)", 3,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			state, told := watch(t, rules(), tt.runs...)
			require.Equal(t, tt.want, strings.Join(told, " "))
			require.Equal(t, tt.streak, state.ConsecutiveFailures())
			require.LessOrEqual(t, strings.Count(tt.want, "degraded"), 1)
			if strings.Contains(tt.want, "degraded") && !strings.Contains(tt.want, "recovered") {
				require.NotNil(t, state.Degraded)
			} else {
				require.Nil(t, state.Degraded)
			}
		})
	}
}

func TestPayloads(t *testing.T) {
	t.Parallel()
	state, _ := watch(t, rules(), run(1, 1, forge.Failure), run(2, 1, forge.Failure))
	third := run(3, 1, forge.Failure)
	now := third.CompletedAt.Add(time.Second)
	state, out := state.Observe(third, rules(), now)
	require.Len(t, out, 3)

	ran := events.CIRun{
		Repository: repository, Workflow: "CI", WorkflowID: 7, Branch: "main", RunID: 1003, RunAttempt: 1, RunNumber: 3,
		Conclusion: "failure", HeadSHA: third.HeadSHA, URL: third.URL, StartedAt: third.StartedAt, CompletedAt: third.CompletedAt,
		DurationSeconds: 60,
	}
	require.Equal(t, events.CIRunFailed{CIRun: ran, ConsecutiveFailures: 3}, out[0].Payload)
	require.Equal(t, third.CompletedAt, out[0].Time)
	require.Equal(t, events.CIDegraded{CIRun: ran, ConsecutiveFailures: 3, Threshold: 3, FirstFailedRunID: 1001}, out[1].Payload)
	require.Equal(t, events.SystemRecoveryTriggered{
		Trigger: "ci.degraded", Action: "notify", Reason: "3 failed runs of CI in a row on main", Repository: repository,
		Workflow: "CI", Branch: "main", RunID: 1003, ConsecutiveFailures: 3, CooldownSeconds: 300,
	}, out[2].Payload)
	require.Equal(t, now, out[2].Time)
	require.Equal(t, now, state.LastRecoveryAt)
	require.Equal(t, ran, *state.LastRun)

	state, _ = state.Observe(run(4, 1, forge.Failure), rules(), now)
	_, out = state.Observe(run(4, 2, forge.Success), rules(), now)
	require.Len(t, out, 3)
	flaky, ok := out[1].Payload.(events.CIFlaky)
	require.True(t, ok)
	require.Equal(t, []int64{1004, 1}, []int64{flaky.FailedRunID, int64(flaky.FailedAttempt)})
	recovered, ok := out[2].Payload.(events.CIRecovered)
	require.True(t, ok)
	require.Equal(t, 4, recovered.FailedRuns)
	require.Equal(t, third.CompletedAt, recovered.DegradedSince)
}

func TestFlakyAcrossRunsOfOneCommit(t *testing.T) {
	t.Parallel()
	nightly, again, third := run(1, 1, forge.Failure), run(2, 1, forge.Success), run(3, 1, forge.Success)
	again.HeadSHA, third.HeadSHA = nightly.HeadSHA, nightly.HeadSHA
	state, told := watch(t, rules(), nightly, again, third)
	require.Equal(t, []string{"run_failed(1.1)", "run_succeeded(2.1)", "flaky(2.1)", "run_succeeded(3.1)"}, told, "a commit is flaky once")

	unknown, unknownToo := run(4, 1, forge.Failure), run(5, 1, forge.Success)
	unknown.HeadSHA, unknownToo.HeadSHA = "", ""
	_, told = observe(t, state, rules(), unknown, unknownToo)
	require.Equal(t, []string{"run_failed(4.1)", "run_succeeded(5.1)"}, told, "no commit, no flakiness")
}

func TestCooldown(t *testing.T) {
	t.Parallel()
	slow := tracker.Rules{Threshold: 1, Cooldown: 150 * time.Minute} // runs are an hour apart
	_, told := watch(t, slow,
		run(1, 1, forge.Failure), run(2, 1, forge.Success),
		run(3, 1, forge.Failure), run(4, 1, forge.Failure), run(5, 1, forge.Failure), run(6, 1, forge.Success),
		run(7, 1, forge.Failure))
	require.Equal(t, strings.Fields(`
		run_failed(1.1) degraded(1.1) system.recovery_triggered(1.1) run_succeeded(2.1) recovered(2.1)
		run_failed(3.1) degraded(3.1) run_failed(4.1) system.recovery_triggered(4.1) run_failed(5.1) run_succeeded(6.1) recovered(6.1)
		run_failed(7.1) degraded(7.1) system.recovery_triggered(7.1)`), told, "one recovery an episode, and none within the cooldown")
}

func TestStart(t *testing.T) {
	t.Parallel()
	const (
		f = forge.Failure
		s = forge.Success
	)
	tests := []struct {
		name string
		runs []forge.Run // as a forge lists them, the newest first
		news []int
	}{
		{"nothing yet", nil, nil},
		{"green", []forge.Run{run(3, 1, s), run(2, 1, f), run(1, 1, f)}, nil},
		{"old alarms are over", []forge.Run{run(5, 1, s), run(4, 1, f), run(3, 1, f), run(2, 1, f), run(1, 1, f)}, nil},
		{"the streak that lasts", []forge.Run{run(4, 1, f), run(3, 1, f), run(2, 1, s), run(1, 1, f)}, []int{3, 4}},
		{"never green", []forge.Run{run(2, 1, f), run(1, 1, f)}, []int{1, 2}},
		{"a success during the watch is news", []forge.Run{run(30, 1, s), run(2, 1, s)}, []int{30}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			state, rest := tracker.Start(repository, tt.runs, epoch().Add(24*time.Hour))
			var news []int
			for _, r := range rest {
				news = append(news, r.Number)
			}
			require.Equal(t, tt.news, news)
			require.Nil(t, state.Degraded)
			for _, r := range tt.runs {
				require.Equal(t, !slices.Contains(tt.news, r.Number), state.Seen(r), "run %d", r.Number)
			}
		})
	}
}

func TestWhatIsOlderThanTheWatchIsNotNews(t *testing.T) {
	t.Parallel()
	state, rest := tracker.Start(repository, []forge.Run{run(12, 1, forge.Failure), run(11, 1, forge.Failure)}, epoch())
	state, _ = observe(t, state, rules(), rest...)
	_, told := observe(t, state, rules(), run(10, 1, forge.Failure), run(11, 2, forge.Failure))
	require.Equal(t, []string{"run_failed(11.2)"}, told, "run 10 was listed only after another had been deleted")
}

func TestObserveLeavesItsStateAlone(t *testing.T) {
	t.Parallel()
	before, _ := watch(t, rules(), run(1, 1, forge.Failure), run(2, 1, forge.Failure), run(3, 1, forge.Failure))
	was, err := before.Encode()
	require.NoError(t, err)
	before.Observe(run(3, 2, forge.Success), rules(), epoch())
	before.Observe(run(2, 2, forge.Failure), rules(), epoch())
	before.Observe(run(4, 1, forge.Success), rules(), epoch())
	is, err := before.Encode()
	require.NoError(t, err)
	require.JSONEq(t, string(was), string(is))
}

func TestSameRunSameIDs(t *testing.T) {
	t.Parallel()
	state, _ := watch(t, rules(), run(1, 1, forge.Failure), run(2, 1, forge.Failure))
	_, first := state.Observe(run(3, 1, forge.Failure), rules(), epoch())
	_, again := state.Observe(run(3, 1, forge.Failure), rules(), epoch().Add(time.Hour))
	require.Len(t, again, len(first))
	for i := range first {
		require.Equal(t, first[i].ID, again[i].ID)
	}

	_, other := state.Observe(run(4, 1, forge.Failure), rules(), epoch())
	require.NotEqual(t, first[0].ID, other[0].ID, "another run is another event")
	require.Equal(t, first[1].ID, other[1].ID, "the same crossing of the threshold, seen by two replicas through two runs, is one")
	require.Equal(t, first[2].ID, other[2].ID)
}
