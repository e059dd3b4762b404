package generator

import (
	"fmt"
	"net/http"
	"slices"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/anthropic"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/cohere"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/genai"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/huggingface"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/local"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/ollama"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/openai"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/providers"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/vendors"
	"github.com/neuron7x/mlsdm-integrations/services/generator/internal/engine"
	"github.com/neuron7x/mlsdm-integrations/services/generator/internal/route"
)

// adapters makes what speaks to each provider. It connects to nothing.
func adapters(t *route.Table, by genai.Clients) ([]engine.Provider, error) {
	var all []engine.Provider
	for _, p := range t.All() {
		adapter, err := adapter(p, by)
		if err != nil {
			return nil, fmt.Errorf("provider %s: %w", p.Name, err)
		}
		all = append(all, engine.Provider{Name: p.Name, Adapter: adapter, Keys: p.Keys, Target: genai.TargetOf(&p, vendors.Chat)})
	}
	return all, nil
}

// adapter makes what speaks a provider's protocol.
func adapter(p providers.Provider, by genai.Clients) (llm.Adapter, error) {
	if len(p.Header) > 0 && slices.Contains([]vendors.Protocol{vendors.Local, vendors.Anthropic, vendors.Cohere, vendors.Ollama}, p.Protocol) {
		return nil, fmt.Errorf("headers cannot be sent by the protocol %s", p.Protocol)
	}
	o, client := providers.NewOptions(p.Options), by.Quiet
	if p.Protocol != vendors.Local {
		client = by.Of(o)
	}
	made, err := speaks(p, o, client)
	if err != nil {
		return nil, err
	}
	return made, o.Err()
}

// speaks makes the adapter with the options that its protocol has.
func speaks(p providers.Provider, o *providers.Options, client *http.Client) (llm.Adapter, error) {
	switch p.Protocol {
	case vendors.Local:
		return local.Model{}, nil
	case vendors.Anthropic:
		return anthropic.New(anthropic.Config{
			Provider: p.Name, BaseURL: p.BaseURL, HTTP: client,
			MaxTokens: o.Whole("max_tokens"), Beta: o.List("beta"), SystemTurns: o.Yes("system_turns"),
		})
	case vendors.Cohere:
		return cohere.New(cohere.Config{Provider: p.Name, BaseURL: p.BaseURL, HTTP: client})
	case vendors.Ollama:
		return ollama.New(ollama.Config{Provider: p.Name, BaseURL: p.BaseURL, HTTP: client})
	case vendors.HuggingFace:
		return huggingface.New(p.Name, p.BaseURL, client, huggingface.Options{BillTo: o.Text("bill_to"), Suffix: o.Text("suffix"), Header: p.HTTPHeader()})
	case vendors.Azure:
		settings := openai.Azure(p.BaseURL, o.Text("api_version"))
		compatible(&settings, p, o)
		return openai.NewAdapter(p.Name, p.BaseURL, client, settings)
	default:
		settings := openai.Options{KeyHeader: o.Text("key_header")}
		if p.BaseURL == vendors.OpenAIBaseURL { // its reasoning models refuse the older name
			settings.MaxTokensField = openai.MaxCompletionTokens
		}
		compatible(&settings, p, o)
		return openai.NewAdapter(p.Name, p.BaseURL, client, settings)
	}
}

// compatible reads the options of all who speak OpenAI's protocol.
func compatible(settings *openai.Options, p providers.Provider, o *providers.Options) {
	if field := o.Text("max_tokens_field"); field != "" {
		settings.MaxTokensField = field
	}
	settings.Header, settings.NoStreamOptions, settings.Refuse = p.HTTPHeader(), o.Yes("no_stream_options"), o.List("refuse")
}
