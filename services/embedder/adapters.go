package embedder

import (
	"fmt"
	"net/http"
	"slices"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/cohere"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/genai"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/huggingface"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/local/uselite"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/ollama"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/openai"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/providers"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/tei"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/vendors"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/embedder/internal/catalog"
	"github.com/neuron7x/mlsdm-integrations/services/embedder/internal/upstream"
)

// defaultRetries is how often a call to a provider is made again that says nothing else.
const defaultRetries = 2

// place is where calls of one kind go: a provider, and of those that pool, the rule.
type place struct {
	provider string
	pooling  catalog.Pooling
}

// upstreams makes what asks each provider, with what common says of all of them. It connects to nothing.
func upstreams(t *catalog.Table, by genai.Clients, common upstream.Options) (map[place]*upstream.Upstream, error) {
	all := make(map[place]*upstream.Upstream)
	for _, p := range t.Providers() {
		for _, pooling := range poolings(t, p) {
			adapter, err := adapter(p, pooling, by)
			if err != nil {
				return nil, fmt.Errorf("provider %s: %w", p.Name, err)
			}
			opts := common
			opts.Retries, opts.InFlight, opts.Timeout, opts.Target = defaultRetries, p.InFlight, p.Timeout, target(p)
			if p.Retries != nil {
				opts.Retries = *p.Retries
			}
			if all[place{p.Name, pooling}], err = upstream.New(p.Name, adapter, p.Keys, opts); err != nil {
				return nil, err
			}
		}
	}
	return all, nil
}

// target is how spans and metrics name a provider.
func target(p catalog.Provider) *genai.Target {
	t := genai.TargetOf(&p.Provider, vendors.Embeddings)
	switch {
	case p.Base64:
		t.Formats = []string{events.EncodingBase64}
	case p.Protocol == vendors.Cohere:
		t.Formats = []string{events.EncodingFloat}
	}
	return t
}

// poolings are the rules by which models of a provider make one vector of many. Only some providers need one.
func poolings(t *catalog.Table, p catalog.Provider) []catalog.Pooling {
	rules := []catalog.Pooling{catalog.PoolingNone}
	if p.Protocol != vendors.HuggingFace {
		return rules
	}
	for _, m := range t.Models() {
		for _, target := range m.Targets {
			if target.Provider == p.Name && !slices.Contains(rules, m.Pooling) {
				rules = append(rules, m.Pooling)
			}
		}
	}
	return rules
}

// adapter makes what speaks a provider's protocol.
func adapter(p catalog.Provider, pooling catalog.Pooling, by genai.Clients) (llm.EmbedAdapter, error) {
	if len(p.Header) > 0 && slices.Contains([]vendors.Protocol{vendors.Local, vendors.Cohere, vendors.Ollama}, p.Protocol) {
		return nil, fmt.Errorf("headers cannot be sent by the protocol %s", p.Protocol)
	}
	o, client := providers.NewOptions(p.Options), by.Quiet
	if p.Protocol != vendors.Local {
		client = by.Of(o)
	}
	made, err := speaks(p, o, pooling, client)
	if err != nil {
		return nil, err
	}
	return made, o.Err()
}

// speaks makes the adapter with the options that its protocol has.
func speaks(p catalog.Provider, o *providers.Options, pooling catalog.Pooling, client *http.Client) (llm.EmbedAdapter, error) {
	switch p.Protocol {
	case vendors.Local:
		return inProcess{&uselite.Model{}}, nil
	case vendors.Cohere:
		return cohere.New(cohere.Config{Provider: p.Name, BaseURL: p.BaseURL, HTTP: client, Base64: p.Base64})
	case vendors.Ollama:
		return ollama.New(ollama.Config{Provider: p.Name, BaseURL: p.BaseURL, HTTP: client})
	case vendors.TEI:
		return tei.New(tei.Config{
			Provider: p.Name, BaseURL: p.BaseURL, HTTP: client, Prompts: prompts(o), Raw: true, Identify: true, Header: p.HTTPHeader(),
		})
	case vendors.HuggingFace:
		return huggingface.New(p.Name, p.BaseURL, client, huggingface.Options{
			BillTo: o.Text("bill_to"), Prompts: prompts(o), Pooling: string(pooling), Header: p.HTTPHeader(),
		})
	case vendors.Azure:
		settings := openai.Azure(p.BaseURL, o.Text("api_version"))
		settings.Header, settings.Refuse, settings.Base64 = p.HTTPHeader(), o.List("refuse"), p.Base64
		return openai.NewAdapter(p.Name, p.BaseURL, client, settings)
	case vendors.OpenAI:
		return openai.NewAdapter(p.Name, p.BaseURL, client, openai.Options{
			KeyHeader: o.Text("key_header"), Header: p.HTTPHeader(), Refuse: o.List("refuse"), Base64: p.Base64,
		})
	default:
		return nil, fmt.Errorf("nothing speaks the protocol %s", p.Protocol)
	}
}

// prompts reads the model's own names of prompts, by input type: prompt_query and so on.
func prompts(o *providers.Options) map[string]string {
	prompts := make(map[string]string)
	for _, kind := range [...]string{events.InputQuery, events.InputDocument, events.InputClassification, events.InputClustering} {
		if name := o.Text("prompt_" + kind); name != "" {
			prompts[kind] = name
		}
	}
	return prompts
}
