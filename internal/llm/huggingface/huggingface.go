// Package huggingface speaks to the router of Hugging Face, which passes conversations on to many providers and speaks OpenAI's
// protocol itself. For embeddings it asks one of them, hf-inference, to extract features.
//
// A model is called ORGANIZATION/NAME and may have a suffix that says who shall run it: ":fastest", ":cheapest", ":preferred", or the
// name of a provider, such as ":together".
//
// # Embeddings
//
// A model that knows how to make a vector of a text answers with a list of vectors. One that does not answers with a list for each text, of
// the vectors of its tokens: how one vector is made of them has to be said ([Options.Pooling]), and is refused to be guessed. The vectors
// of special tokens, which the server does not mark, are among them. Tokens are not counted. A model may know prompts by names, which are
// sent where the operator has said which of them is for what ([Options.Prompts]).
package huggingface

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/openai"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/wire"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// BaseURL is where the router is.
const BaseURL = "https://router.huggingface.co/v1"

// retired is the host of the API before the router. It answers 410 to everything.
const retired = "api-inference.huggingface.co"

// Options are settings of the router.
type Options struct {
	// BillTo is the organization that pays, the header X-HF-Bill-To. Empty: the owner of the token.
	BillTo string
	// Suffix says who shall run a model whose name does not say it, without the colon: "fastest", "cheapest", "preferred", or the
	// name of a provider. Empty leaves it to the router.
	Suffix string
	// Header is sent with every request. It holds no secrets.
	Header http.Header

	// Pooling is how the vectors of a text's tokens become its vector, where a model answers with these: [PoolMean], [PoolCLS], [PoolMax]
	// or [PoolLast]. Empty: such an answer is an error.
	Pooling string
	// Normalize asks for vectors of length 1. Without it the model's configuration decides.
	Normalize bool
	// Prompts are the model's own names of prompts (of its Sentence Transformers configuration) by our input types; "" is for calls
	// that have none. What is not in it is sent without one.
	Prompts map[string]string
}

// Adapter is an [llm.Adapter], an [llm.EmbedAdapter] and an [llm.Lister]. It is safe for concurrent use.
type Adapter struct {
	router   *openai.Adapter
	features *wire.Server // above the router's /v1
	opts     Options
}

// Interface guards.
var (
	_ llm.Adapter      = (*Adapter)(nil)
	_ llm.EmbedAdapter = (*Adapter)(nil)
	_ llm.Lister       = (*Adapter)(nil)
)

// New checks its arguments and returns an Adapter. It connects to nothing. The provider is the name under which the router is known
// here, baseURL usually [BaseURL]; client must not follow redirects ([llm.NewHTTPClient] makes one that fits).
func New(provider, baseURL string, client *http.Client, opts Options) (*Adapter, error) {
	if u, err := url.Parse(baseURL); err == nil && strings.EqualFold(u.Hostname(), retired) {
		return nil, fmt.Errorf("%s: %s was retired; the base URL is now %s", provider, retired, BaseURL)
	}
	if strings.ContainsFunc(opts.Suffix, func(r rune) bool { return r <= ' ' || r > '~' || r == ':' || r == '/' }) {
		return nil, fmt.Errorf("%s: the suffix of models is %q; write fastest, cheapest, preferred, or the name of a provider", provider, opts.Suffix)
	}
	if opts.Pooling != "" && !slices.Contains([]string{PoolMean, PoolCLS, PoolMax, PoolLast}, opts.Pooling) {
		return nil, fmt.Errorf("%s: pooling is %q; write mean, cls, max or last", provider, opts.Pooling)
	}
	for _, name := range opts.Prompts {
		if name == "" {
			return nil, errors.New(provider + ": a prompt has no name; leave its input type out instead")
		}
	}
	header := opts.Header.Clone()
	if opts.BillTo != "" {
		if strings.ContainsFunc(opts.BillTo, func(r rune) bool { return r <= ' ' || r > '~' }) {
			return nil, errors.New(provider + ": the organization to bill must be its name on Hugging Face, without spaces")
		}
		if header == nil {
			header = http.Header{}
		}
		header.Set("X-HF-Bill-To", opts.BillTo)
	}
	router, err := openai.NewAdapter(provider, baseURL, client, openai.Options{
		Header: header, ReadError: readError,
		// The router documents neither max_completion_tokens nor n; who runs the model may ignore them.
		MaxTokensField: openai.MaxTokens, Refuse: []string{"n"},
	})
	if err != nil {
		return nil, err
	}
	features, err := wire.New(wire.Config{
		Provider: provider, BaseURL: strings.TrimSuffix(strings.TrimRight(baseURL, "/"), "/v1"), HTTP: client,
		ReadError: readFeatureError, Understand: understand,
	})
	if err != nil {
		return nil, err
	}
	opts.Header, opts.Prompts = header, maps.Clone(opts.Prompts)
	return &Adapter{router: router, features: features, opts: opts}, nil
}

// readError reads the router's errors, and says what to do about the one of the retired API, wherever it stands now.
func readError(body []byte) llm.Failure {
	f := wire.ReadError(body)
	if strings.Contains(f.Message, "no longer supported") && strings.Contains(f.Message, "router.huggingface.co") {
		f.Message += " (the provider's base URL has to be " + BaseURL + ")"
	}
	return f
}

// Models implements [llm.Lister].
func (a *Adapter) Models(ctx context.Context, key secret.Value) ([]string, error) {
	return a.router.Models(ctx, key)
}

// Chat implements [llm.Adapter].
func (a *Adapter) Chat(ctx context.Context, call *llm.Call) (*events.ChatResponse, error) {
	return a.router.Chat(ctx, a.routed(call))
}

// Stream implements [llm.Adapter].
func (a *Adapter) Stream(ctx context.Context, call *llm.Call, emit func(*events.ChatChunk) error) error {
	return a.router.Stream(ctx, a.routed(call), emit)
}

// routed is a call whose model says who shall run it.
func (a *Adapter) routed(call *llm.Call) *llm.Call {
	if a.opts.Suffix == "" || strings.Contains(call.Model, ":") {
		return call
	}
	own := *call
	own.Model += ":" + a.opts.Suffix
	return &own
}
