// Package huggingface speaks to the router of Hugging Face, which passes conversations on to many providers and speaks OpenAI's
// protocol itself.
//
// A model is called ORGANIZATION/NAME and may have a suffix that says who shall run it: ":fastest", ":cheapest", ":preferred", or the
// name of a provider, such as ":together".
package huggingface

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
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
}

// Adapter is an [llm.Adapter] and an [llm.Lister]. It is safe for concurrent use.
type Adapter struct {
	router *openai.Adapter
	suffix string
}

// Interface guards.
var (
	_ llm.Adapter = (*Adapter)(nil)
	_ llm.Lister  = (*Adapter)(nil)
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
	return &Adapter{router: router, suffix: opts.Suffix}, nil
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
	if a.suffix == "" || strings.Contains(call.Model, ":") {
		return call
	}
	own := *call
	own.Model += ":" + a.suffix
	return &own
}
