package github_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/fakegithub"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge/github"
)

func TestJobs(t *testing.T) {
	t.Parallel()
	fake, f, run := start(t)
	jobs, err := f.Jobs(t.Context(), run)
	require.NoError(t, err)
	require.Len(t, jobs, 2)
	require.Equal(t, []string{"build", "test"}, []string{jobs[0].Name, jobs[1].Name})
	require.Equal(t, forge.Success, jobs[0].Conclusion)
	require.Empty(t, jobs[0].FailedSteps)
	require.Equal(t, forge.Failure, jobs[1].Conclusion)
	require.Equal(t, []string{"Run tests"}, jobs[1].FailedSteps)
	require.Equal(t, run.ID, jobs[1].RunID)
	require.Equal(t, []string{"main", "CI", run.HeadSHA}, []string{jobs[1].Branch, jobs[1].Workflow, jobs[1].HeadSHA})
	require.Contains(t, jobs[1].URL, "https://github.com/neuron7x/mlsdm/actions/runs/")

	require.NoError(t, f.Rerun(t.Context(), run, true))
	fake.Finish(run.ID, "success")
	run.Attempt = 2
	jobs, err = f.Jobs(t.Context(), run)
	require.NoError(t, err)
	require.Equal(t, []int{1, 2}, []int{jobs[0].Attempt, jobs[1].Attempt}, "what passed did not run again")
	require.Equal(t, forge.Success, jobs[1].Conclusion)

	run.Attempt = 3
	_, err = f.Jobs(t.Context(), run)
	requireCode(t, events.CodeNotFound, err)
	run.Attempt = 0
	_, err = f.Jobs(t.Context(), run)
	require.Equal(t, events.CodeInvalidArgument, events.CodeOf(err))
}

func TestManyJobs(t *testing.T) {
	t.Parallel()
	for _, count := range []int{0, 1, 100, 101, 250, 1000, 1200} {
		fake, f, run := start(t)
		many := make([]fakegithub.Job, count)
		for i := range many {
			many[i] = fakegithub.Job{Name: fmt.Sprintf("job %d", i), Conclusion: "failure"}
			for step := range 30 {
				many[i].Steps = append(many[i].Steps, fakegithub.Step{Name: fmt.Sprintf("step %d", step), Conclusion: "failure"})
			}
		}
		fake.SetJobs(run.ID, 1, many...)
		jobs, err := f.Jobs(t.Context(), run)
		require.NoError(t, err)
		require.Len(t, jobs, min(count, forge.MaxJobs))
		for i, job := range jobs {
			require.Equal(t, fmt.Sprintf("job %d", i), job.Name)
			require.Len(t, job.FailedSteps, events.MaxCISteps)
		}
		requests, _ := fake.Requests()
		require.LessOrEqual(t, requests, 1+10)
	}
}

func TestJobsAreChecked(t *testing.T) {
	t.Parallel()
	fake, f, run := start(t)
	fake.Fail(fakegithub.Failure{Body: `{"jobs": [null, {}, {"id": 1}, {"id": 2, "run_id": 7, "status": "in_progress", "conclusion": null, "completed_at": null},
		{"id": 3, "run_id": 7, "status": "completed", "conclusion": "failure", "name": "\n", "html_url": "ftp://x", "head_branch": "a b",
		 "started_at": "2026-05-04T10:00:00Z", "completed_at": "2026-05-04T09:00:00Z",
		 "steps": [null, {"name": "", "conclusion": "failure"}, {"name": "` + strings.Repeat("ы", 200) + `", "conclusion": "timed_out"}, {"name": "x", "conclusion": "cancelled"}]}]}`})
	jobs, err := f.Jobs(t.Context(), run)
	require.NoError(t, err)
	require.Len(t, jobs, 1)
	require.Equal(t, "job 3", jobs[0].Name)
	require.Equal(t, []string{strings.Repeat("ы", 128)}, jobs[0].FailedSteps)
	require.Empty(t, jobs[0].URL+jobs[0].Branch)
	require.Equal(t, jobs[0].StartedAt, jobs[0].CompletedAt)
	for _, body := range []string{`{}`, `[]`, `{"jobs": [` + strings.Repeat("{},", 100) + `{}]}`} {
		fake.Fail(fakegithub.Failure{Body: body})
		_, err = f.Jobs(t.Context(), run)
		requireCode(t, events.CodeUnavailable, err)
	}
}

func TestRepositories(t *testing.T) {
	t.Parallel()
	fake, f := serve(t, fakegithub.Options{Token: canary}, github.Config{Credentials: tokens(canary)})
	for i := range 250 {
		fake.AddRepository(fmt.Sprintf("Octo/r%03d", i), func(r *fakegithub.Repository) { r.Archived = i%10 == 0 })
	}
	fake.AddRepository("person/things", func(r *fakegithub.Repository) { r.OfUser = true })
	var names []string
	for page := 1; ; page++ {
		got, more, err := f.Repositories(t.Context(), "octo", page)
		require.NoError(t, err)
		names = append(names, got...)
		if !more {
			require.Equal(t, 3, page)
			break
		}
	}
	require.Len(t, names, 225)
	require.Equal(t, "Octo/r001", names[0])

	for range 3 {
		got, more, err := f.Repositories(t.Context(), "person", 1)
		require.NoError(t, err)
		require.False(t, more)
		require.Equal(t, []string{"person/things"}, got)
	}
	all, notModified := fake.Requests()
	require.Equal(t, []int{3 + 2 + 2, 2}, []int{all, notModified}, "that it is a user is found out once, and the list costs nothing again")
	_, _, err := f.Repositories(t.Context(), "nobody", 1)
	requireCode(t, events.CodeNotFound, err)
	for _, body := range []string{`null`, `{}`, `[` + strings.Repeat("{},", 100) + `{}]`} {
		fake.Fail(fakegithub.Failure{Body: body})
		_, _, err = f.Repositories(t.Context(), "octo", 9)
		requireCode(t, events.CodeUnavailable, err)
	}
	fake.Fail(fakegithub.Failure{Body: `[null, {"full_name": "../x"}, {"full_name": "o/ok"}, {"full_name": "o/off", "disabled": true}]`})
	got, _, err := f.Repositories(t.Context(), "octo", 9)
	require.NoError(t, err)
	require.Equal(t, []string{"o/ok"}, got)
}
