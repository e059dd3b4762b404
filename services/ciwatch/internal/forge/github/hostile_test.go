package github_test

import (
	"context"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/hostiletest"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/fakegithub"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge/github"
)

// TestHostileServers: what calls itself GitHub costs no more than its bounds.
func TestHostileServers(t *testing.T) { // it measures memory, and is not parallel
	hostiletest.Client{Most: 25 << 20, Ask: func(ctx context.Context, url string) error {
		f, err := github.New(github.Config{APIURL: url, Credentials: tokens(canary)})
		if err != nil {
			return err
		}
		_, err = f.Runs(ctx, forge.Query{Repository: "a/b", Branch: "main"})
		return err
	}}.Run(t)
}

// requireSane checks what holds for every run.
func requireSane(t *testing.T, run forge.Run) {
	t.Helper()
	require.Positive(t, run.ID)
	require.Positive(t, run.Attempt)
	require.Positive(t, run.WorkflowID)
	require.NotEmpty(t, run.Workflow)
	require.NotEmpty(t, run.Branch)
	require.False(t, run.StartedAt.Before(run.CreatedAt))
	require.False(t, run.Done && run.CompletedAt.Before(run.StartedAt))
	for _, text := range []string{run.Workflow, run.File, run.Branch, run.Event, run.HeadSHA, run.Title, run.Author, string(run.Conclusion), run.URL} {
		require.LessOrEqual(t, len(text), 2048)
		for _, r := range text {
			require.False(t, unicode.IsControl(r), "%q", text)
		}
	}
}

func FuzzRuns(f *testing.F) {
	f.Add([]byte(`{"workflow_runs": [{"id": 7, "workflow_id": 7, "head_branch": "main", "status": "completed", "conclusion": "failure"}]}`), `<https://x/?page=2>; rel="next"`)
	f.Add([]byte(`{"workflow_runs": [null, {"id": 1e3, "run_attempt": 1, "updated_at": "9999-12-31T23:59:59Z"}]}`), "")
	f.Add([]byte(`{"jobs": [{"id": 1, "run_id": 1, "status": "completed", "conclusion": "failure", "steps": [{}]}]}`), "rel")
	f.Fuzz(func(t *testing.T, body []byte, link string) {
		fake, made := serve(t, fakegithub.Options{}, github.Config{Credentials: tokens(canary)})
		failure := fakegithub.Failure{Body: string(body), Header: map[string][]string{"Link": {link}, "Etag": {link}}}
		fake.Fail(failure, failure, failure)
		page, err := list(t, made)
		if err != nil {
			requireNoSecret(t, err)
		}
		for _, run := range page.Runs {
			require.True(t, run.Done)
			requireSane(t, run)
		}
		jobs, err := made.Jobs(t.Context(), forge.Run{Repository: repository, ID: 1, Attempt: 1})
		require.True(t, err == nil || jobs == nil)
		names, _, err := made.Repositories(t.Context(), "o", 1)
		require.True(t, err == nil || names == nil)
	})
}
