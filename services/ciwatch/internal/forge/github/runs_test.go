package github_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/fakegithub"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge/github"
)

func TestRuns(t *testing.T) {
	t.Parallel()
	opts := templates(t)
	opts.Token = canary
	opts.PollInterval = 90 * time.Second
	fake, f := serve(t, opts, github.Config{Credentials: tokens(canary)})
	first := fake.AddRun("failure", func(r *fakegithub.Run) { r.Author, r.Title = "octocat", "limits: keep them\n\nlong story" })
	fake.AddRun("success", func(r *fakegithub.Run) { r.Branch, r.Event, r.FromFork = "topic", "pull_request", true })
	fake.AddRun("", func(r *fakegithub.Run) { r.Status = "in_progress" })
	fake.AddRunTo("octo/other", "success")
	fake.Rerun(first.ID, "timed_out")

	page, err := list(t, f)
	require.NoError(t, err)
	require.Contains(t, fake.LastPath(), "/repos/neuron7x/mlsdm/actions/runs?exclude_pull_requests=true&per_page=30&status=completed")
	require.False(t, page.NotModified)
	require.False(t, page.More)
	require.Zero(t, page.Skipped)
	require.Equal(t, 90*time.Second, page.Wait)
	require.Len(t, page.Runs, 2)
	require.True(t, page.Runs[0].FromFork)
	require.True(t, page.Runs[0].PullRequest)
	require.Equal(t, "topic", page.Runs[0].Branch)
	stored := fake.Runs()[0]
	require.Equal(t, forge.Run{
		Repository: repository, ID: first.ID, Attempt: 2, Counted: true, Number: 1, WorkflowID: 52104, Workflow: "CI", File: "ci.yml",
		Branch: "main", Event: "push", HeadSHA: first.HeadSHA, Title: "limits: keep them", Author: "octocat", Done: true,
		Conclusion: forge.TimedOut, URL: page.Runs[1].URL,
		CreatedAt: stored.CreatedAt, StartedAt: stored.StartedAt, CompletedAt: stored.UpdatedAt,
	}, page.Runs[1])
	require.Contains(t, page.Runs[1].URL, "https://github.com/neuron7x/mlsdm/actions/runs/")

	page, err = f.Runs(t.Context(), forge.Query{Repository: repository, Branch: "topic"})
	require.NoError(t, err)
	require.Len(t, page.Runs, 1)
}

func TestPages(t *testing.T) {
	t.Parallel()
	fake, f := serve(t, templates(t), github.Config{})
	for range 65 {
		fake.AddRun("success")
	}
	var numbers []int
	for page := 1; ; page++ {
		got, err := f.Runs(t.Context(), forge.Query{Repository: repository, Page: page})
		require.NoError(t, err)
		for _, run := range got.Runs {
			numbers = append(numbers, run.Number)
		}
		if !got.More {
			require.Equal(t, 3, page)
			break
		}
	}
	require.Len(t, numbers, 65)
	require.Equal(t, 65, numbers[0])
	require.Equal(t, 1, numbers[64])
}

func TestConditionalRequests(t *testing.T) {
	t.Parallel()
	opts := templates(t)
	opts.Token = canary
	fake, f := serve(t, opts, github.Config{Credentials: tokens(canary)})
	for range 40 {
		fake.AddRun("failure")
	}
	first, err := list(t, f)
	require.NoError(t, err)
	again, err := list(t, f)
	require.NoError(t, err)
	require.True(t, again.NotModified)
	require.Equal(t, first.Runs, again.Runs)
	require.True(t, again.More, "the links are those of the answer that is given again")
	all, notModified := fake.Requests()
	require.Equal(t, []int{2, 1}, []int{all, notModified})
	require.Equal(t, 1, f.Quotas()[0].Spent, "a 304 is free")
	require.Equal(t, 4999, f.Quotas()[0].Remaining)
	require.Equal(t, "token 1", f.Quotas()[0].Credential)
	again.Runs[0].Title = "scribbled on"
	third, err := list(t, f)
	require.NoError(t, err)
	require.Equal(t, first.Runs, third.Runs, "what is kept is nobody's to change")

	fake.AddRun("success")
	changed, err := list(t, f)
	require.NoError(t, err)
	require.False(t, changed.NotModified)
	require.Equal(t, forge.Success, changed.Runs[0].Conclusion)
}

func TestLittleMemory(t *testing.T) {
	t.Parallel()
	fake, f := serve(t, fakegithub.Options{Token: canary}, github.Config{Credentials: tokens(canary), CacheBytes: 8 << 10})
	names := []string{"o/a", "o/b", "o/c", "o/d", "o/e", "o/f", "o/g", "o/h"}
	for _, name := range names {
		fake.AddRunTo(name, "success")
	}
	for range 2 {
		for _, name := range names {
			_, err := f.Runs(t.Context(), forge.Query{Repository: name})
			require.NoError(t, err)
		}
	}
	_, notModified := fake.Requests()
	require.Zero(t, notModified, "the eight do not fit, and are asked for in turn")
	page, err := f.Runs(t.Context(), forge.Query{Repository: "o/h"})
	require.NoError(t, err)
	require.True(t, page.NotModified, "the last ones do")
}

func TestGarbageIsNotKept(t *testing.T) {
	t.Parallel()
	fake, f := serve(t, templates(t), github.Config{})
	fake.AddRun("success")
	fake.Fail(fakegithub.Failure{Body: `{"workflow_runs": "many"}`, Header: map[string][]string{"Etag": {`"x"`}}})
	_, err := list(t, f)
	require.Error(t, err)
	page, err := list(t, f)
	require.NoError(t, err)
	require.Len(t, page.Runs, 1)
	_, notModified := fake.Requests()
	require.Zero(t, notModified)
}

func TestEntriesAreChecked(t *testing.T) {
	t.Parallel()
	fake, f := serve(t, fakegithub.Options{}, github.Config{})
	fake.Fail(fakegithub.Failure{Body: `{"total_count": 9, "workflow_runs": [
		null, {}, {"id": 1}, {"id": -1, "workflow_id": 7, "head_branch": "main", "status": "completed", "conclusion": "failure"},
		{"id": 2, "workflow_id": 7, "head_branch": "main", "status": "in_progress", "conclusion": "failure"},
		{"id": 3, "workflow_id": 7, "head_branch": "main", "run_attempt": -2, "status": "completed", "conclusion": "failure"},
		{"id": 4, "workflow_id": 7, "head_branch": null, "status": "completed", "conclusion": "failure"},
		{"id": 5, "workflow_id": 7, "head_branch": "main", "status": "completed", "conclusion": null},
		{"id": 6, "workflow_id": 7, "head_branch": "ma in", "status": "completed", "conclusion": "failure"},
		{"id": 7, "workflow_id": 7, "head_branch": "main", "status": "completed", "conclusion": "failure", "name": "a\u0000b\n\u2028",
		 "html_url": "javascript:alert(1)", "path": "dynamic/pages/pages-build-deployment", "repository": {"full_name": "../../etc"},
		 "created_at": "2026-05-04T10:00:00Z", "run_started_at": "2026-05-04T09:30:00Z", "updated_at": "2026-05-04T09:00:00Z"},
		{"id": 8, "workflow_id": 7, "head_branch": "main", "status": "completed", "conclusion": "brand_new", "event": "pull_request_target",
		 "repository": {"id": 901, "full_name": "Neuron7x/MLSDM"}, "head_repository": {"id": 901}, "path": ".github/workflows/x.yml@v1",
		 "created_at": "0001-01-01T00:00:00Z", "updated_at": "2026-05-04T10:00:00Z"},
		{"id": 9, "workflow_id": 7, "head_branch": "main", "status": "completed", "conclusion": "failure", "event": "pull_request",
		 "repository": {"id": 901}, "head_repository": null}]}`})
	page, err := list(t, f)
	require.NoError(t, err)
	require.Equal(t, 9, page.Skipped)
	require.Len(t, page.Runs, 3)
	at := time.Date(2026, 5, 4, 10, 0, 0, 0, time.UTC)
	require.Equal(t, forge.Run{
		Repository: repository, ID: 7, Attempt: 1, Counted: true, WorkflowID: 7, Workflow: "ab", Branch: "main", Done: true,
		Conclusion: "failure", CreatedAt: at, StartedAt: at, CompletedAt: at,
	}, page.Runs[0])
	require.Equal(t, forge.Run{
		Repository: "Neuron7x/MLSDM", ID: 8, Attempt: 1, Counted: true, WorkflowID: 7, Workflow: "x.yml", File: "x.yml", Branch: "main",
		Event: "pull_request_target", PullRequest: true, Done: true, Conclusion: "brand_new", CreatedAt: at, StartedAt: at, CompletedAt: at,
	}, page.Runs[1])
	require.False(t, page.Runs[1].Conclusion.Known())
	require.True(t, page.Runs[2].FromFork, "the fork was deleted")
	require.Equal(t, "workflow 7", page.Runs[2].Workflow)
}

func TestRun(t *testing.T) {
	t.Parallel()
	fake, f := serve(t, templates(t), github.Config{})
	added := fake.AddRun("", func(r *fakegithub.Run) { r.Status = "in_progress" })
	run, err := f.Run(t.Context(), repository, added.ID)
	require.NoError(t, err)
	require.False(t, run.Done)
	require.Empty(t, run.Conclusion)
	require.Zero(t, run.CompletedAt)
	fake.Finish(added.ID, "failure")
	run, err = f.Run(t.Context(), repository, added.ID)
	require.NoError(t, err)
	require.True(t, run.Done)
	require.Equal(t, forge.Failure, run.Conclusion)

	_, err = f.Run(t.Context(), repository, added.ID+1)
	requireCode(t, events.CodeNotFound, err)
	_, err = f.Run(t.Context(), repository, 0)
	require.Equal(t, events.CodeInvalidArgument, events.CodeOf(err))
	fake.Fail(fakegithub.Failure{Body: `{"id": 7, "workflow_id": 7, "head_branch": "main", "status": "completed", "conclusion": "failure"}`})
	_, err = f.Run(t.Context(), repository, added.ID+2)
	requireCode(t, events.CodeUnavailable, err)
}

func TestDefaultBranch(t *testing.T) {
	t.Parallel()
	fake, f := serve(t, fakegithub.Options{Branch: "trunk"}, github.Config{})
	fake.Fail(fakegithub.Failure{Status: 404}, fakegithub.Failure{Body: `{}`}, fakegithub.Failure{Body: `{"default_branch": "a b"}`})
	_, err := f.DefaultBranch(t.Context(), repository)
	requireCode(t, events.CodeNotFound, err)
	for range 2 {
		_, err = f.DefaultBranch(t.Context(), repository)
		requireCode(t, events.CodeUnavailable, err)
	}
	for range 2 {
		branch, err := f.DefaultBranch(t.Context(), repository)
		require.NoError(t, err)
		require.Equal(t, "trunk", branch)
	}
}
