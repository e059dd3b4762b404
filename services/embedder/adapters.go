package embedder

import (
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/cohere"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/huggingface"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/local/uselite"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/ollama"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/openai"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/tei"
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

// upstreams makes what asks each provider. It connects to nothing.
func upstreams(t *catalog.Table, client *http.Client, metrics *upstream.Metrics, log *slog.Logger) (map[place]*upstream.Upstream, error) {
	all := make(map[place]*upstream.Upstream)
	for _, p := range t.Providers() {
		for _, pooling := range poolings(t, p) {
			adapter, err := adapter(p, pooling, client)
			if err != nil {
				return nil, fmt.Errorf("provider %s: %w", p.Name, err)
			}
			keys := make([]upstream.Key, len(p.Keys))
			for i, key := range p.Keys {
				keys[i] = upstream.Key{Name: key.Name, Value: key.Value, Weight: key.Weight}
			}
			opts := upstream.Options{Retries: defaultRetries, InFlight: p.InFlight, Timeout: p.Timeout, Logger: log, Metrics: metrics}
			if p.Retries != nil {
				opts.Retries = *p.Retries
			}
			if all[place{p.Name, pooling}], err = upstream.New(p.Name, adapter, keys, opts); err != nil {
				return nil, err
			}
		}
	}
	return all, nil
}

// poolings are the rules by which models of a provider make one vector of many. Only some providers need one.
func poolings(t *catalog.Table, p catalog.Provider) []catalog.Pooling {
	rules := []catalog.Pooling{catalog.PoolingNone}
	if p.Protocol != catalog.HuggingFace {
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
func adapter(p catalog.Provider, pooling catalog.Pooling, client *http.Client) (llm.EmbedAdapter, error) {
	header := make(http.Header, len(p.Header))
	for name, value := range p.Header {
		header.Set(name, value)
	}
	if len(p.Header) > 0 && slices.Contains([]catalog.Protocol{catalog.Local, catalog.Cohere, catalog.Ollama}, p.Protocol) {
		return nil, fmt.Errorf("headers cannot be sent by the protocol %s", p.Protocol)
	}
	o := options{given: p.Options}
	var made llm.EmbedAdapter
	var err error
	switch p.Protocol {
	case catalog.Local:
		made = inProcess{&uselite.Model{}}
	case catalog.Cohere:
		made, err = cohere.New(cohere.Config{Provider: p.Name, BaseURL: p.BaseURL, HTTP: client})
	case catalog.Ollama:
		made, err = ollama.New(ollama.Config{Provider: p.Name, BaseURL: p.BaseURL, HTTP: client})
	case catalog.TEI:
		made, err = tei.New(tei.Config{Provider: p.Name, BaseURL: p.BaseURL, HTTP: client, Prompts: o.prompts(), Raw: true, Header: header})
	case catalog.HuggingFace:
		made, err = huggingface.New(p.Name, p.BaseURL, client, huggingface.Options{
			BillTo: o.text("bill_to"), Prompts: o.prompts(), Pooling: string(pooling), Header: header,
		})
	case catalog.Azure:
		settings := openai.Azure(p.BaseURL, o.text("api_version"))
		settings.Header, settings.Refuse, settings.Base64 = header, o.list("refuse"), p.Base64
		made, err = openai.NewAdapter(p.Name, p.BaseURL, client, settings)
	case catalog.OpenAI:
		made, err = openai.NewAdapter(p.Name, p.BaseURL, client, openai.Options{
			KeyHeader: o.text("key_header"), Header: header, Refuse: o.list("refuse"), Base64: p.Base64,
		})
	default:
		return nil, fmt.Errorf("nothing speaks the protocol %s", p.Protocol)
	}
	if err != nil {
		return nil, err
	}
	return made, o.err()
}

// options are those of a provider, read one by one.
type options struct {
	given map[string]string
	known []string
}

func (o *options) text(name string) string {
	o.known = append(o.known, name)
	return o.given[name]
}

// list reads an option that is a list, with commas between.
func (o *options) list(name string) []string {
	return strings.FieldsFunc(o.text(name), func(r rune) bool { return r == ',' || r == ' ' })
}

// prompts reads the model's own names of prompts, by input type: prompt_query and so on.
func (o *options) prompts() map[string]string {
	prompts := make(map[string]string)
	for _, kind := range [...]string{events.InputQuery, events.InputDocument, events.InputClassification, events.InputClustering} {
		if name := o.text("prompt_" + kind); name != "" {
			prompts[kind] = name
		}
	}
	return prompts
}

// err says which option the protocol does not have, if there is one.
func (o *options) err() error {
	for _, name := range slices.Sorted(maps.Keys(o.given)) {
		if slices.Contains(o.known, name) {
			continue
		}
		if len(o.known) == 0 {
			return fmt.Errorf("there is no option %q: the protocol has none", llm.Bound(name, 40))
		}
		slices.Sort(o.known)
		return fmt.Errorf("there is no option %q; there are: %s", llm.Bound(name, 40), strings.Join(o.known, ", "))
	}
	return nil
}
