package gitlab_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/fakegitlab"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge/gitlab"
)

func TestRuns(t *testing.T) {
	t.Parallel()
	fake, f := start(t)
	at := time.Date(2026, 5, 4, 10, 0, 0, 999e6, time.UTC)
	added := fake.AddPipeline("failed", func(p *fakegitlab.Pipeline) {
		p.Name, p.Author, p.SHA = "Nightly", "octocat", "bcbb5ec396a2c0f828686f14fac9b80b780504f2"
		p.CreatedAt, p.StartedAt, p.FinishedAt, p.UpdatedAt, p.Duration = at, at.Add(10*time.Second), at.Add(time.Minute), at.Add(time.Hour), 50*time.Second
	})
	page, err := list(t, f)
	require.NoError(t, err)
	require.False(t, page.More)
	require.Zero(t, page.Skipped)
	begun := at.Truncate(time.Second)
	require.Equal(t, []forge.Run{{
		Repository: repository, ID: added.ID, Attempt: int(begun.Unix()) + 60, Number: 1, WorkflowID: 4201, Workflow: "Nightly", Branch: "main",
		Event: "push", HeadSHA: added.SHA, Author: "octocat", Done: true, Conclusion: forge.Failure,
		URL:       "https://gitlab.example/" + repository + "/-/pipelines/1890000000",
		CreatedAt: begun, StartedAt: begun.Add(10 * time.Second), CompletedAt: begun.Add(time.Minute),
	}}, page.Runs)

	run, err := f.Run(t.Context(), repository, added.ID)
	require.NoError(t, err)
	require.Equal(t, page.Runs[0], run)
	_, err = f.Run(t.Context(), repository, added.ID+1)
	requireCode(t, events.CodeNotFound, err)
	_, err = f.Run(t.Context(), repository, 0)
	require.Equal(t, events.CodeInvalidArgument, events.CodeOf(err))
}

// TestPathIsOneSegment: the project's path is escaped as one, wherever the GitLab is.
func TestPathIsOneSegment(t *testing.T) {
	t.Parallel()
	for base, below := range map[string]string{"": "", "https://gitlab.example/": "", "https://x.example/gitlab/api/v4/": "/gitlab", "https://x.example/gitlab": "/gitlab"} {
		fake, f := serve(t, fakegitlab.Options{Path: below}, gitlab.Config{URL: base})
		fake.AddPipeline("success")
		page, err := list(t, f)
		require.NoError(t, err, base)
		require.Len(t, page.Runs, 1)
		require.Equal(t, below+"/api/v4/projects/neuron7x%2Fgroup%2Fmlsdm/pipelines/1890000000", fake.LastPath())
	}
}

func TestConclusions(t *testing.T) {
	t.Parallel()
	for status, want := range map[string]forge.Conclusion{
		"success": forge.Success, "failed": forge.Failure, "canceled": forge.Cancelled, "skipped": forge.Skipped, "manual": forge.ActionRequired,
		"created": "", "waiting_for_resource": "", "preparing": "", "pending": "", "running": "", "canceling": "", "scheduled": "", "": "", "new word": "",
	} {
		fake, f := start(t)
		added := fake.AddPipeline(status)
		run, err := f.Run(t.Context(), repository, added.ID)
		require.NoError(t, err, status)
		require.Equal(t, want, run.Conclusion, status)
		require.Equal(t, want != "", run.Done, status)
		page, err := list(t, f)
		require.NoError(t, err)
		require.Zero(t, page.Skipped)
		if want == forge.Success || want == forge.Failure || want == forge.Cancelled {
			require.Equal(t, []forge.Run{run}, page.Runs)
		} else {
			require.Empty(t, page.Runs, "%s: GitLab does not count it as finished", status)
		}
		require.True(t, !run.Done || run.Attempt == int(run.CompletedAt.Unix()))
	}
	fake, f := start(t)
	added := fake.AddPipeline("failed", func(p *fakegitlab.Pipeline) { p.YAMLErrors = "jobs:test config should implement a script" })
	run, err := f.Run(t.Context(), repository, added.ID)
	require.NoError(t, err)
	require.Equal(t, forge.StartupFailure, run.Conclusion)
}

// TestQuietProjectsCostOneRequest: only what is new is asked for by itself.
func TestQuietProjectsCostOneRequest(t *testing.T) {
	t.Parallel()
	fake, f := start(t)
	for range 3 {
		fake.AddPipeline("success")
	}
	page, err := list(t, f)
	require.NoError(t, err)
	require.Len(t, page.Runs, 3)
	require.False(t, page.NotModified)
	asked := requireRequests(t, fake, 0, 1+3)

	again, err := list(t, f)
	require.NoError(t, err)
	require.True(t, again.NotModified)
	require.Equal(t, page.Runs, again.Runs)
	asked = requireRequests(t, fake, asked, 1)
	_, notModified := fake.Requests()
	require.Equal(t, 1, notModified)

	added := fake.AddPipeline("failed")
	page, err = list(t, f)
	require.NoError(t, err)
	require.Len(t, page.Runs, 4)
	require.Equal(t, added.ID, page.Runs[0].ID, "the newest is the first")
	requireRequests(t, fake, asked, 1+1)
}

// TestRetriesAreAttempts: an attempt is told apart by when it ended, and while it runs there is none.
func TestRetriesAreAttempts(t *testing.T) {
	t.Parallel()
	at := time.Now()
	fake, f := serve(t, fakegitlab.Options{Now: func() time.Time { return at }}, gitlab.Config{})
	added := fake.AddPipeline("failed")
	first, err := list(t, f)
	require.NoError(t, err)
	at = at.Add(time.Hour)
	require.NoError(t, f.Rerun(t.Context(), first.Runs[0], true))
	page, err := list(t, f)
	require.NoError(t, err)
	require.Empty(t, page.Runs)
	require.Zero(t, page.Skipped)
	run, err := f.Run(t.Context(), repository, added.ID)
	require.NoError(t, err)
	require.False(t, run.Done)
	at = at.Add(time.Hour)
	fake.Finish(added.ID, "success")
	page, err = list(t, f)
	require.NoError(t, err)
	second := page.Runs[0]
	require.Equal(t, 2*3600, second.Attempt-first.Runs[0].Attempt)
	require.False(t, second.Counted)
	require.Equal(t, time.Minute, second.CompletedAt.Sub(second.StartedAt), "the hours before are not its own")
	require.Equal(t, first.Runs[0].CreatedAt, second.CreatedAt)
}

func TestMergeRequests(t *testing.T) {
	t.Parallel()
	fake, f := start(t)
	fake.AddMergeRequest(repository, fakegitlab.MergeRequest{IID: 7, SourceBranch: "feature/x"})
	fake.AddMergeRequest(repository, fakegitlab.MergeRequest{IID: 8, SourceBranch: "main", SourceProjectID: 99})
	for _, iid := range []int64{7, 7, 8, 9} {
		fake.AddPipeline("success", func(p *fakegitlab.Pipeline) { p.Source, p.MergeRequest = "merge_request_event", iid })
	}
	page, err := list(t, f)
	require.NoError(t, err)
	require.Equal(t, 1, page.Skipped, "nobody knows the branch of a merge request that is hidden")
	require.Len(t, page.Runs, 3)
	for i, want := range []forge.Run{{Branch: "main", FromFork: true}, {Branch: "feature/x"}, {Branch: "feature/x"}} {
		require.Equal(t, want.Branch, page.Runs[i].Branch)
		require.Equal(t, want.FromFork, page.Runs[i].FromFork)
		require.True(t, page.Runs[i].PullRequest)
	}
	asked := requireRequests(t, fake, 0, 1+4+3)
	page, err = list(t, f)
	require.NoError(t, err)
	require.Equal(t, 1, page.Skipped)
	requireRequests(t, fake, asked, 1)

	page, err = f.Runs(t.Context(), forge.Query{Repository: repository, Branch: "main"})
	require.NoError(t, err)
	require.Empty(t, page.Runs)
	require.Contains(t, fake.LastPath(), "ref=main")
}

// TestMergeRequestsThatAreNotTold: what passes is tried again, and not taken for an answer.
func TestMergeRequestsThatAreNotTold(t *testing.T) {
	t.Parallel()
	fake, f := start(t)
	fake.AddMergeRequest(repository, fakegitlab.MergeRequest{IID: 7, SourceBranch: "feature/x"})
	added := fake.AddPipeline("success", func(p *fakegitlab.Pipeline) { p.Source, p.MergeRequest = "merge_request_event", 7 })
	for _, failure := range []fakegitlab.Failure{{Status: http.StatusBadGateway}, {Body: `{"iid": 8, "source_branch": "other"}`}, {Body: `{"iid": 7}`}, {Body: `[]`}} {
		fake.SetFault(func(r *http.Request) (fakegitlab.Failure, bool) {
			return failure, strings.Contains(r.URL.Path, "/merge_requests/")
		})
		_, err := list(t, f)
		requireCode(t, events.CodeUnavailable, err)
		_, err = f.Run(t.Context(), repository, added.ID)
		requireCode(t, events.CodeUnavailable, err)
	}
	fake.Heal()
	page, err := list(t, f)
	require.NoError(t, err)
	require.Equal(t, "feature/x", page.Runs[0].Branch)
}

// TestTimesThatAreNotTold: a list without them is no reason to miss an attempt.
func TestTimesThatAreNotTold(t *testing.T) {
	t.Parallel()
	fake, f := start(t)
	added := fake.AddPipeline("failed", func(p *fakegitlab.Pipeline) { p.UpdatedAt = time.Time{} })
	for range 3 {
		page, err := list(t, f)
		require.NoError(t, err)
		require.Len(t, page.Runs, 1)
		require.Equal(t, added.ID, page.Runs[0].ID)
	}
	requireRequests(t, fake, 0, 3*2)
}

func TestPages(t *testing.T) {
	t.Parallel()
	fake, f := start(t)
	for range 65 {
		fake.AddPipeline("success")
	}
	fake.AddPipeline("success", func(p *fakegitlab.Pipeline) { p.Source = "parent_pipeline" })
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
	require.Equal(t, []int{65, 1}, []int{numbers[0], numbers[64]})
}

// TestWhatBreaksOffGoesOn: what was asked for before a list broke off is not asked for again.
func TestWhatBreaksOffGoesOn(t *testing.T) {
	t.Parallel()
	fake, f := start(t)
	for range 10 {
		fake.AddPipeline("success")
	}
	count := 0
	fake.SetFault(func(*http.Request) (fakegitlab.Failure, bool) {
		count++
		return fakegitlab.Failure{Status: http.StatusBadGateway}, count == 7
	})
	_, err := list(t, f)
	requireCode(t, events.CodeUnavailable, err)
	asked := requireRequests(t, fake, 0, 7)
	page, err := list(t, f)
	require.NoError(t, err)
	require.Len(t, page.Runs, 10)
	require.False(t, page.NotModified, "the list is as it was, but they were not told before")
	requireRequests(t, fake, asked, 1+5)
}

// TestDeletedMeanwhile: a pipeline that is listed and gone is none.
func TestDeletedMeanwhile(t *testing.T) {
	t.Parallel()
	fake, f := start(t)
	fake.AddPipeline("success")
	fake.SetFault(func(r *http.Request) (fakegitlab.Failure, bool) {
		return fakegitlab.Failure{Status: http.StatusNotFound}, strings.Contains(r.URL.Path, "/pipelines/")
	})
	page, err := list(t, f)
	require.NoError(t, err)
	require.Empty(t, page.Runs)
	require.Equal(t, 1, page.Skipped)
}

func TestRunsAreChecked(t *testing.T) {
	t.Parallel()
	fake, f := start(t)
	const good = `"id": 5, "iid": 1, "project_id": 3, "ref": "main", "status": "success", "finished_at": "2026-05-04T10:00:00.000Z"`
	for body, ok := range map[string]bool{
		`{` + good + `}`: true,
		`{` + good + `, "created_at": "2030-01-01T00:00:00Z", "web_url": "javascript:alert(1)", "user": null, "name": "a\u0000b\nc"}`: true,
		`{` + good + `, "created_at": "yesterday", "duration": 1e300, "queued_duration": -5}`:                                         true,
		`{` + good + `, "project_id": 0}`:                               false,
		`{` + good + `, "ref": null}`:                                   true, // null changes nothing that was there
		`{` + good + `, "ref": ""}`:                                     false,
		`{` + good + `, "ref": "a b"}`:                                  false,
		`{` + good + `, "ref": "refs/merge-requests/x/head"}`:           false,
		`{` + good + `, "finished_at": null}`:                           true,
		`{` + good + `, "finished_at": "9999999-01-01"}`:                true,
		`{"id": 5, "project_id": 3, "ref": "main", "status": "failed"}`: false,
		`{"id": 6, "project_id": 3, "ref": "main"}`:                     false,
		`{` + good + `, "iid": -1}`:                                     false,
	} {
		fake.Fail(fakegitlab.Failure{Body: body})
		run, err := f.Run(t.Context(), repository, 5)
		if !ok {
			requireCode(t, events.CodeUnavailable, err)
			continue
		}
		require.NoError(t, err, body)
		requireSane(t, run)
	}
}
