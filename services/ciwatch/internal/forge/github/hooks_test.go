package github_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/fakegithub"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge/github"
)

func TestRecordedWebhooks(t *testing.T) {
	t.Parallel()
	want := map[string]func(*testing.T, []forge.Sighting){
		"workflow_run.completed.payload.json": func(t *testing.T, got []forge.Sighting) {
			t.Helper()
			require.Len(t, got, 1)
			require.Equal(t, "octo-org/octo-repo", got[0].Repository)
			run := got[0].Run
			require.Equal(t, []int64{289782451, 1, 163}, []int64{run.ID, int64(run.Attempt), int64(run.Number)})
			require.Equal(t, forge.Success, run.Conclusion)
			require.Equal(t, []string{"master", "repository_dispatch", "build(test): check workflow run event payload"}, []string{run.Branch, run.Event, run.Title})
			require.True(t, run.Done)
			require.NotEmpty(t, run.Workflow)
		},
		"workflow_job.completed.failure.with-organization.payload.json": func(t *testing.T, got []forge.Sighting) {
			t.Helper()
			require.Len(t, got, 1)
			job := got[0].Job
			require.Equal(t, []int64{289782451, 2202229078, 1}, []int64{job.ID, job.RunID, int64(job.Attempt)})
			require.Equal(t, []string{"linters", "CodeQL", "main"}, []string{job.Name, job.Workflow, job.Branch})
			require.Equal(t, forge.Failure, job.Conclusion)
			require.NotEmpty(t, job.FailedSteps)
			require.Equal(t, time.Date(2021, 8, 5, 10, 38, 16, 0, time.UTC), job.CompletedAt)
		},
	}
	files, err := filepath.Glob(filepath.Join(recordings, "*.payload.json"))
	require.NoError(t, err)
	t.Logf("%d recorded webhooks", len(files))
	for _, file := range files {
		body, err := os.ReadFile(file)
		require.NoError(t, err)
		name := filepath.Base(file)
		event, _, _ := strings.Cut(name, ".")
		got, err := github.Sightings(event, body)
		require.NoError(t, err, name)
		if check := want[name]; check != nil {
			check(t, got)
			continue
		}
		require.Empty(t, got, "%s: it is none of ours, or has not ended", name)
	}
}

func TestWebhooksAndAnswersTellTheSame(t *testing.T) {
	t.Parallel()
	fake, f := serve(t, templates(t), github.Config{})
	for _, edit := range []func(*fakegithub.Run){
		func(*fakegithub.Run) {},
		func(r *fakegithub.Run) { r.Author, r.Title, r.Attempt = "octocat", "a title", 3 },
		func(r *fakegithub.Run) { r.Event, r.FromFork = "pull_request", true },
	} {
		added := fake.AddRun("failure", edit)
		header, body, err := fake.Webhook(added, "key")
		require.NoError(t, err)
		require.True(t, github.Verify([]secret.Value{secret.NewValue("key")}, header.Get(github.HeaderSignature), body))
		got, err := github.Sightings(header.Get(github.HeaderEvent), body)
		require.NoError(t, err)
		page, err := list(t, f)
		require.NoError(t, err)
		require.Equal(t, []forge.Sighting{{Repository: repository, DefaultBranch: "main", Run: &page.Runs[0]}}, got)
		jobs, err := f.Jobs(t.Context(), page.Runs[0])
		require.NoError(t, err)
		for i, job := range fake.Jobs(added.ID) {
			header, body, err = fake.JobWebhook(added, job, "key")
			require.NoError(t, err)
			got, err = github.Sightings(header.Get(github.HeaderEvent), body)
			require.NoError(t, err)
			require.Equal(t, []forge.Sighting{{Repository: repository, DefaultBranch: "main", Job: &jobs[i]}}, got)
		}
		header, body, err = fake.CheckSuiteWebhook(added, "key")
		require.NoError(t, err)
		got, err = github.Sightings(header.Get(github.HeaderEvent), body)
		require.NoError(t, err)
		require.Equal(t, []forge.Sighting{{Repository: repository, DefaultBranch: "main", Poke: true}}, got)
	}
}

func TestSightings(t *testing.T) {
	t.Parallel()
	const (
		repo = `"repository":{"id":9,"full_name":"o/r"}`
		run  = `"id":1,"workflow_id":2,"head_branch":"main","status":"completed","conclusion":"failure"`
		job  = `"id":1,"run_id":2,"name":"x","status":"completed","conclusion":"success"`
	)
	for name, test := range map[string]struct {
		event, body string
		want        string // run, job, poke, none or error
	}{
		"ping":                        {"ping", `{"zen":"x"}`, "none"},
		"another event":               {"issues", `not even JSON`, "none"},
		"no event":                    {"", `{}`, "none"},
		"run":                         {"workflow_run", `{"action":"completed",` + repo + `,"workflow_run":{` + run + `}}`, "run"},
		"requested with a conclusion": {"workflow_run", `{"action":"requested",` + repo + `,"workflow_run":{"id":1,"workflow_id":2,"head_branch":"main","status":"completed","conclusion":"action_required"}}`, "none"},
		"completed, not yet":          {"workflow_run", `{"action":"completed",` + repo + `,"workflow_run":{"id":1,"workflow_id":2,"head_branch":"main","status":"in_progress","conclusion":"failure"}}`, "none"},
		"no conclusion":               {"workflow_run", `{"action":"completed",` + repo + `,"workflow_run":{"id":1,"workflow_id":2,"head_branch":"main","status":"completed","conclusion":null}}`, "poke"},
		"no branch":                   {"workflow_run", `{"action":"completed",` + repo + `,"workflow_run":{"id":1,"workflow_id":2,"head_branch":null,"status":"completed","conclusion":"failure"}}`, "poke"},
		"no branch, requested":        {"workflow_run", `{"action":"requested",` + repo + `,"workflow_run":{"id":1,"workflow_id":2,"head_branch":null,"status":"queued"}}`, "none"},
		"no run":                      {"workflow_run", `{"action":"completed",` + repo + `}`, "error"},
		"null run":                    {"workflow_run", `{"action":"completed",` + repo + `,"workflow_run":null}`, "error"},
		"no id":                       {"workflow_run", `{"action":"completed",` + repo + `,"workflow_run":{"workflow_id":2,"status":"completed","conclusion":"failure"}}`, "error"},
		"no workflow":                 {"workflow_run", `{"action":"completed",` + repo + `,"workflow_run":{"id":1,"status":"completed","conclusion":"failure"}}`, "error"},
		"negative id":                 {"workflow_run", `{"action":"completed",` + repo + `,"workflow_run":{"id":-1,"workflow_id":2}}`, "error"},
		"text id":                     {"workflow_run", `{"action":"completed",` + repo + `,"workflow_run":{"id":"` + canary + `","workflow_id":2}}`, "error"},
		"huge id":                     {"workflow_run", `{"action":"completed",` + repo + `,"workflow_run":{"id":99999999999999999999,"workflow_id":2}}`, "error"},
		"no repository":               {"workflow_run", `{"action":"completed","workflow_run":{` + run + `}}`, "error"},
		"bad repository":              {"workflow_run", `{"action":"completed","repository":{"full_name":"o/../r"},"workflow_run":{` + run + `}}`, "error"},
		"no action":                   {"workflow_run", `{` + repo + `,"workflow_run":{` + run + `}}`, "error"},
		"another's body":              {"workflow_job", `{"action":"completed",` + repo + `,"workflow_run":{` + run + `}}`, "error"},
		"job":                         {"workflow_job", `{"action":"completed",` + repo + `,"workflow_job":{` + job + `}}`, "job"},
		"job that is queued":          {"workflow_job", `{"action":"queued",` + repo + `,"workflow_job":{"id":1,"run_id":2,"status":"queued","conclusion":null}}`, "none"},
		"job without a run":           {"workflow_job", `{"action":"completed",` + repo + `,"workflow_job":{"id":1,"status":"completed","conclusion":"success"}}`, "error"},
		"check run of actions":        {"check_run", `{"action":"completed",` + repo + `,"check_run":{"app":{"slug":"github-actions"}}}`, "poke"},
		"check run of another":        {"check_run", `{"action":"completed",` + repo + `,"check_run":{"app":{"slug":"lint"}}}`, "none"},
		"check run without an app":    {"check_run", `{"action":"completed",` + repo + `,"check_run":{"app":null}}`, "none"},
		"check suite that is asked":   {"check_suite", `{"action":"requested",` + repo + `,"check_suite":{"app":{"slug":"github-actions"}}}`, "none"},
		"check suite of actions":      {"check_suite", `{"action":"completed",` + repo + `,"check_suite":{"app":{"slug":"github-actions"}}}`, "poke"},
		"empty":                       {"workflow_run", ``, "error"},
		"null":                        {"workflow_run", `null`, "error"},
		"list":                        {"workflow_run", `[]`, "error"},
		"no JSON":                     {"workflow_run", canary, "error"},
		"two":                         {"workflow_run", `{} {}`, "error"},
		"too deep":                    {"workflow_run", strings.Repeat(`[`, 1<<20), "error"},
		"too large":                   {"workflow_run", strings.Repeat(` `, github.MaxWebhook+1), "error"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := github.Sightings(test.event, []byte(test.body))
			requireNoSecret(t, err)
			what := "none"
			switch {
			case err != nil:
				what = "error"
			case len(got) == 0:
			case got[0].Run != nil:
				what = "run"
			case got[0].Job != nil:
				what = "job"
			case got[0].Poke:
				what = "poke"
			}
			require.Equal(t, test.want, what, err)
			for _, sighting := range got {
				require.Equal(t, "o/r", sighting.Repository)
			}
		})
	}
}

func TestVerify(t *testing.T) {
	t.Parallel()
	body := []byte(`{"zen": "Keep it logically awesome."}`)
	sign := func(key string) string { return fakegithub.Sign("ping", "1", key, body).Get(github.HeaderSignature) }
	pending := secret.Live(&rotating{})
	secrets := []secret.Value{pending, {}, secret.NewValue("old"), secret.NewValue(canary), secret.Live(&rotating{now: "next"})}
	for _, key := range []string{"old", canary, "next"} {
		require.True(t, github.Verify(secrets, sign(key), body))
		require.False(t, github.Verify(secrets, sign(key), append([]byte(" "), body...)))
		require.False(t, github.Verify(nil, sign(key), body))
	}
	good := sign("old")
	for name, signature := range map[string]string{
		"another secret": sign("other"), "no secret": sign(""), "nothing": "", "no prefix": strings.TrimPrefix(good, "sha256="), "SHA-1": "sha1=" + good[7:47],
		"cut": good[:len(good)-1], "more": good + "00", "no hex": "sha256=" + strings.Repeat("x", 64), "zeros": "sha256=" + strings.Repeat("0", 64),
		"case of the prefix": "SHA256=" + good[7:],
	} {
		require.False(t, github.Verify(secrets, signature, body), name)
		require.False(t, github.Verify([]secret.Value{pending, {}}, signature, body), name)
	}
	require.True(t, github.Verify(secrets, "sha256="+strings.ToUpper(good[7:]), body))
	require.Equal(t, "X-Github-Event", http.CanonicalHeaderKey(github.HeaderEvent))
}

func FuzzSightings(f *testing.F) {
	fake, err := fakegithub.New(fakegithub.Options{})
	require.NoError(f, err)
	run := fake.AddRun("failure")
	for _, make := range []func() (http.Header, []byte, error){
		func() (http.Header, []byte, error) { return fake.Webhook(run, "key") },
		func() (http.Header, []byte, error) { return fake.JobWebhook(run, fake.Jobs(run.ID)[1], "key") },
		func() (http.Header, []byte, error) { return fake.CheckSuiteWebhook(run, "key") },
	} {
		header, body, err := make()
		require.NoError(f, err)
		f.Add(header.Get(github.HeaderEvent), body)
	}
	f.Fuzz(func(t *testing.T, event string, body []byte) {
		got, err := github.Sightings(event, body)
		if err != nil {
			require.Empty(t, got)
			return
		}
		for _, sighting := range got {
			require.Regexp(t, `^[A-Za-z0-9_.-]{1,100}/[A-Za-z0-9_.-]{1,100}$`, sighting.Repository)
			told := map[bool]int{}
			told[sighting.Poke]++
			told[sighting.Run != nil]++
			told[sighting.Job != nil]++
			require.Equal(t, 1, told[true], "it tells one thing")
			if sighting.Run != nil {
				requireSane(t, *sighting.Run)
			}
			text, err := json.Marshal(sighting)
			require.NoError(t, err)
			require.Less(t, len(text), 64<<10)
		}
	})
}
