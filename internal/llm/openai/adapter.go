// Package openai speaks OpenAI's HTTP protocol to whoever serves it: OpenAI and Azure OpenAI, the compatibility endpoints of Cohere,
// Anthropic and Hugging Face, Ollama, vLLM, llama.cpp, text-embeddings-inference and the like.
//
// It is written on net/http (through package wire) and not on a vendor's SDK, so that every header, unknown field and failure stays in
// reach: answers are bounded and checked before anybody sees them, an exhausted quota is told from a limit that passes, and the API key
// is cut out of whatever a server says.
package openai

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/wire"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Names of the field that bounds an answer, for [Options.MaxTokensField].
const (
	MaxTokens           = "max_tokens"
	MaxCompletionTokens = "max_completion_tokens"
)

// Options are how a server differs from OpenAI.
type Options struct {
	// KeyHeader is the header that carries the API key as it is, such as Azure OpenAI's api-key. Empty sends a bearer token.
	KeyHeader string
	// APIVersion is the query parameter api-version, which Azure OpenAI wants below /openai/deployments. Empty sends none.
	APIVersion string
	// Deployments has /deployments/MODEL stand before the path of a chat, as Azure OpenAI wants it below /openai.
	Deployments bool
	// Header is sent with every request. It holds no secrets.
	Header http.Header
	// MaxTokensField is the one name under which the server knows the bound on an answer, [MaxTokens] or [MaxCompletionTokens];
	// requests are written with it. Empty leaves the name to who asks.
	MaxTokensField string
	// NoStreamOptions leaves stream_options out of requests, for servers that refuse it. Their streams count no tokens.
	NoStreamOptions bool
	// Refuse names request fields that the server is known to ignore. Asking for one of them is answered unsupported,
	// since an answer that silently lacks what was asked for would be worse. "tokens" is no field: with it, the server is not asked to
	// embed token ids.
	Refuse []string
	// Base64 asks for vectors as base64, a quarter of the size of decimal numbers. Both forms are read, whatever was asked for.
	Base64 bool
	// EmbedLimits is how much the server embeds at once. The zero value is what is known of the base URL: OpenAI's limits where OpenAI
	// or Azure OpenAI is, and else the number of items that one request of ours may have.
	EmbedLimits llm.EmbedLimits
	// ReadError reads the server's words out of the body of an error; nil knows OpenAI's form and those of its imitators.
	ReadError func(body []byte) llm.Failure
}

// Azure are the options of Azure OpenAI: the header for its keys and, where there is a version of the API, which its older API below
// /openai wants, a path for each deployment, unless the base URL ends with that of one.
func Azure(baseURL, apiVersion string) Options {
	return Options{KeyHeader: "api-key", APIVersion: apiVersion, Deployments: apiVersion != "" && !strings.Contains(baseURL, "/deployments/")}
}

// Adapter is an [llm.Adapter], an [llm.EmbedAdapter] and an [llm.Lister] for one server. It is safe for concurrent use.
type Adapter struct {
	*wire.Server

	opts  Options
	query string // what follows each path
	auth  func(key string) (name, value string)

	readers sync.Pool // of *reader
}

// Interface guards.
var (
	_ llm.Adapter      = (*Adapter)(nil)
	_ llm.Lister       = (*Adapter)(nil)
	_ llm.EmbedAdapter = (*Adapter)(nil)
)

// NewAdapter checks its arguments and returns an Adapter. It connects to nothing. The provider is the name under which the server is
// known here; baseURL is the part before /chat/completions, for example "https://api.openai.com/v1" or
// "https://NAME.openai.azure.com/openai/v1"; client must not follow redirects ([llm.NewHTTPClient] makes one that fits).
func NewAdapter(provider, baseURL string, client *http.Client, opts Options) (*Adapter, error) {
	server, err := wire.New(wire.Config{Provider: provider, BaseURL: baseURL, HTTP: client, ReadError: opts.ReadError, Understand: understand, Reset: reset})
	if err != nil {
		return nil, err
	}
	a := &Adapter{Server: server, opts: opts}
	a.opts.Header, a.opts.Refuse = opts.Header.Clone(), slices.Clone(opts.Refuse)
	if a.opts.EmbedLimits == (llm.EmbedLimits{}) {
		a.opts.EmbedLimits = knownLimits(baseURL)
	}
	if opts.APIVersion != "" {
		a.query = "?" + url.Values{"api-version": {opts.APIVersion}}.Encode()
	}
	if opts.KeyHeader != "" {
		a.auth = func(key string) (name, value string) { return opts.KeyHeader, key }
	}
	return a, nil
}

// request is a request with what all of them have.
func (a *Adapter) request(path string, key secret.Value, body []byte) wire.Request {
	return wire.Request{Path: path + a.query, Body: body, Key: key, Auth: a.auth, Header: a.opts.Header}
}

// chat is a request for a conversation.
func (a *Adapter) chat(call *llm.Call, body []byte) wire.Request {
	path := "/chat/completions"
	if a.opts.Deployments {
		path = "/deployments/" + url.PathEscape(call.Model) + path
	}
	return a.request(path, call.Key, body)
}

// Models implements [llm.Lister].
func (a *Adapter) Models(ctx context.Context, key secret.Value) ([]string, error) {
	var answer struct {
		Data []struct {
			ID string `json:"id"`
		} `json:"data"`
	}
	if err := a.Call(ctx, a.request("/models", key, nil), &answer); err != nil {
		return nil, err
	}
	names := make([]string, 0, len(answer.Data))
	for i, model := range answer.Data {
		if model.ID == "" || len(model.ID) > maxName {
			return nil, a.Bad("data[%d] has an id of %d bytes", i, len(model.ID))
		}
		names = append(names, model.ID)
	}
	return names, nil
}

// maxName is the longest name of a model that is believed, in bytes.
const maxName = 256

// Chat implements [llm.Adapter].
func (a *Adapter) Chat(ctx context.Context, call *llm.Call) (*events.ChatResponse, error) {
	body, err := a.body(call, false)
	if err != nil {
		return nil, err
	}
	var got answer
	if err := a.Fetch(ctx, a.chat(call, body), func(text []byte) error { return a.decode(text, &got) }); err != nil {
		return nil, err
	}
	res, err := a.answer(&got)
	if err != nil {
		return nil, llm.Paid(err, got.Usage.ours())
	}
	return res, nil
}
