package catalog

import (
	"fmt"

	"go.yaml.in/yaml/v3"

	"github.com/neuron7x/mlsdm-integrations/internal/llm/providers"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/vendors"
	"github.com/neuron7x/mlsdm-integrations/internal/section"
)

// Sections are those of the file that are read here. Each may be nil.
type Sections struct {
	DefaultModel, Providers, Models *yaml.Node
}

// Settings are what the settings say.
type Settings struct {
	// Providers are those that settings give: one that is not in the file is taken as it is, one that is takes from it what it does not
	// say itself.
	Providers []providers.Provider
	// Base64 is the name of the one of them whose vectors are asked for in base64; empty: none.
	Base64 string
	// DefaultModel goes before that of the file. Whether there is such a model is for the caller to ask.
	DefaultModel string
}

// Read reads the sections of a file:
//
//	default_model: bge
//	providers:
//	  openai: {keys: [secret:openai_api_key, {key: secret:openai_spare_key, weight: 3}]}
//	  tei:    {base_url: "http://tei.house:8080", timeout: 30s, in_flight: 8, retries: 2}
//	  house:  {protocol: openai, base_url: "http://llm.house:8000/v1", models: [BAAI/bge-m3], base64: true}
//	models:
//	  openai/text-embedding-3-small: {revision: "1", max_items: 512}
//	  bge: {targets: [tei/bge-m3, house/BAAI/bge-m3], space: BAAI/bge-m3, dimensions: 1024, other_space: openai/text-embedding-3-small}
//	  small: openai/text-embedding-3-small
//
// What is not understood goes to r, with its line; then there is no table.
func Read(r *section.Reader, sections Sections, settings Settings) *Table {
	b := &reader{
		Reader: r, table: &Table{models: make(map[string]*Model)},
		called: make(map[string]*Provider), said: make(map[string]*said),
	}
	for _, p := range settings.Providers {
		b.calls(p.Name).Base64 = p.Name == settings.Base64
	}
	b.table.Directory = providers.Read(r, sections.Providers, providers.Reading{
		API: vendors.Embeddings, Known: settings.Providers,
		Fields: []string{"timeout", "in_flight", "retries", "base64"}, Field: b.field, Check: b.check,
	})
	for _, p := range b.table.All() {
		called := *b.calls(p.Name)
		called.Provider = p
		b.table.providers = append(b.table.providers, called)
	}
	if sections.Models != nil {
		b.models(sections.Models)
	}
	b.done(sections.DefaultModel, settings.DefaultModel)
	if r.Err() != nil {
		return nil
	}
	return b.table
}

// reader reads the sections into a table.
type reader struct {
	*section.Reader

	table  *Table
	called map[string]*Provider // how providers are called, by name
	order  []*said              // entries of models, in the order in which they are read
	said   map[string]*said
}

// calls is how a provider is called, as far as it is known.
func (b *reader) calls(provider string) *Provider {
	if b.called[provider] == nil {
		b.called[provider] = &Provider{}
	}
	return b.called[provider]
}

// field reads what an entry of providers says of its calls.
func (b *reader) field(provider, field string, value *yaml.Node) {
	p := b.calls(provider)
	switch field {
	case "timeout":
		p.Timeout = b.Duration(value, field, minTimeout, MaxTimeout)
	case "in_flight":
		p.InFlight = int(b.Whole(value, field, 1, MaxInFlight))
	case "retries":
		retries := int(b.Whole(value, field, 0, MaxRetries))
		p.Retries = &retries
	case "base64":
		p.Base64 = b.yes(value, field)
	}
}

// check checks it.
func (b *reader) check(p *providers.Provider) error {
	if b.calls(p.Name).Base64 && p.Protocol != vendors.OpenAI && p.Protocol != vendors.Azure && p.Protocol != vendors.Cohere {
		return fmt.Errorf("vectors in base64 cannot be asked for by the protocol %s; many servers speak openai, too", p.Protocol)
	}
	return nil
}

// yes reads true or false.
func (b *reader) yes(n *yaml.Node, what string) bool {
	if n.Kind != yaml.ScalarNode || n.Tag != "!!bool" {
		b.Complain(n, "%s is true or false", what)
	}
	return n.Value == "true"
}
