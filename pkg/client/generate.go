package client

import (
	"context"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Generate answers a conversation or a prompt, whole. For an answer as it is made, see [Client.GenerateStream]. When ctx ends
// first, so does the work.
func (c *Client) Generate(ctx context.Context, req events.ChatRequest) (*events.ChatResponse, error) {
	req.Stream, req.StreamOptions = false, nil
	if err := req.Validate(); err != nil {
		return nil, err
	}
	var resp events.ChatResponse
	if err := c.askCancelable(ctx, c.subjects.Interactive(c.caller, events.OpGenerate), req, &resp); err != nil {
		return nil, err
	}
	return &resp, nil
}
