package route

import (
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/neuron7x/mlsdm-integrations/internal/llm/entry"
	"github.com/neuron7x/mlsdm-integrations/internal/section"
)

// Read reads the sections providers and models of a file:
//
//	providers:
//	  openai: {keys: [secret:openai_api_key, {key: secret:openai_spare_key, weight: 3}]}
//	  house:  {protocol: openai, base_url: "http://llm.house:8000/v1", models: [mixtral]}
//	models:
//	  fast:
//	    - [openai/gpt-4o-mini x3, house/mixtral x1]
//	    - ollama/llama3
//	  careful: {targets: [openai/gpt-4o], cache: true, first_token: 2m}
//
// Either node may be nil. known are the providers that settings give: one that is not in the file is taken as it is, one that is
// takes from it what it does not say itself. What is not understood goes to r, with its line; then there is no table.
func Read(r *section.Reader, providers, models *yaml.Node, known []Provider) *Table {
	b := &reader{Reader: r, table: &Table{byName: make(map[string]*Provider), routes: make(map[string]*Route)}}
	if providers != nil {
		for key, value := range r.Pairs(providers, "providers") {
			b.provider(key, value, known)
		}
	}
	for _, p := range known {
		if b.table.byName[p.Name] != nil || slices.Contains(b.wrong, p.Name) {
			continue
		}
		if err := b.table.addProvider(p); err != nil {
			r.Complain(&yaml.Node{}, "%w", err)
		}
	}
	if models != nil {
		for key, value := range r.Pairs(models, "models") {
			b.alias(key, value)
		}
	}
	if r.Err() != nil {
		return nil
	}
	b.table.done()
	return b.table
}

// reader reads the two sections into a table.
type reader struct {
	*section.Reader

	table *Table
	wrong []string // providers that are not right, and so not in the table
}

// provider reads one entry of providers.
func (b *reader) provider(key, n *yaml.Node, known []Provider) {
	p, isVendor := Known(key.Value)
	p.Name = key.Value
	isKnown := isVendor
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
		default:
			b.Complain(field, "unknown key %q; there are protocol, base_url, keys, headers, options and models", field.Value)
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
