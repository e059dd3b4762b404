// Package openai speaks OpenAI's HTTP protocol to whoever serves it: OpenAI, the compatibility endpoints of Cohere,
// Anthropic and Hugging Face, Ollama, vLLM, llama.cpp, text-embeddings-inference and the like.
//
// It is written on net/http and not on a vendor's SDK, so that every header, unknown field and failure stays in reach:
// answers are bounded and checked before anybody sees them, exhausted quotas are not retried, and the API key is cut
// out of whatever a server says.
package openai

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Config describes one server.
type Config struct {
	// Provider is the name under which the server is known here, for example "openai". It stands in every error.
	Provider string
	// BaseURL is the part before /embeddings and /chat/completions, for example "https://api.openai.com/v1".
	BaseURL string
	// Key is sent as a bearer token. It may be empty: local servers want none. A live one is read for every request, and asked
	// for anew when the server refuses it.
	Key secret.Value
	// HTTP makes the requests; [llm.NewHTTPClient] makes one that fits. It must not follow redirects.
	HTTP *http.Client
	// Attempts says how failed requests are repeated. The zero value does not repeat them.
	Attempts llm.Attempts

	// Base64 asks for vectors as base64, a quarter of the size of decimal numbers. Both forms are understood whatever
	// was asked for.
	Base64 bool
	// MaxBatch is how many texts the server takes in one request; larger requests are split. 0 is [events.MaxInputs].
	MaxBatch int

	// NoStreamOptions leaves stream_options out of requests, for servers that refuse it. Their streams count no tokens.
	NoStreamOptions bool
	// Refuse names request fields that the server is known to ignore. Asking for one of them is answered unsupported,
	// since an answer that silently lacks what was asked for would be worse.
	Refuse []string
	// FirstChunk and Idle bound the wait for the first chunk of a stream and for each further one; 0 does not bound it.
	FirstChunk, Idle time.Duration
}

// Client is an [llm.Embedder], [llm.Generator] and [llm.Streamer] for one server. It is safe for concurrent use.
type Client struct {
	cfg  Config
	base string
	sent sentKeys
}

// Interface guards.
var (
	_ llm.Embedder  = (*Client)(nil)
	_ llm.Generator = (*Client)(nil)
	_ llm.Streamer  = (*Client)(nil)
)

// New checks cfg and returns a Client. It connects to nothing.
func New(cfg Config) (*Client, error) {
	if cfg.Provider == "" || cfg.HTTP == nil {
		return nil, errors.New("openai: Provider and HTTP must be set")
	}
	base, err := CheckBaseURL(cfg.BaseURL)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", cfg.Provider, err)
	}
	if _, err := checkKey(cfg.Key.Reveal()); err != nil {
		return nil, fmt.Errorf("%s: %w", cfg.Provider, err)
	}
	if cfg.MaxBatch <= 0 || cfg.MaxBatch > events.MaxInputs {
		cfg.MaxBatch = events.MaxInputs
	}
	cfg.Refuse = slices.Clone(cfg.Refuse)
	return &Client{cfg: cfg, base: base}, nil
}

// CheckBaseURL checks that raw is an absolute http or https URL without credentials, query and fragment, and returns it
// without a slash at its end.
func CheckBaseURL(raw string) (string, error) {
	u, err := url.Parse(raw)
	switch {
	case err != nil: // the parser's words repeat the URL, and a URL may hold a password
		return "", errors.New("the base URL is not a URL")
	case u.Scheme != "http" && u.Scheme != "https", u.Host == "":
		return "", errors.New("the base URL must start with http:// or https:// and name a host")
	case u.User != nil:
		return "", errors.New("the base URL must not hold credentials; use the API key")
	case u.RawQuery != "" || u.Fragment != "":
		return "", errors.New("the base URL must not have a query or a fragment")
	}
	return strings.TrimRight(u.String(), "/"), nil
}
