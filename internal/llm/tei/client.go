// Package tei speaks the protocol of text-embeddings-inference, Hugging Face's server of embeddings: POST /embed, and GET /info for what
// it takes at once.
//
// A server has one model, so the model of a call is not sent. It is always told whether it may cut a text that is too long, whatever it
// was started with. What texts are for is sent as prompt_name, where the operator has said which of the model's prompts that is, and is
// left out otherwise: the prefix may as well stand in the text.
//
// The server refuses with 413 what is too long, too many or too large, and with 429 what comes while its queue is full; it does not say
// when it can be asked again.
package tei

import (
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/wire"
)

// Config describes a server.
type Config struct {
	// Provider is the name under which the server is known here, for example "tei". It stands in every error.
	Provider string
	// BaseURL is what /embed and /info are below; a /v1, or an /embed, at its end is cut off.
	BaseURL string
	// HTTP makes the requests; [llm.NewHTTPClient] makes one that fits. It must not follow redirects.
	HTTP *http.Client
	// Prompts are the model's own names of prompts (of its Sentence Transformers configuration) by our input types; "" is for calls
	// that have none. What is not in it is sent without one.
	Prompts map[string]string
	// Raw asks for vectors as the model makes them instead of normalised ones.
	Raw bool
	// Header is sent with every request. It holds no secrets.
	Header http.Header
	// Identify has answers say which model the server has ([llm.Embedded.Served]). It is asked (GET /info) after the first answer on each
	// new connection, since a server that was started anew is reached by a new one, and every minute. A server that has told and does not
	// tell on a new connection is not believed: the answer is a fault.
	Identify bool
}

// Client is an [llm.EmbedAdapter]. It is safe for concurrent use.
type Client struct {
	server *wire.Server
	cfg    Config
	told   told
	// connections counts those that were made. Whoever answers on one of them may have been started since the one before.
	connections atomic.Uint64
}

var _ llm.EmbedAdapter = (*Client)(nil)

// New checks cfg and returns a Client. It connects to nothing.
func New(cfg Config) (*Client, error) {
	base := strings.TrimRight(cfg.BaseURL, "/")
	base = strings.TrimSuffix(strings.TrimSuffix(base, "/embed"), "/v1")
	server, err := wire.New(wire.Config{Provider: cfg.Provider, BaseURL: base, HTTP: cfg.HTTP, Understand: understand})
	if err != nil {
		return nil, err
	}
	for _, name := range cfg.Prompts {
		if name == "" {
			return nil, errors.New(cfg.Provider + ": a prompt has no name; leave its input type out instead")
		}
	}
	cfg.Prompts, cfg.Header = maps.Clone(cfg.Prompts), cfg.Header.Clone()
	return &Client{server: server, cfg: cfg, told: told{turn: make(chan struct{}, 1)}}, nil
}

// understand tells apart what the server answers 413 to: a prompt that the model does not have, and else too much of something.
func understand(f *llm.Failure) {
	validation := len(f.Reasons) == 0 || slices.Contains(f.Reasons, "Validation") // none: it did not come to that, the body is too large
	if f.Status != http.StatusRequestEntityTooLarge || !validation {
		return
	}
	reason := llm.ReasonTooLong
	if strings.Contains(f.Message, "prompt") {
		reason = llm.ReasonUnsupported
	}
	f.Reasons = append(f.Reasons, reason)
}
