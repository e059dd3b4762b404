// Package price says what a request cost, by a table of the operator's. There are no prices in the program: providers change them.
package price

import (
	"cmp"
	"slices"
	"strings"

	"github.com/neuron7x/mlsdm-integrations/internal/section"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// million is how many tokens the prices of a table are for.
const million = 1e6

// Price is what a million tokens of a model cost, in the currency of the table.
type Price struct {
	// Input is for tokens of the prompt, Output for those that the model wrote, its reasoning included.
	Input, Output float64
	// CachedInput is for tokens of the prompt that the provider had in its cache, CacheWrite for those that it put there.
	CachedInput, CacheWrite float64
}

// Cost returns what tokens cost.
func (p Price) Cost(usage events.ChatUsage) float64 {
	prompt := max(usage.PromptTokens, 0)
	var cached, written int
	if d := usage.PromptTokensDetails; d != nil { // both are among the tokens of the prompt
		cached = min(max(d.CachedTokens, 0), prompt)
		written = min(max(d.CacheWriteTokens, 0), prompt-cached)
	}
	return (p.Input*float64(prompt-cached-written) + p.CachedInput*float64(cached) + p.CacheWrite*float64(written) +
		p.Output*float64(max(usage.CompletionTokens, 0))) / million
}

// Table holds the prices of models. It is not changed once it is made; the nil table knows no model.
type Table struct {
	version, currency string
	exact             map[string]Price
	patterns          []pattern // the most exact first
}

// pattern is the price of all models that it matches.
type pattern struct {
	text  string
	price Price
}

// Version is what the operator calls the table, for example "2026-11"; empty when it has no name.
func (t *Table) Version() string {
	if t == nil {
		return ""
	}
	return t.version
}

// Currency is that of all prices, for example "USD"; empty without a table.
func (t *Table) Currency() string {
	if t == nil {
		return ""
	}
	return t.currency
}

// Price returns the price of a model, provider/model. A name that stands in the table goes before patterns, and of these goes
// first the one with the most that is no *.
func (t *Table) Price(model string) (p Price, known bool) {
	if t == nil {
		return Price{}, false
	}
	if p, known = t.exact[model]; known {
		return p, true
	}
	for _, pattern := range t.patterns {
		if section.Match(pattern.text, model) {
			return pattern.price, true
		}
	}
	return Price{}, false
}

// Cost returns what a request to a model cost. A model without a price costs nothing, and is not known.
func (t *Table) Cost(model string, usage events.ChatUsage) (cost float64, known bool) {
	p, known := t.Price(model)
	if !known {
		return 0, false
	}
	return p.Cost(usage), true
}

// Estimate returns what a request may cost before it is made: nothing of its prompt is in a cache, or all of it is put there, and
// the model writes all that it may.
func (t *Table) Estimate(model string, prompt, completion int) (cost float64, known bool) {
	p, known := t.Price(model)
	if !known {
		return 0, false
	}
	return (max(p.Input, p.CacheWrite)*float64(max(prompt, 0)) + p.Output*float64(max(completion, 0))) / million, true
}

// sort puts the patterns into the order in which they are tried.
func (t *Table) sort() {
	literal := func(s string) int { return len(s) - strings.Count(s, "*") }
	slices.SortFunc(t.patterns, func(a, b pattern) int {
		return cmp.Or(literal(b.text)-literal(a.text), strings.Compare(a.text, b.text))
	})
}
