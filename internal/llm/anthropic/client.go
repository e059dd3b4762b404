package anthropic

import (
	"errors"
	"net/http"
	"strings"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/native"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/wire"
)

// DefaultBaseURL is where Anthropic serves its API.
const DefaultBaseURL = "https://api.anthropic.com"

// DefaultMaxTokens is how long an answer may become, in tokens, when neither the request nor [Config] says it: the protocol has no
// request without a bound, and every model can say this much.
const DefaultMaxTokens = 4096

// version is the version of the protocol, as in its header.
const version = "2023-06-01"

// Config describes a server.
type Config struct {
	// Provider is the name under which the server is known here, for example "anthropic". It stands in every error.
	Provider string
	// BaseURL is what /v1/messages is below; a /v1 at its end is cut off. Empty is [DefaultBaseURL].
	BaseURL string
	// HTTP makes the requests; [llm.NewHTTPClient] makes one that fits. It must not follow redirects.
	HTTP *http.Client
	// MaxTokens bounds answers to requests that set no bound, in tokens; 0 is [DefaultMaxTokens].
	MaxTokens int
	// Beta are the names of beta features to ask for, in the header anthropic-beta.
	Beta []string
	// SystemTurns says that the models take system messages in the middle of a conversation, as Claude Opus 4.8 and newer do at
	// Anthropic itself. They are then sent at their place. Without it they are refused, since moving them would change what they mean.
	SystemTurns bool
}

// Client is an [llm.Adapter] and [llm.Lister]. It is safe for concurrent use.
type Client struct {
	server      *wire.Server
	read        native.Reader
	header      http.Header
	maxTokens   int
	systemTurns bool
}

// Interface guards.
var (
	_ llm.Adapter = (*Client)(nil)
	_ llm.Lister  = (*Client)(nil)
)

// New checks cfg and returns a Client. It connects to nothing.
func New(cfg Config) (*Client, error) {
	if cfg.MaxTokens < 0 {
		return nil, errors.New("anthropic: MaxTokens must not be negative")
	}
	if cfg.MaxTokens == 0 {
		cfg.MaxTokens = DefaultMaxTokens
	}
	if cfg.BaseURL == "" {
		cfg.BaseURL = DefaultBaseURL
	}
	server, err := wire.New(wire.Config{
		Provider: cfg.Provider, BaseURL: strings.TrimSuffix(strings.TrimRight(cfg.BaseURL, "/"), "/v1"), HTTP: cfg.HTTP,
		Reset: reset, RequestID: "Request-Id",
	})
	if err != nil {
		return nil, err
	}
	header := http.Header{"Anthropic-Version": {version}}
	if len(cfg.Beta) > 0 {
		header.Set("Anthropic-Beta", strings.Join(cfg.Beta, ","))
	}
	return &Client{
		server: server, read: native.Reader{Server: server, Vendor: "Anthropic"},
		header: header, maxTokens: cfg.MaxTokens, systemTurns: cfg.SystemTurns,
	}, nil
}

// auth is the header that carries the key.
func auth(key string) (name, value string) { return "X-Api-Key", key }
