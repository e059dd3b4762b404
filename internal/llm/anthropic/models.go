package anthropic

import (
	"context"
	"net/url"

	"github.com/neuron7x/mlsdm-integrations/internal/llm/wire"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
)

// maxPages bounds how many pages of models are read, a thousand models each.
const maxPages = 10

// Models implements [llm.Lister]: the models that can be called, retired ones not among them (GET /v1/models).
func (c *Client) Models(ctx context.Context, key secret.Value) ([]string, error) {
	var names []string
	query := url.Values{"limit": {"1000"}}
	for range maxPages {
		var page struct {
			Data []struct {
				ID string `json:"id"`
			} `json:"data"`
			HasMore bool   `json:"has_more"`
			LastID  string `json:"last_id"`
		}
		err := c.server.Call(ctx, wire.Request{Path: "/v1/models?" + query.Encode(), Key: key, Auth: auth, Header: c.header}, &page)
		if err != nil {
			return nil, err
		}
		if page.Data == nil {
			return nil, c.server.Bad("it has no list of models")
		}
		for i, model := range page.Data {
			if model.ID == "" {
				return nil, c.server.Bad("data[%d] has no id", i)
			}
			names = append(names, model.ID)
		}
		if !page.HasMore {
			return names, nil
		}
		if page.LastID == "" || page.LastID == query.Get("after_id") {
			return nil, c.server.Bad("there are more models, but it is not said after which")
		}
		query.Set("after_id", page.LastID)
	}
	return nil, c.server.Bad("the list of models does not end after %d pages", maxPages)
}
