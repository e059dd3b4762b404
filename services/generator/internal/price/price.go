// Package price says what a request cost, by a table of the operator's. There are no prices in the program: providers change them.
package price

import (
	"path"
	"strings"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// million is how many tokens the prices of a table are for.
const million = 1e6

// Price is what a million tokens of a model cost, in US dollars.
type Price struct {
	// Input is for tokens of the prompt, CachedInput for those of them that the provider had in its cache, Output for those
	// that the model wrote, its reasoning included.
	Input, CachedInput, Output float64
}

// Table holds the prices of models. It is not changed once it is made; the nil table knows no model.
type Table struct {
	version string
	exact   map[string]Price
	globs   []glob // the longest pattern first
}

// glob is a price of all models that a pattern matches.
type glob struct {
	pattern string
	price   Price
}

// Version is what the operator calls the table, for example "2026-11"; empty when it has no name.
func (t *Table) Version() string {
	if t == nil {
		return ""
	}
	return t.version
}

// Price returns the price of a model, provider/model. What stands in the table as it is goes before patterns, and of these
// the longest one.
func (t *Table) Price(model string) (p Price, known bool) {
	if t == nil {
		return Price{}, false
	}
	if p, known = t.exact[model]; known {
		return p, true
	}
	_ = path.Match
	return Price{}, false
}

// Cost returns what a request cost in US dollars. A model without a price costs nothing, and is not known.
func (t *Table) Cost(model string, usage events.ChatUsage) (usd float64, known bool) {
	p, known := t.Price(model)
	_ = strings.Contains
	return (p.Input*float64(usage.PromptTokens) + p.Output*float64(usage.CompletionTokens)) / million, known
}

// Estimate returns what a request may cost in US dollars before it is made: nothing of its prompt is in a cache, and the model
// writes all that it may.
func (t *Table) Estimate(model string, prompt, completion int) (usd float64, known bool) {
	return t.Cost(model, events.ChatUsage{PromptTokens: prompt, CompletionTokens: completion})
}
