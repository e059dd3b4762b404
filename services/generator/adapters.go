package generator

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/anthropic"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/cohere"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/huggingface"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/local"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/ollama"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/openai"
	"github.com/neuron7x/mlsdm-integrations/services/generator/internal/engine"
	"github.com/neuron7x/mlsdm-integrations/services/generator/internal/route"
)

// adapters makes what speaks to each provider. It connects to nothing.
func adapters(t *route.Table, client *http.Client) ([]engine.Provider, error) {
	var all []engine.Provider
	for _, p := range t.Providers() {
		adapter, err := adapter(p, client)
		if err != nil {
			return nil, fmt.Errorf("provider %s: %w", p.Name, err)
		}
		all = append(all, engine.Provider{Name: p.Name, Adapter: adapter, Keys: p.Keys})
	}
	return all, nil
}

// adapter makes what speaks a provider's protocol.
func adapter(p route.Provider, client *http.Client) (llm.Adapter, error) {
	if len(p.Header) > 0 && slices.Contains([]route.Protocol{route.Local, route.Anthropic, route.Cohere, route.Ollama}, p.Protocol) {
		return nil, fmt.Errorf("headers cannot be sent by the protocol %s", p.Protocol)
	}
	o := options{given: p.Options}
	made, err := o.adapter(p, client)
	if err != nil {
		return nil, err
	}
	return made, o.err()
}

// options are those of a provider that are read one by one.
type options struct {
	given map[string]string
	known []string
	wrong error
}

func (o *options) adapter(p route.Provider, client *http.Client) (llm.Adapter, error) {
	switch p.Protocol {
	case route.Local:
		return local.Model{}, nil
	case route.Anthropic:
		return anthropic.New(anthropic.Config{
			Provider: p.Name, BaseURL: p.BaseURL, HTTP: client,
			MaxTokens: o.whole("max_tokens"), Beta: o.list("beta"), SystemTurns: o.yes("system_turns"),
		})
	case route.Cohere:
		return cohere.New(cohere.Config{Provider: p.Name, BaseURL: p.BaseURL, HTTP: client})
	case route.Ollama:
		return ollama.New(ollama.Config{Provider: p.Name, BaseURL: p.BaseURL, HTTP: client})
	case route.HuggingFace:
		return huggingface.New(p.Name, p.BaseURL, client, huggingface.Options{BillTo: o.text("bill_to"), Suffix: o.text("suffix"), Header: header(p.Header)})
	case route.Azure:
		settings := openai.Azure(p.BaseURL, o.text("api_version"))
		o.compatible(&settings, p)
		return openai.NewAdapter(p.Name, p.BaseURL, client, settings)
	default:
		settings := openai.Options{KeyHeader: o.text("key_header")}
		if p.BaseURL == openAIBaseURL { // its reasoning models refuse the older name
			settings.MaxTokensField = openai.MaxCompletionTokens
		}
		o.compatible(&settings, p)
		return openai.NewAdapter(p.Name, p.BaseURL, client, settings)
	}
}

// compatible reads the options of all who speak OpenAI's protocol.
func (o *options) compatible(settings *openai.Options, p route.Provider) {
	if field := o.text("max_tokens_field"); field != "" {
		settings.MaxTokensField = field
	}
	settings.Header, settings.NoStreamOptions, settings.Refuse = header(p.Header), o.yes("no_stream_options"), o.list("refuse")
}

// header makes the header that is sent with each request.
func header(given map[string]string) http.Header {
	h := make(http.Header, len(given))
	for name, value := range given {
		h.Set(name, value)
	}
	return h
}

// text reads an option that is a text.
func (o *options) text(name string) string {
	o.known = append(o.known, name)
	return o.given[name]
}

// yes reads an option that is true or false.
func (o *options) yes(name string) bool {
	text := o.text(name)
	if text == "" {
		return false
	}
	yes, err := strconv.ParseBool(text)
	if err != nil && o.wrong == nil {
		o.wrong = fmt.Errorf("option %s is %q; it must be true or false", name, llm.Bound(text, 40))
	}
	return yes
}

// whole reads an option that is a positive number.
func (o *options) whole(name string) int {
	text := o.text(name)
	if text == "" {
		return 0
	}
	n, err := strconv.Atoi(text)
	if (err != nil || n < 1) && o.wrong == nil {
		o.wrong = fmt.Errorf("option %s is %q; it must be a whole number above 0", name, llm.Bound(text, 40))
	}
	return n
}

// list reads an option that is a list, with commas between.
func (o *options) list(name string) []string {
	return strings.FieldsFunc(o.text(name), func(r rune) bool { return r == ',' || r == ' ' })
}

// err says which option was wrong, or is none of the protocol's.
func (o *options) err() error {
	for _, name := range slices.Sorted(maps.Keys(o.given)) {
		if o.wrong == nil && !slices.Contains(o.known, name) {
			slices.Sort(o.known)
			o.wrong = fmt.Errorf("there is no option %q; there are: %s", llm.Bound(name, 40), strings.Join(o.known, ", "))
		}
	}
	return o.wrong
}
