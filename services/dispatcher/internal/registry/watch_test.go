package registry_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/keyring"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/registry"
)

func TestReplicasSeeEachOthersChanges(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	a, b := s.start(t), s.start(t)
	_, secrets := a.create(t, spec("orders"))
	eventually(t, func() bool { _, ok := b.Set().Get("orders"); return ok }, "it is there elsewhere")
	require.True(t, verifies(t, signed(t, b, "orders", time.Now()), secrets[0]), "another replica signs with the same key")

	var worst time.Duration
	const rounds = 50
	for n := range rounds {
		timeout := fmt.Sprintf("%dms", n+1)
		began := time.Now()
		changed := a.update(t, "orders", `{"timeout":"`+timeout+`"}`)
		e, _ := a.Set().Get("orders")
		require.Equal(t, timeout, e.Spec().Timeout, "who is answered has it")
		require.Equal(t, changed.Endpoint.Revision, e.View().Revision)
		eventually(t, func() bool { e, _ := b.Set().Get("orders"); return e.Spec().Timeout == timeout }, "it is there elsewhere")
		worst = max(worst, time.Since(began))
	}
	t.Logf("the slowest of %d changes was in effect on both replicas after %s", rounds, worst)
	require.Less(t, worst, 2*time.Second)
}

func TestEndpointsOutliveRestarts(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	r := s.start(t)
	_, secrets := r.create(t, spec("orders"))
	r.create(t, spec("gone"))
	s.server.Restart(t)
	var err error
	eventually(t, func() bool {
		_, err = r.Update(t.Context(), events.EndpointUpdateRequest{ID: "orders", Endpoint: []byte(`{"timeout":"7s"}`)})
		return err == nil
	}, "the server is back")
	eventually(t, func() bool {
		_, err = r.Delete(t.Context(), events.EndpointDeleteRequest{ID: "gone"})
		return err == nil
	}, "the server is back")
	eventually(t, func() bool {
		e, ok := r.Set().Get("orders")
		return ok && e.Spec().Timeout == "7s" && r.Set().Len() == 1
	}, "the watch is back")

	later := s.start(t)
	require.Equal(t, 1, later.Set().Len())
	require.True(t, verifies(t, signed(t, later, "orders", time.Now()), secrets[0]))
}

func TestWithoutItsSealKeyAnEndpointSaysSo(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	s.start(t).create(t, spec("orders"))
	sealer, err := keyring.NewSealer(nil)
	require.NoError(t, err)
	r := s.start(t, func(cfg *registry.Config) { cfg.Keys = keyring.New(sealer) })
	e, ok := r.Set().Get("orders")
	require.True(t, ok)
	refused(t, e.Broken(), events.CodeFailedPrecondition, "WEBHOOK_SEAL_KEYS")
	view, err := r.Get(events.EndpointRequest{ID: "orders"})
	require.NoError(t, err)
	require.Equal(t, events.EndpointFailing, view.Status.State)
	require.Contains(t, view.Status.Reason, "WEBHOOK_SEAL_KEYS")

	back, err := keyring.NewSealer([]secret.Value{s.sealKey})
	require.NoError(t, err)
	require.NoError(t, r.ReplaceSealer(back))
	eventually(t, func() bool { e, _ := r.Set().Get("orders"); return e.Broken() == nil }, "with its key it sends again")
	refused(t, r.ReplaceSealer(sealer), events.CodeFailedPrecondition, "orders", "WEBHOOK_SEAL_KEYS")
	r.create(t, spec("more"))
}

func TestARecordThatCannotBeUsedStopsNoOther(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	s.store.set("webhook.shared", canary)
	r := s.start(t)
	r.create(t, spec("good"))
	good := r.raw(t, "good")
	key := `"keys":[{"id":"k1","method":"v1","reference":"secret:webhook.shared","created_at":"2026-01-01T00:00:00Z"}]`
	record := func(id, more string) string {
		return `{"version":1,"spec":{"id":"` + id + `","url":"https://receiver.example/"` + more + `},` + key + `,"created_at":"2026-01-01T00:00:00Z","updated_at":"2026-01-01T00:00:00Z"}`
	}
	hostile := map[string]string{
		"empty":     "",
		"text":      canary,
		"null":      "null",
		"list":      "[]",
		"nothing":   "{}",
		"binary":    "\x00\xff\xfe",
		"deep":      strings.Repeat(`{"spec":`, 500) + "1" + strings.Repeat("}", 500),
		"huge":      `{"version":1,"spec":{"id":"huge","url":"https://x.example/","description":"` + strings.Repeat("x", 2<<20) + `"}}`,
		"other":     record("somebody", ""),
		"unknown":   record("unknown", `,"surprise":1`),
		"number":    strings.Replace(record("number", ""), `"version":1`, `"version":"1"`, 1),
		"zero":      strings.Replace(record("zero", ""), `"version":1`, `"version":0`, 1),
		"newer":     strings.Replace(record("newer", `,"events":["ci.*"],"surprise":1`), `"version":1`, `"version":2`, 1),
		"newest":    `{"version":99,"spec":["` + canary + `"]}`,
		"no-url":    `{"version":1,"spec":{"id":"no-url"},` + key + `}`,
		"bad-url":   strings.Replace(record("bad-url", ""), "https://receiver.example/", "gopher://"+canary+"/", 1),
		"blocked":   strings.Replace(record("blocked", ""), "receiver.example", "169.254.169.254", 1),
		"pattern":   record("pattern", `,"events":["a..b"]`),
		"filter":    record("filter", `,"filter":"data.("`),
		"retry":     record("retry", `,"retry":["soon"]`),
		"header":    record("header", `,"headers":{"webhook-id":"1"}`),
		"split":     record("split", `,"headers":{"X-A":"1\r\nX-B: 2"}`),
		"no-key":    `{"version":1,"spec":{"id":"no-key","url":"https://receiver.example/"},"keys":[]}`,
		"many-keys": strings.Replace(record("many-keys", ""), `"keys":[`, `"keys":[`+strings.Repeat(`{"id":"k","method":"v1","reference":"secret:webhook.shared"},`, 50), 1),
		"method":    strings.Replace(record("method", ""), `"v1"`, `"v9"`, 1),
		"ended":     strings.Replace(record("ended", ""), `"reference"`, `"expires_at":"2026-01-02T00:00:00Z","reference"`, 1),
		"stolen":    strings.Replace(good, `"id":"good"`, `"id":"stolen"`, 1),
		"forbidden": strings.Replace(record("forbidden", ""), "secret:webhook.shared", "secret:openai_api_key", 1),
		"literal":   strings.Replace(record("literal", ""), "secret:webhook.shared", canary, 1),
		"signing":   record("signing", `,"signing":[{"key":"`+canary+`"}]`),
		"tls":       record("tls", `,"tls":{"certificate":"x","key":"`+canary+`"}`),
		"missing":   strings.Replace(record("missing", ""), "secret:webhook.shared", "secret:webhook.gone", 1),
		"timeout":   record("timeout", `,"timeout":"forever"`),
		"twice":     record("twice", `,"timeout":"1s","timeout":"2s"`),
	}
	strange := []string{"a.b", "a/b", "=", strings.Repeat("x", 65)}
	for id, value := range hostile {
		r.put(t, id, value)
	}
	for _, key := range strange {
		r.put(t, key, record(key, ""))
	}
	r.put(t, "fine", record("fine", ""))

	fresh := s.start(t)
	for _, r := range []*replica{r, fresh} {
		eventually(t, func() bool { e, ok := r.Set().Get("fine"); return ok && e.Broken() == nil }, "the good one after the bad ones")
		require.Equal(t, len(hostile)+2, r.Set().Len())
		for id := range hostile {
			e, ok := r.Set().Get(id)
			require.True(t, ok, id)
			require.Error(t, e.Broken(), id)
			var coded *events.Error
			require.ErrorAs(t, e.Broken(), &coded, id)
			require.NotContains(t, coded.Message, canary, id)
			view, err := r.Get(events.EndpointRequest{ID: id})
			require.NoError(t, err)
			require.Equal(t, events.EndpointFailing, view.Status.State, id)
			require.NotEmpty(t, view.Status.Reason, id)
			harmless(t, view)
		}
		list, err := r.List(events.EndpointsListRequest{})
		require.NoError(t, err)
		require.Len(t, list.Endpoints, len(hostile)+2)
		require.True(t, verifies(t, signed(t, r, "fine", time.Now()), canary))
		e, _ := r.Set().Get("newer")
		require.Equal(t, []string{"ci.*"}, e.Spec().Events, "what is known of it says which events it wants")
	}
	_, err := r.Update(t.Context(), events.EndpointUpdateRequest{ID: "newer", Endpoint: []byte(`{"timeout":"1s"}`)})
	refused(t, err, events.CodeFailedPrecondition, "newer")
	_, err = r.Create(t.Context(), events.EndpointCreateRequest{Endpoint: spec("text"), RecipientKey: newKey(t).Public()})
	refused(t, err, events.CodeFailedPrecondition, "already")
	_, err = r.Delete(t.Context(), events.EndpointDeleteRequest{ID: "text"})
	require.NoError(t, err)
	r.create(t, spec("text"))
	require.True(t, verifies(t, signed(t, r, "fine", time.Now()), canary))
}

func TestNothingIsPromisedBeforeTheBucketWasRead(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	s.store.set("webhook.slow", canary)
	first := s.start(t)
	wanted := spec("orders")
	wanted.Signing = []events.EndpointSigning{{Key: "secret:webhook.slow"}}
	first.create(t, wanted)
	release := s.store.block("webhook.slow")
	defer release()
	r := s.launch(t)
	select {
	case <-r.Loaded():
		require.Fail(t, "it has an endpoint that cannot send")
	case <-time.After(200 * time.Millisecond):
	}
	release()
	within(t, r.Loaded())
	require.True(t, verifies(t, signed(t, r, "orders", time.Now()), canary))
}

func TestAStoreThatIsDownKeepsNobodyFromStarting(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	s.store.set("webhook.down", canary)
	first := s.start(t)
	wanted := spec("orders")
	wanted.Headers = map[string]string{"Authorization": "secret:webhook.down"}
	first.create(t, wanted)
	s.store.mu.Lock()
	s.store.err = secret.ErrUnavailable
	s.store.mu.Unlock()
	r := s.start(t)
	e, ok := r.Set().Get("orders")
	require.True(t, ok)
	refused(t, e.Broken(), events.CodeUnavailable, "Authorization", "webhook.down")
	s.store.mu.Lock()
	s.store.err = nil
	s.store.mu.Unlock()
	eventually(t, func() bool { e, _ := r.Set().Get("orders"); return e.Broken() == nil }, "it is asked again")
	e, _ = r.Set().Get("orders")
	require.Equal(t, canary, e.Header().Get("Authorization"))
	require.Equal(t, []string{"Authorization"}, e.Hidden())
	harmless(t, e.View())
}
