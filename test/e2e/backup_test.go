package e2e_test

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/pkg/client"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/pkg/webhook"
	"github.com/neuron7x/mlsdm-integrations/test/process"
)

// Types of the events of this story: one that arrives, one that waits for its receiver, one that is given up.
const (
	arrives = "custom.arrives"
	waits   = "custom.waits"
	dies    = "custom.dies"
)

// moody is a receiver that is down for some types of events, and knows nothing yet of the key that it is to verify with.
type moody struct {
	url string

	mu   sync.Mutex
	keys []string
	down map[string]bool
	got  map[string][]string // ids of those it took, by type
}

func newMoody(t *testing.T) *moody {
	t.Helper()
	m := &moody{down: map[string]bool{waits: true, dies: true}, got: map[string][]string{}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return // the sender was killed
		}
		var content struct {
			Type string `json:"type"`
		}
		if err := json.Unmarshal(body, &content); err != nil {
			t.Errorf("a webhook that is no JSON: %s", body)
		}
		m.mu.Lock()
		defer m.mu.Unlock()
		keys, err := webhook.New(m.keys...)
		if err == nil {
			err = keys.Verify(req.Header, body)
		}
		switch {
		case m.down[content.Type]:
			w.WriteHeader(http.StatusServiceUnavailable)
		case err != nil:
			t.Errorf("a webhook that is not signed with the endpoint's key: %s", err)
			w.WriteHeader(http.StatusUnauthorized)
		default:
			m.got[content.Type] = append(m.got[content.Type], req.Header.Get("webhook-id"))
			w.WriteHeader(http.StatusNoContent)
		}
	}))
	t.Cleanup(server.Close)
	m.url = server.URL
	return m
}

// knows has it verify with another key, too.
func (m *moody) knows(key string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.keys = append(m.keys, key)
}

// change has it be down for these types, and no others.
func (m *moody) change(down ...string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.down = map[string]bool{}
	for _, eventType := range down {
		m.down[eventType] = true
	}
}

// took are the ids that it took of a type.
func (m *moody) took(eventType string) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]string(nil), m.got[eventType]...)
}

// town is an installation with its services as processes.
type town struct {
	user

	client   *client.Client
	services []*process.Process
}

// open starts the services on a server.
func open(t *testing.T, url string, environments map[string]map[string]string) *town {
	t.Helper()
	c, err := client.Connect(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(c.Close)
	w := &town{user: connect(t, url), client: c}
	for name, env := range environments {
		all := maps.Clone(env)
		all["NATS_URL"], all["MLSDM_ADMIN_ADDR"] = url, "off"
		w.services = append(w.services, start(t, name, all))
	}
	for name := range environments {
		w.ask(t, "$SRV.PING."+events.MicroName(name), "")
	}
	return w
}

// kill kills all services.
func (w *town) kill() {
	for _, p := range w.services {
		p.Kill()
	}
}

// attempts are the deliveries that are known of, by type of event and status.
func (w *town) attempts(t *testing.T) map[string]map[string]bool {
	t.Helper()
	var list events.DeliveriesList
	require.NoError(t, w.client.Call(t.Context(), events.OpDeliveriesList, events.DeliveriesListRequest{Limit: 1000}, &list))
	all := map[string]map[string]bool{}
	for _, d := range list.Deliveries {
		if all[d.EventType] == nil {
			all[d.EventType] = map[string]bool{}
		}
		all[d.EventType][d.Status] = true
	}
	return all
}

// idsOf are the ids of events.
func idsOf(all []events.Event) []string {
	ids := make([]string, len(all))
	for i, ev := range all {
		ids[i] = ev.ID
	}
	return ids
}

// TestBackupOfAWholeInstallation: of an installation that is gone with all its data, what was backed up is there again elsewhere: endpoints
// with their keys, attempts, dead letters, the state of CI, results, and what had still to be delivered or answered, which is done.
func TestBackupOfAWholeInstallation(t *testing.T) {
	t.Parallel()
	to, gh := newMoody(t), newGitHub(t)
	environments := map[string]map[string]string{
		"dispatcher": {"WEBHOOK_ALLOW_NETWORKS": "127.0.0.0/8", "WEBHOOK_SEAL_KEYS": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="},
		"ciwatch":    gh.env(), "embedder": {},
	}
	from := bustest.Start(t)
	before := open(t, from.URL(), environments)
	made, err := before.client.CreateEndpoint(t.Context(), events.EndpointCreateRequest{Endpoint: events.EndpointSpec{
		ID: "patient", URL: to.url, Events: []string{arrives, waits}, Retry: []string{"200ms", "15s", "15s"},
	}})
	require.NoError(t, err)
	to.knows(made.Secrets[0].Secret.Reveal())
	made, err = before.client.CreateEndpoint(t.Context(), events.EndpointCreateRequest{Endpoint: events.EndpointSpec{
		ID: "hasty", URL: to.url, Events: []string{dies}, Retry: []string{"100ms"},
	}})
	require.NoError(t, err)
	to.knows(made.Secrets[0].Secret.Reveal())
	created := time.Now()
	ids := map[string]string{}
	for _, eventType := range []string{arrives, waits, dies} {
		stored, err := before.client.PublishData(t.Context(), eventType, []byte(`{"n":1}`))
		require.NoError(t, err)
		ids[eventType] = stored.ID
	}
	for range 3 {
		gh.AddRun("failure")
	}
	before.check(t, events.CIDegradedHealth, 3)
	request := events.EmbeddingsRequest{Model: "local/hash-384", Input: []string{"a text"}}
	_, err = before.client.SubmitEmbed(t.Context(), "answered", request)
	require.NoError(t, err)
	var answer events.EmbeddingsResponse
	require.NoError(t, before.client.Result(t.Context(), "answered", &answer))
	eventually(t, "one delivery, one that waits, one that was given up", func() bool {
		known := before.attempts(t)
		return known[arrives][events.AttemptDelivered] && known[waits][events.AttemptRetry] && known[dies][events.AttemptDead] &&
			before.count(t, "MLSDM_WAITING") == 1 && before.count(t, "MLSDM_DELIVERIES") == 0
	})
	before.kill()
	told := idsOf(before.events(t))
	_, err = before.client.SubmitEmbed(t.Context(), "accepted", request) // and nobody is there to answer it
	require.NoError(t, err)

	dir := filepath.Join(t.TempDir(), "backup")
	backup := start(t, "mlsdmctl", map[string]string{"NATS_URL": from.URL()}, "backup", dir)
	require.Zero(t, backup.Exit(), "%s%s", backup.Out, backup.Errs)
	require.Contains(t, backup.Out.String(), "is whole")
	from.Shutdown()

	elsewhere := bustest.Start(t, bustest.Bare())
	for _, command := range [][]string{{"restore", dir, "--yes"}, {"provision"}} {
		p := start(t, "mlsdmctl", map[string]string{"NATS_URL": elsewhere.URL()}, command...)
		require.Zero(t, p.Exit(), "%v: %s%s", command, p.Out, p.Errs)
	}
	// Endpoints that were changed some seconds ago only are caught up with by dispatchers that start: what came since is routed again.
	<-time.After(time.Until(created.Add(6 * time.Second)))
	to.change()
	after := open(t, elsewhere.URL(), environments)
	require.Equal(t, told, idsOf(after.events(t))[:len(told)], "every event, at its place")
	endpoints, err := after.client.Endpoints(t.Context())
	require.NoError(t, err)
	require.Len(t, endpoints, 2)
	known := after.attempts(t)
	require.True(t, known[arrives][events.AttemptDelivered] && known[dies][events.AttemptDead], "%v", known)
	require.Equal(t, 1, after.count(t, "MLSDM_DEADLETTERS"))
	var again events.EmbeddingsResponse
	found, err := after.client.ResultNow(t.Context(), "answered", &again)
	require.NoError(t, err)
	require.True(t, found)
	require.Equal(t, answer, again)
	require.NoError(t, after.client.Result(t.Context(), "accepted", &again), "what was accepted is answered")
	after.check(t, events.CIDegradedHealth, 3)
	eventually(t, "what waited is delivered", func() bool { return len(to.took(waits)) > 0 })
	require.Equal(t, []string{ids[waits]}, to.took(waits))
	require.Equal(t, []string{ids[arrives]}, to.took(arrives), "what was delivered is not delivered again")
	require.Empty(t, to.took(dies), "what was given up stays so")
	eventually(t, "the request that was accepted is told of", func() bool { return len(after.events(t)) > len(told) })
	require.Len(t, after.events(t), len(told)+1, "and nothing is told twice")

	// A dead letter can be replayed where it was restored.
	var replayed events.ReplayReply
	require.NoError(t, after.client.Call(t.Context(), events.OpDeliveriesReplay, events.ReplayRequest{ReplayID: "again"}, &replayed))
	require.Equal(t, 1, replayed.Replayed)
	eventually(t, "what was given up is delivered", func() bool { return len(to.took(dies)) > 0 })
	require.Equal(t, []string{ids[dies]}, to.took(dies))
}
