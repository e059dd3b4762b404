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

// consume notes an attempt with its jobs and has it consumed.
func consume(t *testing.T, state tracker.State, r forge.Run, jobs ...forge.Job) (tracker.State, []tracker.Event) {
	t.Helper()
	state = state.Note(r, r.CompletedAt)
	if len(jobs) > 0 {
		state = state.NoteJobs(r, jobs)
	}
	state, out := state.Advance(rules(), r.CompletedAt, r.CompletedAt)
	for _, ev := range out {
		requireValid(t, ev)
	}
	return stored(t, state), out
}

// flakyOf returns the ci.flaky among events.
func flakyOf(t *testing.T, out []tracker.Event) events.CIFlaky {
	t.Helper()
	for _, ev := range out {
		if flaky, ok := ev.Payload.(events.CIFlaky); ok {
			return flaky
		}
	}
	require.Fail(t, "nothing is flaky")
	return events.CIFlaky{}
}

func TestWantsJobs(t *testing.T) {
	t.Parallel()
	failing := run(1, 1, f)
	known := failing
	known.JobsKnown = true
	require.True(t, fresh().WantsJobs(failing))
	require.False(t, fresh().WantsJobs(known))
	require.False(t, fresh().WantsJobs(run(1, 1, s)))
	require.False(t, fresh().WantsJobs(run(1, 1, forge.Cancelled)))
	require.False(t, fresh().WantsJobs(run(1, 1, forge.StartupFailure)), "it has no jobs")

	state := fresh().Note(failing, epoch())
	require.Len(t, state.Wanting(), 1)
	require.Equal(t, repository, state.Wanting()[0].Repository)
	require.False(t, state.NoteJobs(failing, nil).WantsJobs(failing), "it was asked")
	require.False(t, state.Note(known, epoch()).WantsJobs(failing))
	require.Empty(t, state.NoteJobs(failing, nil).Wanting())
	state, _ = state.Advance(rules(), failing.CompletedAt, failing.CompletedAt)
	require.False(t, state.WantsJobs(failing), "it is too late")
}

func TestJobsOfWebhooks(t *testing.T) {
	t.Parallel()
	failing := run(1, 1, f)
	lint, test := job(failing, "lint", f, "vet"), job(failing, "tests", f, "go test")
	want := []string{"lint", "tests"}
	names := func(out []tracker.Event) (names []string) {
		payload, ok := out[0].Payload.(events.CIRunFailed)
		require.True(t, ok)
		for _, j := range payload.FailedJobs {
			names = append(names, j.Name)
		}
		return names
	}
	before := stored(t, fresh().NoteJob(test).NoteJob(lint).NoteJob(test).NoteJob(job(failing, "docs", s)))
	state, out := consume(t, before, failing)
	require.Equal(t, want, names(out), "jobs that came before their run")
	require.Empty(t, state.Early)

	_, out = fresh().Note(failing, epoch()).NoteJob(test).NoteJob(lint).Advance(rules(), failing.CompletedAt, failing.CompletedAt)
	require.Equal(t, want, names(out), "jobs that came after it")

	_, out = consume(t, fresh().NoteJob(lint), failing, test)
	require.Equal(t, []string{"tests"}, names(out), "the list is the truth")
	_, out = fresh().Note(failing, epoch()).NoteJobs(failing, nil).NoteJob(lint).Advance(rules(), failing.CompletedAt, failing.CompletedAt)
	require.Empty(t, names(out))

	state, _ = consume(t, fresh(), failing)
	late, ok := state.NoteJob(lint).LastFailed()
	require.True(t, ok)
	require.Len(t, late.Failed, 1, "jobs that came after their attempt was consumed")
	require.Equal(t, []string{"lint"}, state.NoteJob(lint).History(0).Runs[0].FailedJobs)

	for _, bad := range []forge.Job{{}, {RunID: 1, Attempt: 1, Conclusion: f}, {RunID: 1, Name: "x", Conclusion: f}, job(failing, "x", forge.Cancelled)} {
		require.Equal(t, encoded(t, fresh()), encoded(t, fresh().NoteJob(bad)))
	}
}

func TestEarlyJobsAreBounded(t *testing.T) {
	t.Parallel()
	state := fresh()
	for number := 1; number <= 500; number++ {
		state = state.NoteJob(job(run(number, 1, f), "lint", f))
	}
	require.Len(t, state.Early, 32)
	require.Equal(t, int64(1500), state.Early[31].RunID)
	_ = stored(t, state)
	state, _ = observe(t, state, rules(), run(600, 1, s))
	require.Empty(t, state.Early, "nobody waits for a run for days")
}

func TestFlakyJobs(t *testing.T) {
	t.Parallel()
	first, second, third := run(1, 1, f), run(1, 2, f), run(1, 3, s)
	state, _ := consume(t, fresh(), run(0, 1, s))
	state, _ = consume(t, state, first, job(first, "lint", s), job(first, "tests", f), job(first, "e2e", f), job(first, "docs", f))

	kept := job(first, "docs", s) // in the list of the second attempt, but it ran in the first
	state, out := consume(t, state, second, job(second, "tests", s), job(second, "e2e", f), kept)
	flaky := flakyOf(t, out)
	require.Equal(t, []events.CIFlakyJob{{Name: "tests", Rate: 0.5, Flakes: 1, Commits: 2}}, flaky.Jobs)
	require.Equal(t, []any{int64(1001), 1, 2}, []any{flaky.FailedRunID, flaky.FailedAttempt, flaky.RunAttempt})

	state, out = consume(t, state, third)
	require.Equal(t, "run_succeeded", words(out), "a commit is told once")
	require.Equal(t, []events.CIFlakyJob{
		{Name: "docs", Rate: 0.5, Flakes: 1, Commits: 2}, {Name: "e2e", Rate: 0.5, Flakes: 1, Commits: 2}, {Name: "tests", Rate: 0.5, Flakes: 1, Commits: 2},
	}, state.Status(rules(), third.CompletedAt).Flaky)

	// Another commit, 20 days later; and what was is forgotten after 30.
	fourth, fifth := run(20*24, 1, f), run(20*24, 2, s)
	state, _ = consume(t, state, fourth, job(fourth, "tests", f))
	state, out = consume(t, state, fifth)
	require.Equal(t, []events.CIFlakyJob{{Name: "tests", Rate: 2.0 / 3, Flakes: 2, Commits: 3}}, flakyOf(t, out).Jobs)
	state, _ = consume(t, state, run(35*24, 1, s))
	require.Equal(t, []events.CIFlakyJob{{Name: "tests", Rate: 0.5, Flakes: 1, Commits: 2}}, state.Status(rules(), epoch().Add(35*24*time.Hour)).Flaky)
}

func TestFlakyAcrossRunsOfOneCommit(t *testing.T) {
	t.Parallel()
	nightly, again, third := run(1, 1, f), run(2, 1, s), run(3, 1, s)
	again.HeadSHA, third.HeadSHA = nightly.HeadSHA, nightly.HeadSHA
	state, _ := consume(t, fresh(), nightly, job(nightly, "tests", f))
	state, out := consume(t, state, again)
	flaky := flakyOf(t, out)
	require.Equal(t, []any{int64(1001), 0, "tests"}, []any{flaky.FailedRunID, flaky.FailedAttempt, flaky.Jobs[0].Name})
	state, out = consume(t, state, third)
	require.Empty(t, out, "a commit is flaky once")

	unknown, unknownToo := run(4, 1, f), run(5, 1, s)
	unknown.HeadSHA, unknownToo.HeadSHA = "", ""
	_, told := observe(t, state, rules(), unknown, unknownToo)
	require.Equal(t, []string{"run_failed(4.1)", "run_succeeded(5.1)"}, told, "no commit, no flakiness")
}

func TestFlakyJobsAreBounded(t *testing.T) {
	t.Parallel()
	state := fresh()
	for number := 1; number <= 60; number++ {
		failing, passing := run(number, 1, f), run(number, 2, s)
		var jobs []forge.Job
		for i := range 20 {
			jobs = append(jobs, job(failing, fmt.Sprintf("%d: a job of run %d", i, number), f))
		}
		state, _ = consume(t, state, failing, jobs...)
		state, _ = consume(t, state, passing)
	}
	require.LessOrEqual(t, len(state.Flaky), 200)
	require.Greater(t, len(state.Flaky), 60)
	require.Len(t, state.Status(rules(), run(60, 2, s).CompletedAt).Flaky, events.MaxCIJobs)
}
