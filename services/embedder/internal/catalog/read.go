package catalog

import (
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/neuron7x/mlsdm-integrations/internal/llm/entry"
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
	Providers []Provider
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
		Reader: r, table: &Table{byName: make(map[string]*Provider), models: make(map[string]*Model)},
		said: make(map[string]*said),
	}
	if sections.Providers != nil {
		for key, value := range r.Pairs(sections.Providers, "providers") {
			b.provider(key, value, settings.Providers)
		}
	}
	for _, p := range settings.Providers {
		if b.table.byName[p.Name] != nil || slices.Contains(b.wrong, p.Name) {
			continue
		}
		if err := b.table.addProvider(p); err != nil {
			r.Complain(&yaml.Node{}, "%w", err)
		}
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

	table *Table
	wrong []string // providers that are not right, and so not in the table
	order []*said  // entries of models, in the order in which they are read
	said  map[string]*said
}

// provider reads one entry of providers.
func (b *reader) provider(key, n *yaml.Node, known []Provider) {
	p, isKnown := Known(key.Value)
	p.Name = key.Value
	for _, k := range known {
		if k.Name == p.Name {
			p, isKnown = k, true
		}
	}
	said := false // its protocol
	for field, value := range b.Pairs(n, key.Value) {
		switch field.Value {
		case "protocol":
			p.Protocol, said = Protocol(b.Text(value, "protocol")), true
		case "base_url":
			p.BaseURL = b.Text(value, "base_url")
		case "keys":
			p.Keys = entry.ReadKeys(b.Reader, value)
		case "headers":
			p.Header = entry.ReadTexts(b.Reader, value, "headers")
		case "options":
			p.Options = entry.ReadTexts(b.Reader, value, "options")
		case "models":
			p.Models = nil
			for _, item := range b.Items(value, "models") {
				p.Models = append(p.Models, b.Text(item, "a model"))
			}
		case "timeout":
			p.Timeout = b.Duration(value, "timeout", minTimeout, MaxTimeout)
		case "in_flight":
			p.InFlight = int(b.Whole(value, "in_flight", 1, MaxInFlight))
		case "retries":
			retries := int(b.Whole(value, "retries", 0, MaxRetries))
			p.Retries = &retries
		case "base64":
			p.Base64 = b.yes(value, "base64")
		default:
			b.Complain(field, "unknown key %q; there are protocol, base_url, keys, headers, options, models, timeout, in_flight, retries and base64", field.Value)
		}
	}
	if !isKnown && !said {
		b.Complain(key, "provider %s has no protocol; write protocol: openai (or another of %s). Without one there are %s", key.Value, protocols, vendors)
		b.wrong = append(b.wrong, p.Name)
		return
	}
	if err := b.table.addProvider(p); err != nil {
		b.Complain(key, "%w", err)
		b.wrong = append(b.wrong, p.Name)
	}
}

// yes reads true or false.
func (b *reader) yes(n *yaml.Node, what string) bool {
	if n.Kind != yaml.ScalarNode || n.Tag != "!!bool" {
		b.Complain(n, "%s is true or false", what)
	}
	return n.Value == "true"
}
