package client_test

import (
	"context"
	"strings"
	"testing"

	"github.com/nats-io/nkeys"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/pkg/client"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

func TestEndpointsOfAllPages(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t, bustest.Bare())
	pages := map[string]events.EndpointsList{
		"":     {Endpoints: []events.Endpoint{{Source: "environment"}}, Next: "a"},
		"a":    {Next: "b"},
		"b":    {Endpoints: []events.Endpoint{{Source: "bus"}, {Source: "bus"}}},
		"loop": {Next: "loop"},
	}
	serve(t, s, events.OpEndpointsList, func(_ context.Context, r *bus.Request) error {
		var req events.EndpointsListRequest
		if err := events.DecodeJSON(r.Body, &req); err != nil {
			return err
		}
		return respond(r, pages[req.After])
	})
	c := connect(t, s)
	all, err := c.Endpoints(within(t))
	require.NoError(t, err)
	require.Len(t, all, 3)

	pages["b"] = events.EndpointsList{Next: "a"}
	_, err = c.Endpoints(within(t))
	requireCode(t, events.CodeInternal, err) // and not a loop without an end
}

func TestGeneratedKeysOfEndpoints(t *testing.T) {
	t.Parallel()
	spoiled := false
	recipients := map[string]bool{}
	answer := func(_ context.Context, r *bus.Request) error {
		var req struct {
			RecipientKey string `json:"recipient_key"`
		}
		if err := events.DecodeJSON(r.Body, &req); err != nil {
			return err
		}
		recipients[req.RecipientKey] = true
		key, err := nkeys.CreateCurveKeys()
		if err != nil {
			return err
		}
		public, err := key.PublicKey()
		if err != nil {
			return err
		}
		sealed, err := key.Seal([]byte(canary), req.RecipientKey)
		if err != nil {
			return err
		}
		if spoiled {
			sealed[0] ^= 1
		}
		return respond(r, events.EndpointChanged{
			Endpoint: events.Endpoint{EndpointSpec: events.EndpointSpec{ID: "x"}}, Changes: []string{"signing"},
			Secrets: []events.EndpointSecret{{KeyID: "k1", SenderKey: public, Sealed: sealed}},
		})
	}
	s := bustest.Start(t, bustest.Bare())
	for _, operation := range []string{events.OpEndpointsCreate, events.OpEndpointsUpdate, events.OpEndpointsRotate} {
		serve(t, s, operation, answer)
	}
	c := connect(t, s)
	ask := []func() (client.EndpointChange, error){
		func() (client.EndpointChange, error) {
			return c.CreateEndpoint(within(t), events.EndpointCreateRequest{Endpoint: events.EndpointSpec{ID: "x", URL: "https://example.com"}})
		},
		func() (client.EndpointChange, error) {
			return c.UpdateEndpoint(within(t), events.EndpointUpdateRequest{ID: "x", Endpoint: []byte(`{}`)})
		},
		func() (client.EndpointChange, error) {
			return c.RotateEndpoint(within(t), events.EndpointRotateRequest{ID: "x"})
		},
	}
	for _, f := range ask {
		change, err := f()
		require.NoError(t, err)
		require.Equal(t, "x", change.Endpoint.ID)
		require.Equal(t, []string{"signing"}, change.Changes)
		require.Len(t, change.Secrets, 1)
		require.Equal(t, "k1", change.Secrets[0].KeyID)
		require.Equal(t, canary, change.Secrets[0].Secret.Reveal())
	}
	require.Len(t, recipients, len(ask), "a key is used once")
	for recipient := range recipients {
		require.True(t, strings.HasPrefix(recipient, "X"))
	}

	spoiled = true
	change, err := ask[0]()
	requireCode(t, events.CodeInternal, err)
	require.ErrorContains(t, err, "rotate it")
	require.Equal(t, "x", change.Endpoint.ID, "it was made all the same")
	require.Empty(t, change.Secrets)
}
