package fakegitlab_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/fakegitlab"
)

// get asks a fake over the network, and returns the status, the header and what was answered.
func get(t *testing.T, fake http.Handler, method, path, token, body string) (int, http.Header, any) {
	t.Helper()
	server := httptest.NewServer(fake)
	t.Cleanup(server.Close)
	req, err := http.NewRequestWithContext(t.Context(), method, server.URL+path, strings.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Private-Token", token)
	resp, err := server.Client().Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	var object any
	if resp.Header.Get("Content-Type") == "application/json" {
		require.NoError(t, json.NewDecoder(resp.Body).Decode(&object))
	}
	return resp.StatusCode, resp.Header, object
}

func TestFake(t *testing.T) {
	t.Parallel()
	fake := fakegitlab.New(fakegitlab.Options{Token: "token"})
	added := fake.AddPipeline("failed", func(p *fakegitlab.Pipeline) { p.YAMLErrors = "jobs config should contain at least one visible job" })
	require.Equal(t, []fakegitlab.Pipeline{added}, fake.Pipelines())
	require.Empty(t, fake.Jobs(added.ID), "its configuration is wrong")
	require.Empty(t, fake.Jobs(1))
	_, ok := fake.Finish(1, "success")
	require.False(t, ok)

	const project = "/api/v4/projects/neuron7x%2Fmlsdm"
	status, header, body := get(t, fake, http.MethodGet, project+"/pipelines", "token", "")
	require.Equal(t, http.StatusOK, status)
	require.NotEmpty(t, header.Get("Etag"))
	require.Empty(t, header.Get("Ratelimit-Limit"))
	require.Len(t, body, 1)
	require.NotContains(t, body.([]any)[0], "finished_at", "as in GitLab's list") //nolint:errcheck,forcetypeassert // it is one, or the test fails
	_, _, body = get(t, fake, http.MethodGet, project+"/pipelines/1890000000", "token", "")
	require.Contains(t, body, "finished_at")
	require.Contains(t, body, "yaml_errors")

	for name, test := range map[string]struct {
		method, path, token, body string
		want                      int
	}{
		"by id":               {http.MethodGet, "/api/v4/projects/4201", "token", "", http.StatusOK},
		"another token":       {http.MethodGet, project, "other", "", http.StatusUnauthorized},
		"no token":            {http.MethodGet, project, "", "", http.StatusNotFound},
		"slashes":             {http.MethodGet, "/api/v4/projects/neuron7x/mlsdm", "token", "", http.StatusNotFound},
		"another project":     {http.MethodGet, "/api/v4/projects/a%2Fb", "token", "", http.StatusNotFound},
		"elsewhere":           {http.MethodGet, "/api/v3/projects/1", "token", "", http.StatusNotFound},
		"too short":           {http.MethodGet, "/api/v4/projects", "token", "", http.StatusNotFound},
		"something else":      {http.MethodGet, project + "/issues", "token", "", http.StatusNotFound},
		"below a pipeline":    {http.MethodGet, project + "/pipelines/1890000000/variables", "token", "", http.StatusNotFound},
		"no merge request":    {http.MethodGet, project + "/merge_requests/1", "token", "", http.StatusNotFound},
		"no group":            {http.MethodGet, "/api/v4/groups/none/projects", "token", "", http.StatusNotFound},
		"retry":               {http.MethodPost, project + "/pipelines/1890000000/retry", "token", "", http.StatusCreated},
		"pipeline":            {http.MethodPost, project + "/pipeline", "token", `{"ref":"main"}`, http.StatusCreated},
		"pipeline of nothing": {http.MethodPost, project + "/pipeline", "token", `{}`, http.StatusBadRequest},
		"too much":            {http.MethodPost, project + "/pipeline", "token", strings.Repeat("x", 2<<20), http.StatusRequestEntityTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			status, _, _ := get(t, fake, test.method, test.path, test.token, test.body)
			require.Equal(t, test.want, status)
		})
	}
}

func TestRenamed(t *testing.T) {
	t.Parallel()
	fake := fakegitlab.New(fakegitlab.Options{})
	require.False(t, fake.Rename("a/b", "a/c"))
	require.True(t, fake.Rename("neuron7x/mlsdm", "neuron7x/other"))
	status, _, body := get(t, fake, http.MethodGet, "/api/v4/projects/neuron7x%2Fmlsdm?x=y", "", "")
	require.Equal(t, http.StatusOK, status, "it was redirected")
	require.Contains(t, body, "path_with_namespace")
	require.Equal(t, "/api/v4/projects/4201?x=y", fake.LastPath())
	status, _, _ = get(t, fake, http.MethodPost, "/api/v4/projects/neuron7x%2Fmlsdm/pipeline", "", `{"ref":"main"}`)
	require.Equal(t, http.StatusMethodNotAllowed, status)
}

func TestLimits(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 5, 4, 10, 0, 30, 0, time.UTC)
	fake := fakegitlab.New(fakegitlab.Options{RateLimit: 2, Now: func() time.Time { return at }})
	for i, want := range []int{http.StatusOK, http.StatusOK, http.StatusTooManyRequests} {
		status, header, _ := get(t, fake, http.MethodGet, "/api/v4/projects/4201", "token", "")
		require.Equal(t, want, status)
		require.Equal(t, []string{"2", []string{"1", "2", "3"}[i]}, []string{header.Get("Ratelimit-Limit"), header.Get("Ratelimit-Observed")})
		require.Equal(t, want == http.StatusTooManyRequests, header.Get("Retry-After") == "31")
	}
	at = at.Add(30 * time.Second)
	status, _, _ := get(t, fake, http.MethodGet, "/api/v4/projects/4201", "token", "")
	require.Equal(t, http.StatusOK, status)
}

func TestWebhooks(t *testing.T) {
	t.Parallel()
	fake := fakegitlab.New(fakegitlab.Options{})
	added := fake.AddPipeline("failed")
	header, body, err := fake.Webhook(added, "key")
	require.NoError(t, err)
	require.Equal(t, []string{"Pipeline Hook", "key"}, []string{header.Get("X-Gitlab-Event"), header.Get("X-Gitlab-Token")})
	require.True(t, json.Valid(body))
	jobs := fake.Jobs(added.ID)
	require.Len(t, jobs, 2)
	job, body, err := fake.JobWebhook(added, jobs[1], "key")
	require.NoError(t, err)
	require.Equal(t, "Job Hook", job.Get("X-Gitlab-Event"))
	require.Contains(t, string(body), `"build_status":"failed"`)
	require.NotEqual(t, header.Get("Idempotency-Key"), job.Get("Idempotency-Key"))
	require.Equal(t, header.Get("X-Gitlab-Event-Uuid"), job.Get("X-Gitlab-Event-Uuid"), "it is no id of a delivery")
}
