package cohere

import (
	"net/http"
	"strings"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/native"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/wire"
)

// DefaultBaseURL is where Cohere serves its API.
const DefaultBaseURL = "https://api.cohere.com"

// Config describes a server.
type Config struct {
	// Provider is the name under which the server is known here, for example "cohere". It stands in every error.
	Provider string
	// BaseURL is what /v2/chat, /v2/embed and /v1/models are below; a /v2 or /v1 at its end is cut off. Empty is [DefaultBaseURL].
	BaseURL string
	// HTTP makes the requests; [llm.NewHTTPClient] makes one that fits. It must not follow redirects.
	HTTP *http.Client
	// Base64 asks for vectors as base64, a quarter of the size of decimal numbers. Both forms are read, whatever was asked for.
	Base64 bool
}

// Client is an [llm.Adapter], an [llm.EmbedAdapter] and an [llm.Lister]. It is safe for concurrent use.
type Client struct {
	server *wire.Server
	read   native.Reader
	base64 bool // vectors are asked for in it
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
	base = strings.TrimSuffix(strings.TrimSuffix(base, "/v2"), "/v1")
	server, err := wire.New(wire.Config{Provider: cfg.Provider, BaseURL: base, HTTP: cfg.HTTP, Understand: understand})
	if err != nil {
		return nil, err
	}
	return &Client{server: server, read: native.Reader{Server: server, Vendor: "Cohere"}, base64: cfg.Base64}, nil
}
