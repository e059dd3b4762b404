package price

import (
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/neuron7x/mlsdm-integrations/internal/section"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Bounds of a table.
const (
	maxModels  = 10_000
	maxName    = 256 // bytes of a model or a pattern
	maxVersion = 64  // bytes
	maxPrice   = 1e6 // of a million tokens
)

// Read reads the section prices of a file:
//
//	prices:
//	  version: "2026-11"
//	  currency: USD
//	  models:
//	    openai/gpt-4o-mini: {input: 0.15, output: 0.60, cached_input: 0.075}
//	    local/*: 0
//
// Prices are those of a million tokens; a number alone is for all of them. Tokens from a cache, and into one, cost what others do
// unless cached_input and cache_write say so. What is not understood goes to r, with its line. The nil node is no table.
func Read(r *section.Reader, n *yaml.Node) *Table {
	if n == nil {
		return nil
	}
	t := &Table{currency: "USD", exact: make(map[string]Price)}
	for key, value := range r.Pairs(n, "prices") {
		switch key.Value {
		case "version":
			if t.version = r.Text(value, "version"); len(t.version) > maxVersion {
				r.Complain(value, "version has %d bytes; at most %d are allowed", len(t.version), maxVersion)
			}
		case "currency":
			if t.currency = r.Text(value, "currency"); len(t.currency) != 3 || strings.Trim(t.currency, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
				r.Complain(value, "currency is a code of three capital letters, such as USD")
			}
		case "models":
			if len(value.Content)/2 > maxModels {
				r.Complain(value, "there are %d prices; at most %d are allowed", len(value.Content)/2, maxModels)
				continue
			}
			for model, price := range r.Pairs(value, "models") {
				t.add(r, model, price)
			}
		default:
			r.Complain(key, "unknown key %q; there are version, currency and models", key.Value)
		}
	}
	t.sort()
	return t
}

// add reads the price of a model, or of all that a pattern matches.
func (t *Table) add(r *section.Reader, key, n *yaml.Node) {
	model := key.Value
	if model == "" || len(model) > maxName || model != "*" && !strings.Contains(model, "/") {
		r.Complain(key, "a price is that of a model, written provider/model, in which * may stand for any text")
		return
	}
	p := t.price(r, model, n)
	if strings.Contains(model, "*") {
		t.patterns = append(t.patterns, pattern{model, p})
		return
	}
	t.exact[model] = p
}

// price reads a price.
func (t *Table) price(r *section.Reader, model string, n *yaml.Node) Price {
	if n.Kind != yaml.MappingNode {
		all := r.Number(n, "the price of "+model, 0, maxPrice)
		return Price{all, all, all, all}
	}
	var p Price
	said := make(map[string]bool)
	for key, value := range r.Pairs(n, model) {
		var field *float64
		switch key.Value {
		case "input":
			field = &p.Input
		case "output":
			field = &p.Output
		case "cached_input":
			field = &p.CachedInput
		case "cache_write":
			field = &p.CacheWrite
		default:
			r.Complain(key, "unknown key %q; there are input, output, cached_input and cache_write", key.Value)
			continue
		}
		*field, said[key.Value] = r.Number(value, key.Value, 0, maxPrice), true
	}
	if !said["input"] || !said["output"] {
		r.Complain(n, "the price of %s needs input and output, as in {input: 0.15, output: 0.6}", model)
	}
	if !said["cached_input"] {
		p.CachedInput = p.Input
	}
	if !said["cache_write"] {
		p.CacheWrite = p.Input
	}
	return p
}

// Model is what is said of a model's price; nil when it is not known.
func (t *Table) Model(model string) *events.ModelPrice {
	p, known := t.Price(model)
	if !known {
		return nil
	}
	return &events.ModelPrice{Input: p.Input, Output: p.Output, CachedInput: p.CachedInput, Version: t.version}
}
