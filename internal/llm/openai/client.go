// Package openai speaks OpenAI's HTTP protocol to whoever serves it: OpenAI and Azure OpenAI, the compatibility endpoints of Cohere,
// Anthropic and Hugging Face, Ollama, vLLM, llama.cpp, text-embeddings-inference and the like.
//
// It is written on net/http (through package wire) and not on a vendor's SDK, so that every header, unknown field and failure stays in
// reach: answers are bounded and checked before anybody sees them, exhausted quotas are not retried, and the API key is cut out of
// whatever a server says.
package openai

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/wire"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Config describes one server for a [Client].
type Config struct {
	// Provider is the name under which the server is known here, for example "openai". It stands in every error.
	Provider string
	// BaseURL is the part before /embeddings, for example "https://api.openai.com/v1".
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
}

// Client is an [llm.Embedder] for one server, with one key and with repetitions. It is safe for concurrent use.
type Client struct {
	cfg     Config
	adapter *Adapter
}

var _ llm.Embedder = (*Client)(nil)

// New checks cfg and returns a Client. It connects to nothing.
func New(cfg Config) (*Client, error) {
	if strings.ContainsFunc(strings.TrimSpace(cfg.Key.Reveal()), func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, fmt.Errorf("%s: the API key holds a character that no key has (a space, a line break?)", cfg.Provider)
	}
	adapter, err := NewAdapter(cfg.Provider, cfg.BaseURL, cfg.HTTP, Options{})
	if err != nil {
		return nil, err
	}
	if cfg.MaxBatch <= 0 || cfg.MaxBatch > events.MaxInputs {
		cfg.MaxBatch = events.MaxInputs
	}
	return &Client{cfg: cfg, adapter: adapter}, nil
}

// CheckBaseURL is [wire.CheckBaseURL].
func CheckBaseURL(raw string) (string, error) { return wire.CheckBaseURL(raw) }

// keyed makes an attempt with the key as it is now. When the server refuses a key that can be another one by now, it asks for that and
// tries once more, so that a rotation fails no request.
func (c *Client) keyed(ctx context.Context, attempt func(key secret.Value) error) error {
	key := c.cfg.Key
	text := key.Reveal()
	if text != "" { // the same text for the request and for the question whether there is another
		key = secret.NewValue(text)
	}
	err := attempt(key)
	if err == nil || text == "" || events.CodeOf(err) != events.CodeUnauthenticated {
		return err
	}
	fresh, changed := c.cfg.Key.Renew(ctx, text)
	if !changed {
		return err
	}
	if fresh == "" {
		return attempt(c.cfg.Key)
	}
	return attempt(secret.NewValue(fresh))
}
