package target_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/egress"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/pkg/webhook"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/filter"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/schedule"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/target"
)

// parts returns what an endpoint is made of that has one v1 key.
func parts(t testing.TB, spec events.EndpointSpec) target.Parts {
	t.Helper()
	if spec.URL == "" {
		spec.URL = "https://example.com/hook"
	}
	u, err := target.ParseURL(spec.URL)
	require.NoError(t, err)
	return target.Parts{Spec: spec, URL: u, Keys: []target.Key{hmacKey(t, "s3cret", time.Time{})}, Client: &http.Client{}}
}

func hmacKey(t testing.TB, text string, expires time.Time) target.Key {
	t.Helper()
	signer, err := webhook.NewHMAC(text)
	require.NoError(t, err)
	return target.Key{Signer: signer, BodySecret: secret.NewValue(text), ExpiresAt: expires}
}

func newEndpoint(t testing.TB, spec events.EndpointSpec) *target.Endpoint {
	t.Helper()
	e, err := target.New(parts(t, spec))
	require.NoError(t, err)
	return e
}

func wants(e *target.Endpoint, eventType, data string) bool {
	return e.Wants(filter.NewFacts(events.Event{Type: eventType, Data: []byte(data)}))
}

func TestWants(t *testing.T) {
	t.Parallel()
	tests := []struct {
		patterns  string
		eventType string
		want      bool
	}{
		{">", "ci.degraded", true},
		{"", "ci.degraded", true}, // no pattern is ">"
		{">", "custom.a.b.c", true},
		{"*", "custom.a", false},
		{"*", "deploy", true},
		{"ci.*", "ci.degraded", true},
		{"ci.*", "ci", false},
		{"ci.*", "ci.run.failed", false},
		{"ci.*", "cid.degraded", false},
		{"ci.>", "ci.run.failed", true},
		{"ci.>", "ci", false},
		{"*.degraded", "ci.degraded", true},
		{"*.degraded", "ci.degraded.v2", false},
		{"ci.degraded", "ci.degraded", true},
		{"ci.degraded", "ci.recovered", false},
		{"ci.degraded", "CI.degraded", false},
		{"ci.degraded ci.recovered", "ci.recovered", true},
		// No echoes: by name, or not at all.
		{">", "delivery.failed", false},
		{"", "delivery.failed", false},
		{"*.*", "delivery.failed", false},
		{"delivery.*", "delivery.failed", false},
		{"delivery.>", "delivery.failed", false},
		{"> endpoint.disabled", "endpoint.disabled", true},
		{">", "endpoint.recovered", false},
		{"delivery.failed", "delivery.failed", true},
		{"delivery.failed", "delivery.failed.v2", false},
		{">", "delivery.failed.v2", true}, // not of the catalogue: somebody's own
	}
	for _, tt := range tests {
		spec := events.EndpointSpec{ID: "a", Events: strings.Fields(tt.patterns)}
		require.Equal(t, tt.want, wants(newEndpoint(t, spec), tt.eventType, `{"endpoint_id":"b"}`), "%q on %q", tt.patterns, tt.eventType)
		spec.Disabled = true
		require.False(t, wants(newEndpoint(t, spec), tt.eventType, `{"endpoint_id":"b"}`), "disabled")
	}
}

func TestWantsNothingAboutItself(t *testing.T) {
	t.Parallel()
	e := newEndpoint(t, events.EndpointSpec{ID: "a", Events: []string{"delivery.failed", ">"}})
	require.False(t, wants(e, "delivery.failed", `{"endpoint_id":"a"}`))
	require.True(t, wants(e, "delivery.failed", `{"endpoint_id":"b"}`))
	require.True(t, wants(e, "delivery.failed", `[]`))
	require.True(t, wants(e, "delivery.failed", ``))
	require.True(t, wants(e, "custom.x", `{"endpoint_id":"a"}`), "only the dispatcher's own news are about endpoints")
}

func TestWantsWhatTheFilterSays(t *testing.T) {
	t.Parallel()
	e := newEndpoint(t, events.EndpointSpec{ID: "a", Events: []string{"custom.*"}, Filter: `data.total > 100`})
	require.True(t, wants(e, "custom.x", `{"total": 101}`))
	require.False(t, wants(e, "custom.x", `{"total": 100}`))
	require.False(t, wants(e, "custom.x", `{}`))
	require.False(t, wants(e, "other.x", `{"total": 101}`))
}

func TestNew(t *testing.T) {
	t.Parallel()
	e := newEndpoint(t, events.EndpointSpec{ID: "a"})
	require.Equal(t, "a", e.ID())
	require.Equal(t, 15*time.Second, e.Timeout())
	require.Equal(t, schedule.Standard(), e.Schedule())
	require.False(t, e.Strict() || e.Disabled())
	require.NoError(t, e.Broken())
	require.NotNil(t, e.Client())
	require.Equal(t, "https://example.com/hook", e.URL().String())

	p := parts(t, events.EndpointSpec{
		ID: "b", Timeout: "1.5s", Retry: []string{"fast"}, Ordering: events.OrderingStrict, Disabled: true, Format: events.FormatMLSDM,
	})
	p.Header, p.Hidden = http.Header{"X-A": {"1"}, "Authorization": {"Bearer s3cret"}, "X-Custom": {"s3cret"}}, []string{"X-Custom"}
	e, err := target.New(p)
	require.NoError(t, err)
	require.Equal(t, 1500*time.Millisecond, e.Timeout())
	require.Equal(t, schedule.Fast(), e.Schedule())
	require.True(t, e.Strict() && e.Disabled())
	require.Equal(t, p.Header, e.Header())
	require.Equal(t, []egress.Field{{Name: "Authorization", Value: "Bearer s3cret"}, {Name: "X-A", Value: "1"}, {Name: "X-Custom", Value: "s3cret"}}, e.Fields())
	require.ElementsMatch(t, []string{"X-Custom", "Authorization"}, e.Hidden())
	text, contentType, err := e.Body(events.Event{Type: "custom.x", Data: []byte(`1`), Time: time.Unix(0, 0)})
	require.NoError(t, err)
	require.Equal(t, "application/json", contentType)
	require.JSONEq(t, `{"event_type": "custom.x", "timestamp": 0.0, "data": {"value": 1}, "source": "mlsdm", "event_id": null}`, string(text))
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(p *target.Parts){
		"retry":       func(p *target.Parts) { p.Spec.Retry = []string{"slow"} },
		"timeout":     func(p *target.Parts) { p.Spec.Timeout = "long" },
		"the pattern": func(p *target.Parts) { p.Spec.Events = []string{"ci..x"} },
		"the filter":  func(p *target.Parts) { p.Spec.Filter = "data" },
		"url":         func(p *target.Parts) { p.URL = nil },
		"tls":         func(p *target.Parts) { p.URL.Scheme, p.Spec.TLS = "http", &events.EndpointTLS{ServerName: "x"} },
		"no key":      func(p *target.Parts) { p.Keys = nil },
		"method v1":   func(p *target.Parts) { p.Spec.BodySignature, p.Keys[0].BodySecret = true, secret.Value{} },
		"key 1": func(p *target.Parts) {
			p.Spec.BodySignature, p.Keys[0].BodySecret = true, secret.NewValue("whsec_s3cret!")
		},
	} {
		p := parts(t, events.EndpointSpec{ID: "a", URL: "https://user:s3cret@example.com"})
		change(&p)
		e, err := target.New(p)
		require.Nil(t, e, want)
		require.Equal(t, events.CodeInvalidArgument, events.CodeOf(err), want)
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), "s3cret")
	}
}

// A broken endpoint is there, wants events and cannot send.
func TestBroken(t *testing.T) {
	t.Parallel()
	cause := errors.New("no such secret")
	e, err := target.New(target.Parts{Spec: events.EndpointSpec{ID: "a", URL: "secret:hook"}, Broken: cause})
	require.NoError(t, err)
	require.Equal(t, cause, e.Broken())
	require.Nil(t, e.URL())
	require.True(t, wants(e, "ci.degraded", "{}"))
	require.Equal(t, "secret:hook", e.View().URL)
	_, err = sign(t, e, "id", time.Now(), nil)
	require.Error(t, err)
}
