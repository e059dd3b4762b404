package providers

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/neuron7x/mlsdm-integrations/internal/config"
	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/vendors"
	"github.com/neuron7x/mlsdm-integrations/internal/section"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

const (
	maxProviders = 256
	// maxListed is how many names an error lists.
	maxListed = 40
)

// Directory is all providers of a service. It is not changed once it is made, and is safe for concurrent use.
type Directory struct {
	byName  map[string]*Provider
	all     []Provider // by name
	refused []string
}

// New checks providers, which are asked for an API, and returns the directory of them.
func New(api vendors.API, list []Provider) (*Directory, error) {
	d := &Directory{byName: make(map[string]*Provider, len(list))}
	var errs []error
	for _, p := range list {
		if err := d.add(p, Reading{API: api}); err != nil {
			errs = append(errs, err)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	d.done()
	return d, nil
}

// add adds a provider that is right.
func (d *Directory) add(p Provider, how Reading) error {
	err := p.check(how.API)
	if err == nil && how.Check != nil {
		err = how.Check(&p)
	}
	if err != nil {
		return fmt.Errorf("provider %q: %w", llm.Bound(p.Name, 80), err)
	}
	if d.byName[p.Name] != nil {
		return fmt.Errorf("provider %q is there twice", p.Name)
	}
	if len(d.byName) == maxProviders {
		return fmt.Errorf("there are more than %d providers", maxProviders)
	}
	d.byName[p.Name] = &p
	return nil
}

// done ends the making of the directory.
func (d *Directory) done() {
	for _, name := range d.names() {
		d.all = append(d.all, *d.byName[name])
	}
}

// names are those of all providers, in order.
func (d *Directory) names() []string { return slices.Sorted(maps.Keys(d.byName)) }

// All returns all providers, by name. They are not to be changed.
func (d *Directory) All() []Provider { return d.all }

// Get returns the provider of a name; nil: there is none.
func (d *Directory) Get(name string) *Provider { return d.byName[name] }

// Refused reports whether the file has a provider of this name that is not right, which was complained about, and which is not here.
func (d *Directory) Refused(name string) bool { return slices.Contains(d.refused, name) }

// AnyRefused reports whether there is one that is [Directory.Refused].
func (d *Directory) AnyRefused() bool { return len(d.refused) > 0 }

// Find finds the provider of a model that is named "provider/model". The provider is what stands before the first slash; the rest may
// hold more of them. The error is of code invalid_argument for what cannot be a name, and not_found for an unknown one; it lists what is
// available, and says of a name without a slash what hint says, if there is one.
func (d *Directory) Find(name string, available fmt.Stringer, hint func(name string) string) (p *Provider, model string, err error) {
	if !IsModel(name) {
		return nil, "", events.Errorf(events.CodeInvalidArgument, "model %q is not a name; available: %s", llm.Bound(name, 80), available)
	}
	provider, model, ok := strings.Cut(name, "/")
	p = d.byName[provider]
	if ok && model != "" && p != nil && p.Has(model) {
		return p, model, nil
	}
	meant := ""
	if !ok && hint != nil {
		meant = hint(name)
	}
	return nil, "", events.Errorf(events.CodeNotFound, "no model %q%s; available: %s", llm.Bound(name, 80), meant, available)
}

// CheckTarget checks that a model is one that can be asked for.
func (d *Directory) CheckTarget(provider, model string) error {
	if err := checkModel(model); err != nil {
		return err
	}
	p := d.byName[provider]
	switch {
	case p == nil && len(d.byName) == 0:
		return fmt.Errorf("%s/%s: there is no provider %q; there is none: name it under providers", provider, model, provider)
	case p == nil:
		return fmt.Errorf("%s/%s: there is no provider %q; there are %s", provider, model, provider, strings.Join(d.names(), ", "))
	case !p.Has(model):
		return fmt.Errorf("%s/%s: provider %s has only %s", provider, model, provider, strings.Join(p.Models, ", "))
	default:
		return nil
	}
}

// Target takes the name of a target apart, "provider/model", which stands at n. What is not right goes to r, unless it follows from what
// was complained about before.
func (d *Directory) Target(r *section.Reader, n *yaml.Node, name string) (provider, model string, ok bool) {
	if name == "" {
		return "", "", false // it was complained about
	}
	provider, model, ok = strings.Cut(name, "/")
	if !ok || provider == "" || model == "" {
		r.Complain(n, "%q is not a target; write provider/model. A name for targets cannot stand in another", name)
		return "", "", false
	}
	if d.Refused(provider) {
		return provider, model, true
	}
	if err := d.CheckTarget(provider, model); err != nil {
		r.Complain(n, "%w", err)
		return "", "", false
	}
	return provider, model, true
}

// References returns all keys that refer to secrets.
func (d *Directory) References() []config.Reference {
	var refs []config.Reference
	for _, p := range d.all {
		for i, key := range p.Keys {
			if ref := key.Value.Reference(); ref != nil {
				refs = append(refs, config.Reference{Setting: fmt.Sprintf("providers.%s.keys[%d]", p.Name, i), Secret: ref})
			}
		}
	}
	return refs
}

// List lists what can be asked for, aliases first: "fast, local/echo, openai/*".
func (d *Directory) List(aliases []string) string {
	list := slices.Clone(aliases)
	for _, p := range d.all {
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
