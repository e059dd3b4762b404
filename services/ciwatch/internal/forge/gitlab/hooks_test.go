package gitlab_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/fakegitlab"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge/gitlab"
)

// TestWebhooksAndAnswersTellTheSame: but for the commit's title and the failed jobs, which only webhooks have.
func TestWebhooksAndAnswersTellTheSame(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 5, 4, 10, 0, 0, 123e6, time.UTC)
	fake, f := serve(t, fakegitlab.Options{Now: func() time.Time { return at }}, gitlab.Config{})
	fake.AddMergeRequest(repository, fakegitlab.MergeRequest{IID: 7, SourceBranch: "feature/x", SourceProjectID: 99})
	for _, edit := range []func(*fakegitlab.Pipeline){
		func(*fakegitlab.Pipeline) {},
		func(p *fakegitlab.Pipeline) { p.Author, p.Name, p.Source = "octocat", "Nightly", "schedule" },
		func(p *fakegitlab.Pipeline) { p.Source, p.MergeRequest, p.Ref = "merge_request_event", 7, "feature/x" },
		func(p *fakegitlab.Pipeline) { p.StartedAt = p.CreatedAt.Add(time.Second - time.Millisecond) },
		func(p *fakegitlab.Pipeline) { p.Duration = 30 * time.Second },
	} {
		for _, status := range []string{"success", "failed", "canceled"} {
			added := fake.AddPipeline(status, edit)
			header, body, err := fake.Webhook(added, "key")
			require.NoError(t, err)
			require.True(t, gitlab.Verify(tokens("key"), header.Get(gitlab.HeaderToken)))
			got, err := gitlab.Sightings(header.Get(gitlab.HeaderEvent), body)
			require.NoError(t, err)
			require.Len(t, got, 1)
			require.Equal(t, repository, got[0].Repository)
			page, err := list(t, f)
			require.NoError(t, err)
			told, listed := *got[0].Run, page.Runs[0]
			require.Equal(t, "A change", told.Title)
			require.Empty(t, listed.Title)
			jobs, err := f.Jobs(t.Context(), listed)
			require.NoError(t, err)
			var failed []forge.Job
			for _, job := range jobs {
				if job.Conclusion.Failed() {
					failed = append(failed, job)
				}
			}
			require.Equal(t, failed, told.Failed)
			require.Len(t, failed, map[string]int{"failed": 1}[status])
			told.Title, told.Failed = "", nil
			require.Equal(t, listed, told)
			require.False(t, told.JobsKnown, "those that passed were not told")
		}
	}
}

func TestDeliveryIDs(t *testing.T) {
	t.Parallel()
	fake, _ := start(t)
	first, _, err := fake.Webhook(fake.AddPipeline("failed"), "key")
	require.NoError(t, err)
	second, _, err := fake.Webhook(fake.AddPipeline("failed"), "key")
	require.NoError(t, err)
	again := fake.Again(first)
	require.Equal(t, first.Get(gitlab.HeaderIdempotency), again.Get(gitlab.HeaderIdempotency), "it stays the same")
	require.NotEqual(t, first.Get(gitlab.HeaderIdempotency), second.Get(gitlab.HeaderIdempotency))
	require.NotEqual(t, first.Get(gitlab.HeaderDelivery), again.Get(gitlab.HeaderDelivery))
}

func TestVerify(t *testing.T) {
	t.Parallel()
	live := &rotating{now: "live"}
	pending := &rotating{}
	secrets := append(tokens("new", "old"), secret.Live(live), secret.Live(pending), secret.Value{})
	for token, want := range map[string]bool{"new": true, "old": true, "live": true, "": false, "ne": false, "newer": false, "New": false, "new ": false} {
		require.Equal(t, want, gitlab.Verify(secrets, token), "%q", token)
	}
	live.set("fresh")
	require.True(t, gitlab.Verify(secrets, "fresh"))
	require.False(t, gitlab.Verify(secrets, "live"))
	require.False(t, gitlab.Verify(nil, ""))
	require.False(t, gitlab.Verify(nil, "new"))
}

func TestSightings(t *testing.T) {
	t.Parallel()
	const (
		project  = `"project":{"id":9,"path_with_namespace":"g/s/p","web_url":"https://x.example/g/s/p"}`
		pipe     = `{"object_kind":"pipeline",` + project + `,"builds":[{"id":1,"status":"failed"}],"object_attributes":`
		ended    = `"id":1,"iid":2,"ref":"main","source":"push","finished_at":"2026-05-04 10:00:00 UTC"`
		job      = `{"object_kind":"build",` + project + `,"build_id":1,"pipeline_id":2,"build_status":`
		pipeline = "Pipeline Hook"
	)
	for name, test := range map[string]struct {
		event, body string
		want        string // run, poke, none or error
	}{
		"another event":         {"Push Hook", `not even JSON`, "none"},
		"no event":              {"", `{}`, "none"},
		"pipeline":              {pipeline, pipe + `{` + ended + `,"status":"failed"}}`, "run"},
		"passed":                {pipeline, pipe + `{` + ended + `,"status":"success"}}`, "run"},
		"canceled":              {pipeline, pipe + `{` + ended + `,"status":"canceled"}}`, "run"},
		"ISO 8601":              {pipeline, pipe + `{"id":1,"ref":"main","finished_at":"2026-05-04T10:00:00.5+02:00","status":"failed"}}`, "run"},
		"running again":         {pipeline, pipe + `{` + ended + `,"status":"running"}}`, "none"},
		"skipped":               {pipeline, pipe + `{"id":1,"ref":"main","status":"skipped","finished_at":null}}`, "none"},
		"waits for somebody":    {pipeline, pipe + `{"id":1,"ref":"main","status":"manual"}}`, "none"},
		"a child":               {pipeline, pipe + `{"id":1,"ref":"main","source":"parent_pipeline","status":"failed","finished_at":"2026-05-04 10:00:00 UTC"}}`, "none"},
		"no end":                {pipeline, pipe + `{"id":1,"ref":"main","status":"failed"}}`, "poke"},
		"no end that is one":    {pipeline, pipe + `{"id":1,"ref":"main","status":"failed","finished_at":"soon"}}`, "poke"},
		"no branch":             {pipeline, pipe + `{"id":1,"ref":null,"status":"failed","finished_at":"2026-05-04 10:00:00 UTC"}}`, "poke"},
		"failed without jobs":   {pipeline, `{"object_kind":"pipeline",` + project + `,"builds":[],"object_attributes":{` + ended + `,"status":"failed"}}`, "poke"},
		"no pipeline":           {pipeline, `{"object_kind":"pipeline",` + project + `}`, "error"},
		"null pipeline":         {pipeline, pipe + `null}`, "error"},
		"no id":                 {pipeline, pipe + `{"ref":"main","status":"failed"}}`, "error"},
		"negative id":           {pipeline, pipe + `{"id":-1,"ref":"main","status":"failed"}}`, "error"},
		"no project":            {pipeline, `{"object_kind":"pipeline","object_attributes":{` + ended + `,"status":"failed"}}`, "error"},
		"no project id":         {pipeline, `{"object_kind":"pipeline","project":{"path_with_namespace":"a/b"},"object_attributes":{` + ended + `,"status":"failed"}}`, "error"},
		"another kind":          {pipeline, `{"object_kind":"build",` + project + `}`, "error"},
		"path that leads off":   {pipeline, strings.ReplaceAll(pipe, "g/s/p", "g/../p") + `{` + ended + `,"status":"failed"}}`, "error"},
		"wrong type":            {pipeline, pipe + `{"id":"` + canary + `"}}`, "error"},
		"no JSON":               {pipeline, canary, "error"},
		"null":                  {pipeline, `null`, "error"},
		"empty":                 {pipeline, ``, "error"},
		"job that failed":       {"Job Hook", job + `"failed"}`, "poke"},
		"job that may fail":     {"Job Hook", job + `"failed","build_allow_failure":true}`, "none"},
		"job that passed":       {"Job Hook", job + `"success"}`, "none"},
		"job that runs":         {"Job Hook", job + `"running"}`, "none"},
		"job without an id":     {"Job Hook", `{"object_kind":"build",` + project + `,"build_status":"failed"}`, "error"},
		"job without a status":  {"Job Hook", job + `null}`, "error"},
		"job without a project": {"Job Hook", `{"object_kind":"build","build_id":1,"build_status":"failed"}`, "error"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := gitlab.Sightings(test.event, []byte(test.body))
			if test.want == "error" {
				require.ErrorContains(t, err, "GitLab's webhook")
				requireNoSecret(t, err)
				return
			}
			require.NoError(t, err)
			if test.want == "none" {
				require.Empty(t, got)
				return
			}
			require.Len(t, got, 1)
			require.Equal(t, "g/s/p", got[0].Repository)
			require.Equal(t, test.want == "poke", got[0].Poke)
			require.Equal(t, test.want == "run", got[0].Run != nil)
			if run := got[0].Run; run != nil {
				requireSane(t, *run)
				require.Equal(t, "https://x.example/g/s/p/-/pipelines/1", run.URL)
				require.Equal(t, int64(9), run.WorkflowID)
			}
		})
	}
	_, err := gitlab.Sightings(pipeline, make([]byte, gitlab.MaxWebhook+1))
	require.ErrorContains(t, err, "25 MiB")
}

// TestDocumentedWebhook reads what GitLab's documentation shows as an example, as far as it matters.
func TestDocumentedWebhook(t *testing.T) {
	t.Parallel()
	const body = `{
		"object_kind": "pipeline",
		"object_attributes": {
			"id": 31, "iid": 3, "name": "Pipeline for branch: master", "ref": "master", "tag": false, "sha": "bcbb5ec396a2c0f828686f14fac9b80b780504f2",
			"source": "merge_request_event", "status": "success", "stages": ["build", "test", "deploy"], "created_at": "2016-08-12 15:23:28 UTC",
			"finished_at": "2016-08-12 15:26:29 UTC", "duration": 63, "variables": [{"key": "X", "value": "y"}],
			"url": "http://example.com/gitlab-org/gitlab-test/-/pipelines/31"
		},
		"merge_request": {"id": 1, "iid": 1, "title": "Test", "source_branch": "test", "source_project_id": 1, "target_branch": "master", "target_project_id": 1},
		"user": {"id": 1, "name": "Administrator", "username": "root"},
		"project": {"id": 1, "name": "Gitlab Test", "web_url": "http://192.168.64.1:3005/gitlab-org/gitlab-test", "path_with_namespace": "gitlab-org/gitlab-test"},
		"commit": {"id": "bcbb5ec396a2c0f828686f14fac9b80b780504f2", "message": "test\n", "author": {"name": "User"}},
		"source_pipeline": {"project": {"id": 41}, "pipeline_id": 30, "job_id": 3401},
		"builds": [{"id": 380, "stage": "deploy", "name": "production", "status": "skipped", "started_at": null, "duration": null, "failure_reason": null, "allow_failure": false}]
	}`
	got, err := gitlab.Sightings(gitlab.EventPipeline, []byte(body))
	require.NoError(t, err)
	finished := time.Date(2016, 8, 12, 15, 26, 29, 0, time.UTC)
	require.Equal(t, []forge.Sighting{{Repository: "gitlab-org/gitlab-test", Run: &forge.Run{
		Repository: "gitlab-org/gitlab-test", ID: 31, Attempt: int(finished.Unix()), Number: 3, WorkflowID: 1, Workflow: "Pipeline for branch: master",
		Branch: "test", Event: "merge_request_event", PullRequest: true, HeadSHA: "bcbb5ec396a2c0f828686f14fac9b80b780504f2", Title: "test", Author: "root",
		Done: true, Conclusion: forge.Success, URL: "http://example.com/gitlab-org/gitlab-test/-/pipelines/31",
		CreatedAt: time.Date(2016, 8, 12, 15, 23, 28, 0, time.UTC), StartedAt: finished.Add(-63 * time.Second), CompletedAt: finished,
	}}}, got)
}

func FuzzSightings(f *testing.F) {
	fake := fakegitlab.New(fakegitlab.Options{Project: repository})
	header, body, err := fake.Webhook(fake.AddPipeline("failed"), "key")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(header.Get(gitlab.HeaderEvent), body)
	header, body, err = fake.JobWebhook(fake.AddPipeline("failed"), fakegitlab.Job{ID: 1, Status: "failed"}, "key")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(header.Get(gitlab.HeaderEvent), body)
	f.Fuzz(func(t *testing.T, event string, body []byte) {
		got, err := gitlab.Sightings(event, body)
		if err != nil {
			require.Empty(t, got)
			require.NotContains(t, err.Error(), "\n")
		}
		for _, s := range got {
			require.NotEmpty(t, s.Repository)
			require.Equal(t, s.Poke, s.Run == nil)
			if s.Run != nil {
				requireSane(t, *s.Run)
			}
			_, err := json.Marshal(s)
			require.NoError(t, err)
		}
	})
}
