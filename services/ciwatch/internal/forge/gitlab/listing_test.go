package gitlab_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/fakegitlab"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge"
)

func TestJobs(t *testing.T) {
	t.Parallel()
	fake, f := start(t)
	added := fake.AddPipeline("failed")
	run, err := f.Run(t.Context(), repository, added.ID)
	require.NoError(t, err)
	fake.SetJobs(
		added.ID,
		fakegitlab.Job{Name: "build", Stage: "build", Status: "success"},
		fakegitlab.Job{Name: "test 1/2", Stage: "test", Status: "failed"},
		fakegitlab.Job{Name: "slow", Stage: "test", Status: "failed", FailureReason: "job_execution_timeout"},
		fakegitlab.Job{Name: "stuck", Stage: "test", Status: "failed", FailureReason: "stuck_or_timeout_failure"},
		fakegitlab.Job{Name: "lint", Stage: "test", Status: "failed", AllowFailure: true},
		fakegitlab.Job{Name: "stopped", Stage: "test", Status: "canceled"},
		fakegitlab.Job{Name: "left out", Stage: "deploy", Status: "skipped"},
		fakegitlab.Job{Name: "by hand", Stage: "deploy", Status: "manual"},
		fakegitlab.Job{Name: "still", Stage: "deploy", Status: "running"},
	)
	jobs, err := f.Jobs(t.Context(), run)
	require.NoError(t, err)
	var got []string
	for _, job := range jobs {
		got = append(got, fmt.Sprint(job.Name, " ", job.Conclusion, " ", job.FailedSteps))
		require.Equal(t, []int64{run.ID, int64(run.Attempt)}, []int64{job.RunID, int64(job.Attempt)})
		require.Equal(t, []string{run.Branch, run.Workflow, run.HeadSHA}, []string{job.Branch, job.Workflow, job.HeadSHA})
		require.Contains(t, job.URL, "https://gitlab.example/"+repository+"/-/jobs/")
	}
	require.Equal(t, []string{
		"build success []", "test 1/2 failure [test]", "slow timed_out [test]", "stuck timed_out [test]", "lint neutral []",
		"stopped cancelled []", "left out skipped []",
	}, got)

	run.ID = 1
	_, err = f.Jobs(t.Context(), run)
	requireCode(t, events.CodeNotFound, err)
	run.ID = 0
	_, err = f.Jobs(t.Context(), run)
	require.Equal(t, events.CodeInvalidArgument, events.CodeOf(err))
}

func TestManyJobs(t *testing.T) {
	t.Parallel()
	for _, count := range []int{0, 1, 100, 101, 1000, 1200} {
		fake, f := start(t)
		added := fake.AddPipeline("failed")
		many := make([]fakegitlab.Job, count)
		for i := range many {
			many[i] = fakegitlab.Job{Name: fmt.Sprintf("job %d", i), Stage: "test", Status: "failed"}
		}
		fake.SetJobs(added.ID, many...)
		jobs, err := f.Jobs(t.Context(), forge.Run{Repository: repository, ID: added.ID, Attempt: 1})
		require.NoError(t, err)
		require.Len(t, jobs, min(count, forge.MaxJobs))
		for i, job := range jobs {
			require.Equal(t, fmt.Sprintf("job %d", i), job.Name)
		}
		requests, _ := fake.Requests()
		require.LessOrEqual(t, requests, 10)
	}
}

func TestJobsAreChecked(t *testing.T) {
	t.Parallel()
	fake, f := start(t)
	run := forge.Run{Repository: repository, ID: 7, Attempt: 1}
	fake.Fail(fakegitlab.Failure{Body: `[null, {}, {"id": -1, "status": "failed"}, {"id": 2, "status": "failed", "name": "\n", "stage": "\u0007",
		"web_url": "ftp://x", "started_at": "2026-05-04T10:00:00.000Z", "finished_at": "2026-05-04T09:00:00.000Z"}]`})
	jobs, err := f.Jobs(t.Context(), run)
	require.NoError(t, err)
	require.Len(t, jobs, 1)
	require.Equal(t, "job 2", jobs[0].Name)
	require.Empty(t, jobs[0].URL)
	require.Empty(t, jobs[0].FailedSteps)
	require.Equal(t, jobs[0].StartedAt, jobs[0].CompletedAt)
	for _, body := range []string{`{}`, `null`, `[{"id": "x"}]`} {
		fake.Fail(fakegitlab.Failure{Body: body})
		_, err = f.Jobs(t.Context(), run)
		requireCode(t, events.CodeUnavailable, err)
	}
}

func TestRepositories(t *testing.T) {
	t.Parallel()
	fake, f := start(t)
	for i := range 250 {
		group := []string{"Octo", "Octo/sub", "Octo/sub/deep"}[i%3]
		fake.AddProject(fmt.Sprintf("%s/p%03d", group, i), func(p *fakegitlab.Project) { p.Archived = i%10 == 0 })
	}
	fake.AddProject("octopus/other")
	fake.AddProject("person/things", func(p *fakegitlab.Project) { p.OfUser = true })
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
	require.Equal(t, []string{"Octo/sub/p001", "Octo/sub/deep/p002", "Octo/p003"}, names[:3])
	names, _, err := f.Repositories(t.Context(), "octo/sub/deep", 1)
	require.NoError(t, err)
	require.Len(t, names, 75)
	require.Contains(t, fake.LastPath(), "/groups/octo%2Fsub%2Fdeep/projects?")

	asked, _ := fake.Requests()
	for range 3 {
		names, more, err := f.Repositories(t.Context(), "person", 1)
		require.NoError(t, err)
		require.False(t, more)
		require.Equal(t, []string{"person/things"}, names)
	}
	requireRequests(t, fake, asked, 2+1+1) // that it is a user is found out once
	for _, owner := range []string{"nobody", "nobody/sub"} {
		_, _, err = f.Repositories(t.Context(), owner, 1)
		requireCode(t, events.CodeNotFound, err)
	}
	fake.Fail(fakegitlab.Failure{Body: `[null, {}, {"path_with_namespace": "a/../b"}, {"path_with_namespace": "alone"}, {"path_with_namespace": "a/b"}]`})
	names, _, err = f.Repositories(t.Context(), "a", 1)
	require.NoError(t, err)
	require.Equal(t, []string{"a/b"}, names)
}
