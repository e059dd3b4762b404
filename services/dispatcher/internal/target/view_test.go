package target_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/target"
)

func TestViewHidesSecrets(t *testing.T) {
	t.Parallel()
	spec := events.EndpointSpec{
		ID: "a", URL: "https://user:s3cret@example.com/hook?token=s3cret&v=s3cret&v=2", Events: []string{"ci.*"},
		Headers: map[string]string{
			"Authorization": "Bearer s3cret", "X-Api-Key": "s3cret", "X-Hub-Signature": "s3cret", "Cookie": "a=s3cret", "X-Vault-Token": "secret:token", "X-Plain": "shown",
			"X-Pass": "s3cret", "X-JWT": "s3cret",
		},
		Signing: []events.EndpointSigning{{Key: "secret:hook"}}, TLS: &events.EndpointTLS{CA: "ca", Certificate: "cert", Key: "env:WEBHOOK_TLS"},
	}
	p := parts(t, spec)
	created := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	p.Source, p.Revision, p.CreatedAt, p.UpdatedAt = "bus", 7, created, created.Add(time.Hour)
	p.Shown = []events.EndpointKey{{ID: "k1", Method: "v1", Reference: "secret:hook"}}
	e, err := target.New(p)
	require.NoError(t, err)
	want := spec
	want.URL = "https://***@example.com/hook?token=***&v=***"
	want.Headers = map[string]string{"Authorization": "***", "X-Api-Key": "***", "X-Hub-Signature": "***", "Cookie": "***", "X-Vault-Token": "secret:token", "X-Plain": "shown", "X-Pass": "***", "X-JWT": "***"}
	view := e.View()
	require.Equal(t, events.Endpoint{
		EndpointSpec: want, Source: "bus", Revision: 7, CreatedAt: created, UpdatedAt: created.Add(time.Hour), Keys: p.Shown,
	}, view)
	text, err := json.Marshal(view)
	require.NoError(t, err)
	require.NotContains(t, string(text), "s3cret")
	require.Equal(t, "Bearer s3cret", e.Spec().Headers["Authorization"], "the endpoint itself must not change")
	require.Contains(t, e.URL().String(), "s3cret")
}

// What stands in a query without a name is a value.
func TestViewHidesQueries(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]string{
		"s3cret": "***", "s3cret&a=s3cret": "***&a=***", "a=s3cret;b=s3cret": "a=***", "s3cret;a=s3cret": "***", "s3cret%zz=s3cret": "***", "a%26=s3cret": "a%26=***",
		"a=s3cret&&": "a=***",
	} {
		e, err := target.New(parts(t, events.EndpointSpec{ID: "a", URL: "https://example.com/hook?" + query}))
		require.NoError(t, err, query)
		require.Equal(t, "https://example.com/hook?"+want, e.View().URL, query)
	}
}

// The URL that a reference stands for is a secret as a whole.
func TestViewShowsReferences(t *testing.T) {
	t.Parallel()
	p := parts(t, events.EndpointSpec{ID: "a", URL: "https://example.com/s3cret"})
	p.Spec.URL = "secret:hook"
	e, err := target.New(p)
	require.NoError(t, err)
	require.Equal(t, "secret:hook", e.View().URL)
	p.Spec.URL = "::s3cret" // never stored by us
	e, err = target.New(p)
	require.NoError(t, err)
	require.Equal(t, "***", e.View().URL)
}
