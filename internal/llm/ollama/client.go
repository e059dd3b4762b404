package ollama

import (
	"context"
	"net/http"
	"strings"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/native"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/wire"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
)

// DefaultBaseURL is where Ollama listens when nothing else is said.
const DefaultBaseURL = "http://localhost:11434"

// Config describes a server.
type Config struct {
	// Provider is the name under which the server is known here, for example "ollama". It stands in every error.
	Provider string
	// BaseURL is what /api/chat, /api/embed and /api/tags are below; an /api, or the /v1 of Ollama's other protocols, at its end is cut off. Empty is
	// [DefaultBaseURL].
	BaseURL string
	// HTTP makes the requests; [llm.NewHTTPClient] makes one that fits. It must not follow redirects.
	HTTP *http.Client
}

// Client is an [llm.Adapter], an [llm.EmbedAdapter] and an [llm.Lister]. It is safe for concurrent use.
type Client struct {
	server *wire.Server
	read   native.Reader
}

// Interface guards.
var (
	_ llm.Adapter      = (*Client)(nil)
	_ llm.EmbedAdapter = (*Client)(nil)
	_ llm.Lister       = (*Client)(nil)
)

// New checks cfg and returns a Client. It connects to nothing.
func New(cfg Config) (*Client, error) {
	base := strings.TrimRight(cfg.BaseURL, "/")
	if base == "" {
		base = DefaultBaseURL
	}
	base = strings.TrimSuffix(strings.TrimSuffix(base, "/api"), "/v1")
	server, err := wire.New(wire.Config{Provider: cfg.Provider, BaseURL: base, HTTP: cfg.HTTP, Understand: understand})
	if err != nil {
		return nil, err
	}
	return &Client{server: server, read: native.Reader{Server: server, Vendor: "Ollama"}}, nil
}

// Models implements [llm.Lister]: the models that were pulled or made (GET /api/tags), with their tags.
func (c *Client) Models(ctx context.Context, key secret.Value) ([]string, error) {
	var list struct {
		Models []struct {
			Name string `json:"name"`
		} `json:"models"`
	}
	if err := c.server.Call(ctx, wire.Request{Path: "/api/tags", Key: key}, &list); err != nil {
		return nil, err
	}
	if list.Models == nil {
		return nil, c.server.Bad("it has no list of models")
	}
	names := make([]string, len(list.Models))
	for i, model := range list.Models {
		if model.Name == "" {
			return nil, c.server.Bad("models[%d] has no name", i)
		}
		names[i] = model.Name
	}
	return names, nil
}
