package registry_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/pkg/webhook"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/keyring"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/registry"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/target"
)

func TestACreatedEndpointIsThere(t *testing.T) {
	t.Parallel()
	r := newStack(t).start(t)
	before := time.Now()
	wanted := spec("orders")
	wanted.Events, wanted.Description, wanted.Headers = []string{"ci.*"}, "the shop", map[string]string{"X-Env": "test"}
	changed, secrets := r.create(t, wanted)
	require.Equal(t, []string{"prepare orders"}, r.called())

	view := changed.Endpoint
	require.Equal(t, wanted, view.EndpointSpec)
	require.Equal(t, "bus", view.Source)
	require.Positive(t, view.Revision)
	require.WithinRange(t, view.CreatedAt, before, time.Now())
	require.Equal(t, view.CreatedAt, view.UpdatedAt)
	require.Len(t, view.Keys, 1)
	require.Equal(t, events.SignHMAC, view.Keys[0].Method)

	got, err := r.Get(events.EndpointRequest{ID: "orders"})
	require.NoError(t, err)
	require.Equal(t, view, got)
	require.Len(t, secrets, 1)
	require.Equal(t, view.Keys[0].ID, changed.Secrets[0].KeyID)
	require.True(t, strings.HasPrefix(secrets[0], "whsec_"))
	require.True(t, verifies(t, signed(t, r, "orders", time.Now()), secrets[0]))
	require.NotContains(t, r.raw(t, "orders"), strings.TrimPrefix(secrets[0], "whsec_"), "the key is stored sealed")

	_, err = r.Create(t.Context(), events.EndpointCreateRequest{Endpoint: spec("orders"), RecipientKey: newKey(t).Public()})
	refused(t, err, events.CodeFailedPrecondition, "already", "orders")
}

func TestSeveralKeysSignAtOnce(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	s.store.set("webhook.shared", "text "+canary)
	r := s.start(t)
	wanted := spec("orders")
	wanted.Signing = []events.EndpointSigning{{Method: events.SignEd25519}, {Key: "secret:webhook.shared"}, {Method: events.SignHMAC}, {Key: "env:WEBHOOK_TOKEN"}}
	changed, secrets := r.create(t, wanted)
	require.Len(t, secrets, 1, "only a generated secret is told")
	require.Len(t, changed.Endpoint.Keys, 4)
	h := signed(t, r, "orders", time.Now())
	for _, key := range []string{changed.Endpoint.Keys[0].PublicKey, "text " + canary, secrets[0], "from the environment " + canary} {
		require.True(t, verifies(t, h, key))
	}
	require.Equal(t, "secret:webhook.shared", changed.Endpoint.Keys[1].Reference)
	require.Equal(t, changed.Secrets[0].KeyID, changed.Endpoint.Keys[2].ID)
	harmless(t, changed)
	require.NotContains(t, r.raw(t, "orders"), canary)
}

func TestAGeneratedKeyPairNeedsNoRecipient(t *testing.T) {
	t.Parallel()
	r := newStack(t).start(t)
	wanted := spec("orders")
	wanted.Signing = []events.EndpointSigning{{Method: events.SignEd25519}}
	changed, err := r.Create(t.Context(), events.EndpointCreateRequest{Endpoint: wanted})
	require.NoError(t, err)
	require.Empty(t, changed.Secrets)
	require.True(t, verifies(t, signed(t, r, "orders", time.Now()), changed.Endpoint.Keys[0].PublicKey))
}

func TestADryRunChangesNothing(t *testing.T) {
	t.Parallel()
	r := newStack(t).start(t)
	changed, err := r.Create(t.Context(), events.EndpointCreateRequest{Endpoint: spec("orders"), RecipientKey: newKey(t).Public(), DryRun: true})
	require.NoError(t, err)
	require.Equal(t, "orders", changed.Endpoint.ID)
	require.Zero(t, changed.Endpoint.Revision)
	require.Empty(t, changed.Secrets)
	require.Empty(t, changed.Endpoint.Keys[0].ID, "another one will be made")
	require.Empty(t, r.called())
	_, err = r.Get(events.EndpointRequest{ID: "orders"})
	refused(t, err, events.CodeNotFound, "orders")
	_, _, err = r.bucket(t).Get(t.Context(), "orders")
	require.ErrorIs(t, err, bus.ErrNotFound)
}

func TestWhatCannotBeCreated(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	s.store.set("webhook.url", "https://"+canary+"@169.254.169.254/"+canary)
	s.store.set("webhook.not-url", canary)
	s.store.set("webhook.lines", canary+"\r\nX-Evil: "+canary)
	s.store.set("webhook.short", "whsec_"+canary+"!")
	s.store.set("other", canary)
	r := s.start(t)
	for name, test := range map[string]struct {
		change func(*events.EndpointCreateRequest)
		code   events.Code
		words  []string
	}{
		"no url":               {func(q *events.EndpointCreateRequest) { q.Endpoint.URL = "" }, events.CodeInvalidArgument, []string{"url"}},
		"a bad id":             {func(q *events.EndpointCreateRequest) { q.Endpoint.ID = "a.b" }, events.CodeInvalidArgument, []string{"id"}},
		"a blocked url":        {func(q *events.EndpointCreateRequest) { q.Endpoint.URL = "https://169.254.169.254/" + canary }, events.CodeInvalidArgument, []string{"url", "not allowed"}},
		"a secret blocked url": {func(q *events.EndpointCreateRequest) { q.Endpoint.URL = "secret:webhook.url" }, events.CodeInvalidArgument, []string{"url", "not allowed"}},
		"a secret that is no url": {
			func(q *events.EndpointCreateRequest) { q.Endpoint.URL = "secret:webhook.not-url" }, events.CodeInvalidArgument, []string{"url"},
		},
		"a secret that splits a header": {
			func(q *events.EndpointCreateRequest) {
				q.Endpoint.Headers = map[string]string{"X-A": "secret:webhook.lines"}
			}, events.CodeInvalidArgument, []string{"X-A", "control"},
		},
		"a header that is ours": {func(q *events.EndpointCreateRequest) { q.Endpoint.Headers = map[string]string{"webhook-id": "1"} }, events.CodeInvalidArgument, []string{"webhook-id"}},
		"a pattern":             {func(q *events.EndpointCreateRequest) { q.Endpoint.Events = []string{"a..b"} }, events.CodeInvalidArgument, nil},
		"a filter":              {func(q *events.EndpointCreateRequest) { q.Endpoint.Filter = "data.(" }, events.CodeInvalidArgument, []string{"filter"}},
		"no such secret":        {func(q *events.EndpointCreateRequest) { q.Endpoint.URL = "secret:webhook.gone" }, events.CodeNotFound, []string{"url", "webhook.gone"}},
		"a secret of others": {
			func(q *events.EndpointCreateRequest) { q.Endpoint.Headers = map[string]string{"X-A": "secret:other"} }, events.CodePermissionDenied, []string{"X-A", "webhook.*"},
		},
		"a setting of ours": {
			func(q *events.EndpointCreateRequest) {
				q.Endpoint.Headers = map[string]string{"X-A": "env:WEBHOOK_SECRET"}
			}, events.CodePermissionDenied, []string{"WEBHOOK_SECRET"},
		},
		"no key": {
			func(q *events.EndpointCreateRequest) {
				q.Endpoint.Signing = []events.EndpointSigning{{Key: "secret:webhook.short"}}
			}, events.CodeFailedPrecondition, []string{"signing", "webhook.short"},
		},
		"a key in the clear": {
			func(q *events.EndpointCreateRequest) { q.Endpoint.Signing = []events.EndpointSigning{{Key: canary}} }, events.CodeInvalidArgument, []string{"signing", "reference"},
		},
		"a client certificate without its key": {
			func(q *events.EndpointCreateRequest) { q.Endpoint.TLS = &events.EndpointTLS{CA: canary} }, events.CodeInvalidArgument, []string{"tls.ca"},
		},
		"no recipient":  {func(q *events.EndpointCreateRequest) { q.RecipientKey = "" }, events.CodeInvalidArgument, []string{"recipient_key"}},
		"bad recipient": {func(q *events.EndpointCreateRequest) { q.RecipientKey = canary }, events.CodeInvalidArgument, []string{"recipient_key"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			req := events.EndpointCreateRequest{Endpoint: spec("orders"), RecipientKey: newKey(t).Public()}
			test.change(&req)
			for _, dry := range []bool{true, false} {
				req.DryRun = dry
				changed, err := r.Create(t.Context(), req)
				refused(t, err, test.code, test.words...)
				require.Zero(t, changed)
			}
		})
	}
	t.Cleanup(func() {
		_, ok := r.Set().Get("orders")
		require.False(t, ok)
	})
}

func TestWithoutASealKeyAReferenceIsNeeded(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	s.store.set("webhook.shared", canary)
	sealer, err := keyring.NewSealer(nil)
	require.NoError(t, err)
	r := s.start(t, func(cfg *registry.Config) { cfg.Keys = keyring.New(sealer) })
	_, err = r.Create(t.Context(), events.EndpointCreateRequest{Endpoint: spec("orders"), RecipientKey: newKey(t).Public()})
	refused(t, err, events.CodeFailedPrecondition, "WEBHOOK_SEAL_KEYS", "signing[].key")
	wanted := spec("orders")
	wanted.Signing = []events.EndpointSigning{{Key: "secret:webhook.shared"}}
	_, err = r.Create(t.Context(), events.EndpointCreateRequest{Endpoint: wanted})
	require.NoError(t, err)
	require.True(t, verifies(t, signed(t, r, "orders", time.Now()), canary))
}

func TestConfiguredEndpointsAreNotTheBussToChange(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	signer, err := webhook.NewHMAC("text")
	require.NoError(t, err)
	u, err := target.ParseURL("https://configured.example/")
	require.NoError(t, err)
	configured, err := target.New(target.Parts{
		Spec: events.EndpointSpec{ID: "default", URL: u.String()}, URL: u, Keys: []target.Key{{Signer: signer}}, Source: "environment",
	})
	require.NoError(t, err)
	r := s.launch(t, func(cfg *registry.Config) { cfg.Static = []*target.Endpoint{configured} })
	_, ok := r.Set().Get("default")
	require.True(t, ok, "it is there before the bucket is read")
	within(t, r.Loaded())

	ctx := t.Context()
	_, err = r.Create(ctx, events.EndpointCreateRequest{Endpoint: spec("default"), RecipientKey: newKey(t).Public()})
	refused(t, err, events.CodeFailedPrecondition, "configuration", "WEBHOOK_URL")
	_, err = r.Update(ctx, events.EndpointUpdateRequest{ID: "default", Endpoint: []byte(`{"disabled":true}`)})
	refused(t, err, events.CodeFailedPrecondition, "configuration")
	_, err = r.Rotate(ctx, events.EndpointRotateRequest{ID: "default"})
	refused(t, err, events.CodeFailedPrecondition, "configuration")
	_, err = r.Delete(ctx, events.EndpointDeleteRequest{ID: "default"})
	refused(t, err, events.CodeFailedPrecondition, "configuration")

	r.put(t, "default", `{"version":1,"spec":{"id":"default","url":"https://other.example/"}}`)
	r.create(t, spec("orders")) // when this one is there, the other has been heard of
	view, err := r.Get(events.EndpointRequest{ID: "default"})
	require.NoError(t, err)
	require.Equal(t, "https://configured.example/", view.URL)
	require.Equal(t, "environment", view.Source)
	require.Zero(t, view.Revision)
	require.NoError(t, r.bucket(t).Delete(ctx, "default", 0))
	r.create(t, spec("more"))
	require.Equal(t, 3, r.Set().Len())
	r.stop()
	require.Contains(t, r.log.String(), "the configured one counts")
}
