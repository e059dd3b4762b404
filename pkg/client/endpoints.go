package client

import (
	"context"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// EndpointChange is what became of a request to make or change a webhook endpoint.
type EndpointChange struct {
	// Endpoint is what it is now, or of a dry run would be.
	Endpoint events.Endpoint
	// Changes names the fields that differ from before.
	Changes []string
	// Secrets are the signing keys that were generated, which are told this once.
	Secrets []EndpointSecret
}

// EndpointSecret is one generated signing key: "whsec_" and base64.
type EndpointSecret struct {
	// KeyID is that of the [events.EndpointKey].
	KeyID string
	// Secret is the key.
	Secret Secret
}

// Endpoints returns all webhook endpoints, ordered by id.
func (c *Client) Endpoints(ctx context.Context) ([]events.Endpoint, error) {
	var all []events.Endpoint
	for req := (events.EndpointsListRequest{}); ; {
		var page events.EndpointsList
		if err := c.Call(ctx, events.OpEndpointsList, req, &page); err != nil {
			return nil, err
		}
		all = append(all, page.Endpoints...)
		if page.Next == "" {
			return all, nil
		}
		if page.Next <= req.After {
			return nil, events.Errorf(events.CodeInternal, "the list of endpoints does not go on: the page after %q ends with it", req.After)
		}
		req.After = page.Next
	}
}

// CreateEndpoint makes a webhook endpoint. Secrets that are generated cross the bus sealed to a key that is made for this
// one request; the RecipientKey of req is overwritten. When the endpoint was made and only the secrets cannot be read, it
// returns both the change and an error of code internal.
func (c *Client) CreateEndpoint(ctx context.Context, req events.EndpointCreateRequest) (EndpointChange, error) {
	return c.changeEndpoint(ctx, events.OpEndpointsCreate, func(recipient string) any {
		req.RecipientKey = recipient
		return req
	})
}

// UpdateEndpoint changes a webhook endpoint. For secrets see [Client.CreateEndpoint].
func (c *Client) UpdateEndpoint(ctx context.Context, req events.EndpointUpdateRequest) (EndpointChange, error) {
	return c.changeEndpoint(ctx, events.OpEndpointsUpdate, func(recipient string) any {
		req.RecipientKey = recipient
		return req
	})
}

// RotateEndpoint gives a webhook endpoint a new signing key. For secrets see [Client.CreateEndpoint].
func (c *Client) RotateEndpoint(ctx context.Context, req events.EndpointRotateRequest) (EndpointChange, error) {
	return c.changeEndpoint(ctx, events.OpEndpointsRotate, func(recipient string) any {
		req.RecipientKey = recipient
		return req
	})
}

func (c *Client) changeEndpoint(ctx context.Context, operation string, request func(recipient string) any) (EndpointChange, error) {
	key, err := newOneTimeKey()
	if err != nil {
		return EndpointChange{}, err
	}
	defer key.wipe()
	var reply events.EndpointChanged
	if err := c.Call(ctx, operation, request(key.public), &reply); err != nil {
		return EndpointChange{}, err
	}
	change := EndpointChange{Endpoint: reply.Endpoint, Changes: reply.Changes}
	for _, sealed := range reply.Secrets {
		secret, err := key.open(sealed.Sealed, sealed.SenderKey)
		if err != nil {
			return change, events.Errorf(events.CodeInternal,
				"endpoint %s is as was asked for, but the generated key %s cannot be read; rotate it: %w", reply.Endpoint.ID, sealed.KeyID, err)
		}
		change.Secrets = append(change.Secrets, EndpointSecret{KeyID: sealed.KeyID, Secret: secret})
	}
	return change, nil
}
