package github_test

import (
	"errors"
	"io/fs"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/fakegithub"
	forge "github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/oldforge"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/oldforge/github"
)

const canary = "ghp_canary31337"

// templates returns real workflow runs where they are, and says which were used.
func templates(t *testing.T) fakegithub.Options {
	t.Helper()
	recorded, err := fakegithub.LoadTemplates("../../../../../../shared/data/github-webhooks")
	if errors.Is(err, fs.ErrNotExist) {
		t.Log("runs look like our own: there are no recorded ones here")
		return fakegithub.Options{}
	}
	require.NoError(t, err)
	t.Logf("runs look like %d recorded ones", len(recorded))
	return fakegithub.Options{Templates: recorded}
}

// serve starts a fake GitHub and a source that watches it.
func serve(t *testing.T, opts fakegithub.Options, cfg github.Config) (*fakegithub.Server, *github.Source) {
	t.Helper()
	fake, err := fakegithub.New(opts)
	require.NoError(t, err)
	server := httptest.NewServer(fake)
	t.Cleanup(server.Close)
	if cfg.APIURL == "" {
		cfg.APIURL = server.URL
	} else {
		cfg.APIURL = server.URL + cfg.APIURL
	}
	if cfg.Repository == "" {
		cfg.Repository = "neuron7x/mlsdm"
	}
	source, err := github.New(cfg)
	require.NoError(t, err)
	return fake, source
}

func TestCompletedRuns(t *testing.T) {
	t.Parallel()
	opts := templates(t)
	opts.Token = canary
	fake, source := serve(t, opts, github.Config{Workflow: "ci.yml", Branch: "main", Token: secret.NewValue(canary)})
	first := fake.AddRun("failure")
	fake.AddRun("success", func(r *fakegithub.Run) { r.Branch = "topic" })
	fake.AddRun("", func(r *fakegithub.Run) { r.Status = "in_progress" })
	second := fake.AddRun("timed_out")
	second, ok := fake.Rerun(second.ID, "startup_failure")
	require.True(t, ok)

	page, err := source.CompletedRuns(t.Context(), 1)
	require.NoError(t, err)
	require.False(t, page.More)
	require.Zero(t, page.Skipped)
	require.Len(t, page.Runs, 2)
	require.Equal(t, forge.Run{
		ID: second.ID, Attempt: 2, Number: 4, WorkflowID: 52104, Workflow: "CI", Branch: "main", HeadSHA: second.HeadSHA,
		Conclusion: forge.StartupFailure, URL: "https://github.com/neuron7x/mlsdm/actions/runs/7410000004",
		StartedAt: second.StartedAt, CompletedAt: second.UpdatedAt,
	}, page.Runs[0])
	require.Equal(t, first.ID, page.Runs[1].ID)
	require.Equal(t, 5000, page.Quota.Limit)
	require.Equal(t, 4999, page.Quota.Remaining)
	require.WithinDuration(t, time.Now().Add(time.Hour), page.Quota.Reset, time.Minute)
	require.Equal(t, "/repos/neuron7x/mlsdm/actions/workflows/ci.yml/runs?branch=main&exclude_pull_requests=true&page=1&per_page=30&status=completed", fake.LastPath())
}

func TestEveryWorkflowOfTheDefaultBranch(t *testing.T) {
	t.Parallel()
	opts := templates(t)
	opts.Branch = "trunk/α&branch=main"
	fake, source := serve(t, opts, github.Config{APIURL: "/api/v3/"})
	fake.AddRun("success")
	fake.AddRun("failure", func(r *fakegithub.Run) { r.WorkflowID, r.Workflow = 9, "Nightly" })
	fake.AddRun("failure", func(r *fakegithub.Run) { r.Branch = "main" })

	page, err := source.CompletedRuns(t.Context(), 1)
	require.NoError(t, err)
	require.Len(t, page.Runs, 2, "a branch cannot smuggle a parameter into the query")
	require.Equal(t, "Nightly", page.Runs[0].Workflow)
	require.Equal(t, "trunk/α&branch=main", page.Runs[1].Branch)

	_, err = source.CompletedRuns(t.Context(), 1)
	require.NoError(t, err)
	all, _ := fake.Requests()
	require.Equal(t, 3, all, "the default branch is asked for once")
}

func TestPages(t *testing.T) {
	t.Parallel()
	fake, source := serve(t, templates(t), github.Config{Workflow: "52104", Branch: "main"})
	for range 65 {
		fake.AddRun("success")
	}
	var numbers []int
	for page := 1; ; page++ {
		got, err := source.CompletedRuns(t.Context(), page)
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
	hits := 0
	opts := templates(t)
	opts.Now = time.Now().Truncate(time.Second).UTC
	fake, source := serve(t, opts, github.Config{Workflow: "ci.yml", Branch: "main", OnNotModified: func() { hits++ }})
	for range 40 {
		fake.AddRun("failure")
	}
	first, err := source.CompletedRuns(t.Context(), 1)
	require.NoError(t, err)
	again, err := source.CompletedRuns(t.Context(), 1)
	require.NoError(t, err)
	require.Equal(t, first.Runs, again.Runs)
	require.True(t, again.More, "the links are those of the answer that is given again")
	require.Equal(t, first.Quota.Remaining, again.Quota.Remaining, "a 304 is free")
	all, notModified := fake.Requests()
	require.Equal(t, []int{2, 1, 1}, []int{all, notModified, hits})

	fake.AddRun("success")
	changed, err := source.CompletedRuns(t.Context(), 1)
	require.NoError(t, err)
	require.Equal(t, forge.Success, changed.Runs[0].Conclusion)
	require.Equal(t, 1, hits)
}

func TestGarbageIsNotKept(t *testing.T) {
	t.Parallel()
	fake, source := serve(t, templates(t), github.Config{Workflow: "ci.yml", Branch: "main"})
	fake.AddRun("success")
	fake.Fail(fakegithub.Failure{Body: `{"total_count": "many"}`, Header: map[string][]string{"Etag": {`"x"`}}})
	_, err := source.CompletedRuns(t.Context(), 1)
	require.Error(t, err)
	page, err := source.CompletedRuns(t.Context(), 1)
	require.NoError(t, err)
	require.Len(t, page.Runs, 1)
	_, notModified := fake.Requests()
	require.Zero(t, notModified)
}

func TestEntriesAreChecked(t *testing.T) {
	t.Parallel()
	fake, source := serve(t, fakegithub.Options{}, github.Config{Workflow: "ci.yml", Branch: "main"})
	fake.Fail(fakegithub.Failure{Body: `{"total_count": 9, "workflow_runs": [
		null, {}, {"id": 1}, {"id": -1, "workflow_id": 7, "status": "completed", "conclusion": "failure"},
		{"id": 2, "workflow_id": 7, "status": "in_progress", "conclusion": "failure"},
		{"id": 3, "workflow_id": 7, "run_attempt": -2, "status": "completed", "conclusion": "failure"},
		{"id": 4, "workflow_id": 7, "status": "completed", "conclusion": "failure", "name": "a\u0000b\n", "html_url": "javascript:alert(1)",
		 "run_started_at": "2026-05-04T10:00:00Z", "updated_at": "2026-05-04T09:00:00Z"},
		{"id": 5, "workflow_id": 7, "status": "completed", "conclusion": "failure", "event": "pull_request",
		 "repository": {"id": 901}, "head_repository": {"id": 902}},
		{"id": 6, "workflow_id": 7, "status": "completed", "conclusion": "failure", "event": "pull_request", "repository": {"id": 901}, "head_repository": null},
		{"id": 7, "workflow_id": 7, "status": "completed", "conclusion": "brand_new", "event": "pull_request",
		 "repository": {"id": 901}, "head_repository": {"id": 901}}]}`})
	page, err := source.CompletedRuns(t.Context(), 1)
	require.NoError(t, err)
	require.Equal(t, 6, page.Skipped)
	require.Len(t, page.Runs, 2, "pull requests from forks are not ours")
	started := time.Date(2026, 5, 4, 10, 0, 0, 0, time.UTC)
	require.Equal(t, forge.Run{
		ID: 4, Attempt: 1, WorkflowID: 7, Workflow: "ab", Branch: "main", Conclusion: "failure", StartedAt: started, CompletedAt: started,
	}, page.Runs[0])
	require.False(t, page.Runs[1].Conclusion.Known())
	require.Equal(t, "ci.yml", page.Runs[1].Workflow, "a workflow without a name has its file's")
	require.Equal(t, time.Unix(0, 0).UTC(), page.Runs[1].StartedAt)
}

func TestConfig(t *testing.T) {
	t.Parallel()
	good := github.Config{Repository: "neuron7x/mlsdm"}
	require.NoError(t, good.Validate())
	for name, change := range map[string]func(*github.Config){
		"no repository":        func(c *github.Config) { c.Repository = "" },
		"no owner":             func(c *github.Config) { c.Repository = "/mlsdm" },
		"three segments":       func(c *github.Config) { c.Repository = "neuron7x/mlsdm/actions" },
		"up":                   func(c *github.Config) { c.Repository = "neuron7x/.." },
		"dot":                  func(c *github.Config) { c.Repository = "./mlsdm" },
		"escape":               func(c *github.Config) { c.Repository = "neuron7x/mlsdm%2F.." },
		"query":                func(c *github.Config) { c.Repository = "neuron7x/mlsdm?x=" },
		"long":                 func(c *github.Config) { c.Repository = "neuron7x/" + string(make([]byte, 101)) },
		"workflow path":        func(c *github.Config) { c.Workflow = "../../issues" },
		"workflow query":       func(c *github.Config) { c.Workflow = "ci.yml?per_page=1" },
		"branch with newline":  func(c *github.Config) { c.Branch = "main\nHost: evil" },
		"branch not UTF-8":     func(c *github.Config) { c.Branch = "main\xff" },
		"URL without a scheme": func(c *github.Config) { c.APIURL = "github.example" },
		"URL of a file":        func(c *github.Config) { c.APIURL = "file:///etc/passwd" },
		"URL with a password":  func(c *github.Config) { c.APIURL = "https://user:" + canary + "@github.example" },
		"URL with a query":     func(c *github.Config) { c.APIURL = "https://github.example/?token=" + canary },
		"URL that is broken":   func(c *github.Config) { c.APIURL = "https://" + canary + ":port" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bad := good
			change(&bad)
			err := bad.Validate()
			require.Error(t, err)
			require.NotContains(t, err.Error(), canary)
			_, err = github.New(bad)
			require.Error(t, err)
		})
	}
}
