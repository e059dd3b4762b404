package route

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/providers"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/vendors"
)

// Table is all providers and aliases. It is not changed once it is made, and is safe for concurrent use.
type Table struct {
	*providers.Directory

	aliases []string // in order
	routes  map[string]*Route
}

// New checks providers and aliases and returns the table of them.
func New(list []providers.Provider, aliases []Alias) (*Table, error) {
	directory, err := providers.New(vendors.Chat, list)
	if err != nil {
		return nil, err
	}
	t := &Table{Directory: directory, routes: make(map[string]*Route, len(aliases))}
	for _, a := range aliases {
		if err := t.addAlias(a); err != nil {
			return nil, fmt.Errorf("model %q: %w", llm.Bound(a.Name, 80), err)
		}
	}
	t.done()
	return t, nil
}

// addAlias adds an alias that is right and leads to providers that are there.
func (t *Table) addAlias(a Alias) error {
	if err := providers.CheckAlias(a.Name); err != nil {
		return err
	}
	if t.routes[a.Name] != nil {
		return errors.New("it is there twice")
	}
	if len(t.routes) == maxAliases {
		return fmt.Errorf("there are more than %d of them", maxAliases)
	}
	r := &Route{Name: a.Name, Alias: true, Options: a.Options, Tiers: make([][]Target, len(a.Tiers))}
	seen := make(map[string]struct{})
	for i, tier := range a.Tiers {
		if len(tier) == 0 {
			return fmt.Errorf("tier %d is empty", i+1)
		}
		r.Tiers[i] = slices.Clone(tier)
		for j := range r.Tiers[i] {
			target := &r.Tiers[i][j]
			target.ID, target.Weight = target.Provider+"/"+target.Model, max(target.Weight, 1)
			if target.Weight > MaxWeight {
				return fmt.Errorf("%s has weight %d; it must be 1 to %d", target, target.Weight, MaxWeight)
			}
			if err := t.CheckTarget(target.Provider, target.Model); err != nil {
				return err
			}
			if _, twice := seen[target.ID]; twice {
				return fmt.Errorf("%s is there twice", target)
			}
			seen[target.ID] = struct{}{}
		}
	}
	if r.targets = len(seen); r.targets == 0 || r.targets > MaxTargets {
		return fmt.Errorf("it has %d targets; there must be 1 to %d", r.targets, MaxTargets)
	}
	t.routes[a.Name] = r
	return nil
}

// done ends the making of the table.
func (t *Table) done() { t.aliases = slices.Sorted(maps.Keys(t.routes)) }

// Resolve finds what stands behind the model of a request: an alias, or "provider/model" of a provider that there is, as
// [providers.Directory.Find] does.
func (t *Table) Resolve(model string) (*Route, error) {
	if r := t.routes[model]; r != nil {
		return r, nil
	}
	p, name, err := t.Find(model, t, nil)
	if err != nil {
		return nil, err
	}
	r := &Route{Name: model, targets: 1}
	r.one[0] = Target{Provider: p.Name, Model: name, ID: model, Weight: 1}
	r.tier[0] = r.one[:]
	r.Tiers = r.tier[:]
	return r, nil
}

// Aliases returns the routes of all aliases, by name.
func (t *Table) Aliases() []*Route {
	routes := make([]*Route, len(t.aliases))
	for i, name := range t.aliases {
		routes[i] = t.routes[name]
	}
	return routes
}

// Targets returns every model that is named: of aliases, and of providers that say which they have. They are in order.
func (t *Table) Targets() []Target {
	found := make(map[string]Target)
	for _, r := range t.routes {
		for _, tier := range r.Tiers {
			for _, target := range tier {
				found[target.ID] = target
			}
		}
	}
	for _, p := range t.All() {
		for _, model := range p.Models {
			found[p.Name+"/"+model] = Target{Provider: p.Name, Model: model, ID: p.Name + "/" + model, Weight: 1}
		}
	}
	targets := make([]Target, 0, len(found))
	for _, id := range slices.Sorted(maps.Keys(found)) {
		targets = append(targets, found[id])
	}
	return targets
}

// String lists what can be asked for, for example "fast, local/echo, openai/*".
func (t *Table) String() string { return t.List(t.aliases) }
