package cohere

import (
	"context"
	"net/url"

	"github.com/neuron7x/mlsdm-integrations/internal/llm/wire"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
)

// maxPages bounds how many pages of models are read, a thousand models each.
const maxPages = 10

// Models implements [llm.Lister]: the models that can chat, deprecated ones not among them (GET /v1/models; the second version of the
// API has no such request).
func (c *Client) Models(ctx context.Context, key secret.Value) ([]string, error) {
	var names []string
	query := url.Values{"endpoint": {"chat"}, "page_size": {"1000"}}
	for range maxPages {
		var page struct {
			Models []struct {
				Name       string `json:"name"`
				Deprecated bool   `json:"is_deprecated"`
			} `json:"models"`
			Next string `json:"next_page_token"`
		}
		if err := c.server.Call(ctx, wire.Request{Path: "/v1/models?" + query.Encode(), Key: key}, &page); err != nil {
			return nil, err
		}
		if page.Models == nil {
			return nil, c.server.Bad("it has no list of models")
		}
		for i, model := range page.Models {
			switch {
			case model.Name == "":
				return nil, c.server.Bad("models[%d] has no name", i)
			case !model.Deprecated:
				names = append(names, model.Name)
			}
		}
		if page.Next == "" {
			return names, nil
		}
		query.Set("page_token", page.Next)
	}
	return nil, c.server.Bad("the list of models does not end after %d pages", maxPages)
}
