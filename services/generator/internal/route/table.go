package route

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/entry"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// maxListed is how many names an error lists.
const maxListed = 40

// Table is all providers and aliases. It is not changed once it is made, and is safe for concurrent use.
type Table struct {
	providers []Provider
	byName    map[string]*Provider
	aliases   []string // in order
	routes    map[string]*Route
}

// New checks providers and aliases and returns the table of them.
func New(providers []Provider, aliases []Alias) (*Table, error) {
	t := &Table{byName: make(map[string]*Provider, len(providers)), routes: make(map[string]*Route, len(aliases))}
	var errs []error
	for _, p := range providers {
		if err := t.addProvider(p); err != nil {
			errs = append(errs, err)
		}
	}
	for _, a := range aliases {
		if err := t.addAlias(a); err != nil {
			errs = append(errs, fmt.Errorf("model %q: %w", llm.Bound(a.Name, 80), err))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	t.done()
	return t, nil
}

// addProvider adds a provider that is right.
func (t *Table) addProvider(p Provider) error {
	if err := p.check(); err != nil {
		return fmt.Errorf("provider %q: %w", llm.Bound(p.Name, 80), err)
	}
	if t.byName[p.Name] != nil {
		return fmt.Errorf("provider %q is there twice", p.Name)
	}
	if len(t.byName) == maxProviders {
		return fmt.Errorf("there are more than %d providers", maxProviders)
	}
	t.byName[p.Name] = &p
	return nil
}

// addAlias adds an alias that is right and leads to providers that are there.
func (t *Table) addAlias(a Alias) error {
	if err := entry.CheckAlias(a.Name); err != nil {
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
			if err := t.checkTarget(*target); err != nil {
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
func (t *Table) done() {
	for _, name := range slices.Sorted(maps.Keys(t.byName)) {
		t.providers = append(t.providers, *t.byName[name])
	}
	t.aliases = slices.Sorted(maps.Keys(t.routes))
}

// Resolve finds what stands behind the model of a request: an alias, or "provider/model" of a provider that there is. The provider is
// what stands before the first slash; the rest may hold more of them. The error is of code invalid_argument for what cannot be a
// name, and not_found, listing what there is, for an unknown one.
func (t *Table) Resolve(model string) (*Route, error) {
	if r := t.routes[model]; r != nil {
		return r, nil
	}
	if !entry.IsModel(model) {
		return nil, events.Errorf(events.CodeInvalidArgument, "model %q is not a name; available: %s", llm.Bound(model, 80), t)
	}
	provider, name, ok := strings.Cut(model, "/")
	p := t.byName[provider]
	if !ok || name == "" || p == nil || len(p.Models) > 0 && !slices.Contains(p.Models, name) {
		return nil, events.Errorf(events.CodeNotFound, "no model %q; available: %s", llm.Bound(model, 80), t)
	}
	r := &Route{Name: model, targets: 1}
	r.one[0] = Target{Provider: p.Name, Model: name, ID: model, Weight: 1}
	r.tier[0] = r.one[:]
	r.Tiers = r.tier[:]
	return r, nil
}

// Providers returns all providers, by name.
func (t *Table) Providers() []Provider { return t.providers }

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
	for _, p := range t.providers {
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

// References returns all keys that refer to secrets.
func (t *Table) References() []entry.Reference {
	var refs []entry.Reference
	for _, p := range t.providers {
		refs = entry.AppendReferences(refs, p.Name, p.Keys)
	}
	return refs
}

// String lists what can be asked for, for example "fast, local/echo, openai/*".
func (t *Table) String() string {
	list := slices.Clone(t.aliases)
	for _, p := range t.providers {
		if len(p.Models) == 0 {
			list = append(list, p.Name+"/*")
		}
		for _, m := range p.Models {
			list = append(list, p.Name+"/"+m)
		}
	}
	switch {
	case len(list) == 0:
		return "none"
	case len(list) > maxListed:
		return strings.Join(list[:maxListed], ", ") + fmt.Sprintf(" and %d more", len(list)-maxListed)
	default:
		return strings.Join(list, ", ")
	}
}
