package canary_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/fakegithub"
	"github.com/neuron7x/mlsdm-integrations/test/process"
)

// TestNothingOfAForgeLeaksIntoTelemetry puts canaries into all that a forge, who posts as one, and who asks ciwatch can say, and looks
// for them as [TestNothingLeaksIntoTelemetry] does.
//
// The log and the metrics name the repositories, workflows and branches that the operator has watched: they are what ciwatch is for.
func TestNothingOfAForgeLeaksIntoTelemetry(t *testing.T) {
	t.Parallel()
	for name, capture := range map[string]bool{"without content": false, "with content": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			forgeLeaks(t, capture)
		})
	}
}

func forgeLeaks(t *testing.T, capture bool) {
	t.Helper()
	srv := bustest.Start(t)
	said := planted{}
	token, signs, door := said.key("the forge's token"), said.key("the secret of webhooks"), process.FreeAddr(t)
	forge := said.forge(t, token)
	got, otlp := newExported(t)
	told := tell(t, srv.URL(), otlp, capture, map[string]map[string]string{"ciwatch": {
		"GITHUB_TOKEN": token, "GITHUB_API_URL": forge.url, "GITHUB_REPOSITORY": "neuron7x/mlsdm", "GITHUB_WEBHOOK_SECRET": signs,
		"CI_WEBHOOK_ADDR": door, "CI_BRANCH": "*", "CI_POLL_INTERVAL": "5s", "CI_POLL_MAX": "5s", "CI_FAILURE_THRESHOLD": "1", "CI_RUN_EVENTS": "all",
		"CI_RECOVERY": "rerun", "CI_RECOVERY_DRY_RUN": "false",
	}})
	nc, err := nats.Connect(srv.URL())
	require.NoError(t, err)
	t.Cleanup(nc.Close)

	require.Eventually(t, func() bool { // a service that is ready may still be about to open its door
		resp, err := get(t, door, "")
		return err == nil && resp.Body.Close() == nil
	}, process.Patience, 20*time.Millisecond)
	said.post(t, forge.Server, "http://"+door, signs)
	require.Eventually(t, func() bool { return forge.refused.Load() > 0 }, process.Patience, 20*time.Millisecond, "a rerun is refused")
	said.askCI(t, nc)
	forge.broken.Store(true) // from now on it answers all with errors
	said.askCI(t, nc)
	require.Eventually(t, func() bool {
		return bytes.Contains(got.of("traces"), []byte("GET")) && bytes.Contains(got.of("traces"), []byte("/rerun"))
	}, process.Patience, 50*time.Millisecond)

	seen := told.stop(t, got)
	require.Contains(t, string(seen["/metrics of ciwatch"]), `mlsdm_ci_health{`, "a run was counted")
	require.Contains(t, string(seen["/metrics of ciwatch"]), `outcome="unsigned"`)
	for where, canary := range said {
		for place, text := range seen {
			word := strings.HasPrefix(canary, "zq")
			if word && strings.HasPrefix(where, "watched") && place != "traces" {
				continue // it is the operator's
			}
			if word && strings.HasPrefix(where, "an error of") && strings.Contains(place, "log") {
				continue // what a forge says of its failure is for the operator, but for what can be recognised in it
			}
			at := bytes.Index(text, []byte(canary))
			assert(t, at < 0, "%s is in %s: …%.300q", where, place, text[max(at-200, 0):max(at, 0)])
		}
	}
}

// forge is one that can be asked over HTTP.
type forge struct {
	*fakegithub.Server

	url     string
	refused atomic.Int64 // reruns
	broken  atomic.Bool
}

// forge starts a forge whose runs, jobs and errors are full of canaries.
func (p planted) forge(t *testing.T, token string) *forge {
	t.Helper()
	person := func(who string) map[string]any {
		return map[string]any{"login": p.word(who + "'s login"), "email": p.email(who + "'s address"), "name": p.mixed(who + "'s name"), "id": 7, "type": "User"}
	}
	template, err := json.Marshal(map[string]any{
		"actor": person("the actor"), "triggering_actor": person("the one that triggers"), "display_title": p.mixed("a title"),
		"head_commit": map[string]any{
			"id": p.word("a commit's id"), "message": p.mixed("a commit's message"), "author": person("the author"), "committer": person("the committer"),
		},
		"logs_url": "https://api.github.com/" + p.key("the logs' address"), p.word("a member nobody knows"): p.mixed("what is in it"),
		"pull_requests": []any{map[string]any{"title": p.mixed("a pull request")}},
	})
	require.NoError(t, err)
	server, err := fakegithub.New(fakegithub.Options{Token: token, Templates: []json.RawMessage{template}})
	require.NoError(t, err)
	f := &forge{Server: server}
	reason, header := p.mixed("an error of a forge"), p.word("a header of an answer")
	failure := fmt.Sprintf(`{"message":%q,"documentation_url":%q,"errors":[{"message":%q}]}`, reason, "https://docs.github.com/?"+p.key("a link"), p.mixed("an error of an error"))
	server.SetFault(func(r *http.Request) (fakegithub.Failure, bool) {
		failed := fakegithub.Failure{Status: http.StatusUnprocessableEntity, Body: failure, Header: http.Header{"X-Canary": {header}, "X-Github-Request-Id": {header}}}
		if strings.HasSuffix(r.URL.Path, "/rerun") {
			f.refused.Add(1)
			return failed, true
		}
		failed.Status = http.StatusInternalServerError
		return failed, f.broken.Load()
	})
	run := server.AddRun("failure", func(r *fakegithub.Run) {
		r.Workflow, r.File = "CI of "+p.email("watched: a workflow")+" "+p.word("watched: a workflow"), p.word("watched: a workflow's file")+".yml"
		r.Branch = p.word("watched: a branch") + "-" + p.email("watched: a branch")
	})
	server.SetJobs(run.ID, 1, fakegithub.Job{
		ID: 1, Attempt: 1, Name: p.mixed("a job"), Conclusion: "failure", Steps: []fakegithub.Step{{Name: p.mixed("a step"), Conclusion: "failure"}},
		StartedAt: run.StartedAt, CompletedAt: run.UpdatedAt,
	})
	listener := httptest.NewServer(server)
	t.Cleanup(listener.Close)
	f.url = listener.URL
	return f
}

// post posts webhooks as the forge does, and as others do.
func (p planted) post(t *testing.T, server *fakegithub.Server, door, key string) {
	t.Helper()
	post := func(path string, header http.Header, body []byte, want int) {
		req, err := http.NewRequestWithContext(within(t), http.MethodPost, door+path, bytes.NewReader(body))
		require.NoError(t, err)
		req.Header = header
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, want, resp.StatusCode)
	}
	run := server.Runs()[0]
	job := server.Jobs(run.ID)[0]
	_, ofRun, err := server.Webhook(run, key)
	require.NoError(t, err)
	_, ofJob, err := server.JobWebhook(run, job, key)
	require.NoError(t, err)
	for event, body := range map[string][]byte{"workflow_run": ofRun, "workflow_job": ofJob} {
		var members map[string]any
		require.NoError(t, json.Unmarshal(body, &members))
		members["sender"] = map[string]any{"login": p.word(event + ": a sender"), "email": p.email(event + ": a sender")}
		members[p.word(event+": a member")] = p.mixed(event + ": what is in it")
		whole, err := json.Marshal(members)
		require.NoError(t, err)
		header := fakegithub.Sign(event, p.key(event+": the id of a delivery"), key, whole)
		header.Set("User-Agent", p.mixed(event+": a user agent"))
		header.Set("Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
		header.Set("Tracestate", "vendor="+p.word(event+": the trace state"))
		header.Set("Baggage", "user="+p.word(event+": baggage"))
		post("/github/webhooks?q="+p.key(event+": a query"), header, whole, http.StatusAccepted)
	}
	garbage := []byte("{" + p.mixed("what is no JSON"))
	post("/github/webhooks", fakegithub.Sign("workflow_run", "d-1", key, garbage), garbage, http.StatusBadRequest)
	post("/github/webhooks", fakegithub.Sign(p.word("the name of an event"), "d-2", key, garbage), garbage, http.StatusAccepted)
	post("/github/webhooks", fakegithub.Sign("workflow_run", "d-3", p.key("a wrong secret"), garbage), garbage, http.StatusUnauthorized)
	post("/"+p.word("a path")+"/"+p.email("a path"), fakegithub.Sign("workflow_run", p.mixed("a delivery")[:90], key, garbage), garbage, http.StatusNotFound)
}

// askCI asks ciwatch, with canaries in all fields.
func (p planted) askCI(t *testing.T, nc *nats.Conn) {
	t.Helper()
	field := func(name string) string { return p.word("asked: "+name) + p.email("asked: "+name) }
	for subject, request := range map[string]map[string]any{
		"mlsdm.ci.status":  {"forge": field("a forge")[:60], "repository": field("a repository"), "workflow": field("a workflow"), "branch": field("a branch"), "x": field("x")},
		"mlsdm.ci.check":   {},
		"mlsdm.ci.history": {"repository": "neuron7x/" + field("another repository"), "workflow": field("another workflow")},
		"mlsdm.ci.recover": {"repository": field("a third repository"), "branch": field("a third branch"), "dry_run": true},
	} {
		for _, body := range []any{request, field("no request of " + subject)} {
			data, err := json.Marshal(body)
			require.NoError(t, err)
			require.Eventually(t, func() bool {
				_, err = nc.RequestWithContext(within(t), subject, data)
				return err == nil
			}, process.Patience, 20*time.Millisecond)
		}
	}
}
