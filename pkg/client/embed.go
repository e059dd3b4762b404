package client

import (
	"context"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Embed turns texts into vectors, one for each input and in their order. Unless the request chooses a form, the vectors
// travel as base64, which is shorter and exact. When ctx ends first, so does the work.
func (c *Client) Embed(ctx context.Context, req events.EmbeddingsRequest) (*events.EmbeddingsResponse, error) {
	if err := req.Validate(); err != nil {
		return nil, err
	}
	chosen := req.EncodingFormat
	if chosen == "" {
		req.EncodingFormat = events.EncodingBase64
	}
	var resp events.EmbeddingsResponse
	subject := c.subjects.Interactive(c.caller, events.OpEmbed)
	if err := c.askCancelable(ctx, subject, req, &resp); err != nil {
		return nil, err
	}
	if len(resp.Data) != req.Count() {
		return nil, events.Errorf(events.CodeInternal, "the reply on %s has %d vectors for %d texts", subject, len(resp.Data), req.Count())
	}
	for i := range resp.Data {
		if resp.Data[i].Index != i {
			return nil, events.Errorf(events.CodeInternal, "the reply on %s has the vector of text %d in place %d", subject, resp.Data[i].Index, i)
		}
		if chosen == "" { // how it travelled is not how the caller wants to see it
			resp.Data[i].Embedding.Base64 = false
		}
	}
	return &resp, nil
}
