package gitlab_test

import (
	"context"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/hostiletest"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/fakegitlab"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge/gitlab"
)

// TestHostileServers: what calls itself GitLab costs no more than its bounds.
func TestHostileServers(t *testing.T) { // it measures memory, and is not parallel
	hostiletest.Client{Most: 25 << 20, Ask: func(ctx context.Context, url string) error {
		f, err := gitlab.New(gitlab.Config{URL: url, Tokens: tokens(canary)})
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
	f.Add([]byte(`[{"id": 7, "updated_at": "2026-05-04T10:00:00Z"}]`),
		[]byte(`{"id": 7, "project_id": 7, "ref": "main", "status": "failed", "finished_at": "2026-05-04T10:00:00.000Z", "duration": 1}`), `<https://x/?page=2>; rel="next"`)
	f.Add([]byte(`[null, {"id": 1}]`), []byte(`{"id": 1, "project_id": 1, "ref": "refs/merge-requests/1/head", "iid": 1, "source_branch": "\u0000"}`), "")
	f.Add([]byte(`[{"id": 1, "name": "x", "status": "failed", "stage": "test"}]`), []byte(`[]`), "rel")
	f.Fuzz(func(t *testing.T, listed, one []byte, link string) {
		fake, made := start(t)
		header := map[string][]string{"Link": {link}, "Etag": {link}, "Ratelimit-Limit": {link}}
		fake.Fail(fakegitlab.Failure{Body: string(listed), Header: header}, fakegitlab.Failure{Body: string(one)}, fakegitlab.Failure{Body: string(one)})
		page, err := list(t, made)
		if err != nil {
			requireNoSecret(t, err)
		}
		for _, run := range page.Runs {
			require.True(t, run.Done)
			requireSane(t, run)
		}
		fake.Heal()
		fake.Fail(fakegitlab.Failure{Body: string(listed)})
		jobs, err := made.Jobs(t.Context(), forge.Run{Repository: repository, ID: 1, Attempt: 1})
		require.True(t, err == nil || jobs == nil)
		fake.Heal()
		fake.Fail(fakegitlab.Failure{Body: string(listed)})
		names, _, err := made.Repositories(t.Context(), "o/p", 1)
		require.True(t, err == nil || names == nil)
	})
}
