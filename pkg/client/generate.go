package client

import (
	"context"

	"github.com/nats-io/nats.go"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// GenerateOption is something to say about a request beside its body. It can be converted to a [SubmitOption].
type GenerateOption func(header nats.Header)

// Cache says what the request has to do with the cache of answers: [events.CacheOn], [events.CacheOff] or [events.CacheRefresh].
// Without it, what the operator has configured for the model.
func Cache(what string) GenerateOption {
	return func(h nats.Header) { h[events.HeaderCache] = []string{what} }
}

// Generate answers a conversation or a prompt, whole. For an answer as it is made, see [Client.GenerateStream]. When ctx ends
// first, so does the work.
func (c *Client) Generate(ctx context.Context, req events.ChatRequest, options ...GenerateOption) (*events.ChatResponse, error) {
	req.Stream, req.StreamOptions = false, nil
	if err := req.Validate(); err != nil {
		return nil, err
	}
	var resp events.ChatResponse
	if err := c.askCancelable(ctx, c.subjects.Interactive(c.caller, events.OpGenerate), req, &resp, options...); err != nil {
		return nil, err
	}
	return &resp, nil
}
