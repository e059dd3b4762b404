package catalog

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/entry"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/wire"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Models of requests that name none, where nobody says one.
const (
	openAIModel = "openai/text-embedding-3-small"
	localModel  = "local/use-lite-512"
)

// maxListed is how many names an error lists.
const maxListed = 40

// Table is all providers and models. It is not changed once it is made, and is safe for concurrent use.
type Table struct {
	providers    []Provider
	byName       map[string]*Provider
	models       map[string]*Model // all that are named
	aliases      []string          // names without a slash, in order
	defaultModel string
}

// Resolve finds what stands behind the model of a request: a name of the operator's, or "provider/model" of a provider that there is. The
// provider is what stands before the first slash; the rest may hold more of them. The error is of code invalid_argument for what cannot
// be a name, and not_found, listing what there is, for an unknown one.
func (t *Table) Resolve(name string) (*Model, error) {
	if m := t.models[name]; m != nil {
		return m, nil
	}
	if !entry.IsModel(name) {
		return nil, events.Errorf(events.CodeInvalidArgument, "model %q is not a name; available: %s", llm.Bound(name, 80), t)
	}
	provider, model, ok := strings.Cut(name, "/")
	if !ok {
		return nil, events.Errorf(events.CodeNotFound, "no model %q%s; available: %s", llm.Bound(name, 80), t.hint(name), t)
	}
	p := t.byName[provider]
	if model == "" || p == nil || len(p.Models) > 0 && !slices.Contains(p.Models, model) {
		return nil, events.Errorf(events.CodeNotFound, "no model %q; available: %s", llm.Bound(name, 80), t)
	}
	m := plain(p.Protocol, Target{Provider: provider, Model: model})
	return &m, nil
}

// hint says what who left the provider out may have meant.
func (t *Table) hint(name string) string {
	var meant []string
	for _, p := range t.providers {
		if slices.Contains(p.Models, name) || plain(p.Protocol, Target{Provider: p.Name, Model: name}).Dimensions > 0 && len(p.Models) == 0 {
			meant = append(meant, p.Name+"/"+name)
		}
	}
	if len(meant) == 0 {
		return ": a model is named as provider/model"
	}
	return ": is " + strings.Join(meant, " or ") + " meant?"
}

// Default is the name of the model of requests that name none: what the settings say, else the file; else
// openai/text-embedding-3-small if there is a key for it, else the model in the process.
func (t *Table) Default() string { return t.defaultModel }

// Providers returns all providers, by name.
func (t *Table) Providers() []Provider { return t.providers }

// Models returns every model that is named: of the operator's names, and of providers that say which they have. They are in order.
func (t *Table) Models() []*Model {
	models := make([]*Model, 0, len(t.models))
	for _, name := range slices.Sorted(maps.Keys(t.models)) {
		models = append(models, t.models[name])
	}
	return models
}

// References returns all keys that refer to secrets.
func (t *Table) References() []entry.Reference {
	var refs []entry.Reference
	for _, p := range t.providers {
		refs = entry.AppendReferences(refs, p.Name, p.Keys)
	}
	return refs
}

// String lists what can be asked for, for example "bge, local/hash-384, openai/*".
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

// checkTarget checks that a target leads to a provider that is there.
func (t *Table) checkTarget(target Target) error {
	if err := entry.CheckModel(target.Model); err != nil {
		return err
	}
	p := t.byName[target.Provider]
	switch {
	case p == nil:
		return fmt.Errorf("%s: there is no provider %q; %s", target, target.Provider, t.listProviders())
	case len(p.Models) > 0 && !slices.Contains(p.Models, target.Model):
		return fmt.Errorf("%s: provider %s has only %s", target, target.Provider, strings.Join(p.Models, ", "))
	default:
		return nil
	}
}

// listProviders says which providers there are.
func (t *Table) listProviders() string {
	if len(t.byName) == 0 {
		return "there is none: name it under providers"
	}
	return "there are " + strings.Join(slices.Sorted(maps.Keys(t.byName)), ", ")
}

// protocols lists all protocols, for errors.
const protocols = "openai, azure, cohere, huggingface, tei, ollama and local"

// check checks one provider.
func (p Provider) check() error {
	if err := entry.CheckName(p.Name); err != nil {
		return err
	}
	if !slices.Contains([]Protocol{OpenAI, Azure, Cohere, HuggingFace, TEI, Ollama, Local}, p.Protocol) {
		return fmt.Errorf("unknown protocol %q; there are %s", p.Protocol, protocols)
	}
	if p.Protocol == Local {
		if p.BaseURL != "" || len(p.Keys) > 0 {
			return errors.New("models in this process have no base_url and no keys")
		}
	} else if _, err := wire.CheckBaseURL(p.BaseURL); err != nil {
		return err
	}
	if p.Base64 && p.Protocol != OpenAI && p.Protocol != Azure {
		return fmt.Errorf("vectors in base64 cannot be asked for by the protocol %s; many servers speak openai, too", p.Protocol)
	}
	if err := entry.CheckKeys(p.Keys); err != nil {
		return err
	}
	v, known := vendorOf(p.Name)
	if known && !v.open && v.baseURL == p.BaseURL && len(p.Keys) == 0 && len(p.Header) == 0 {
		return fmt.Errorf("%s takes no request without a key; write keys: [secret:%s_api_key], or another base_url", p.Name, p.Name)
	}
	for name, value := range p.Header {
		if err := entry.CheckHeader(name, value); err != nil {
			return err
		}
	}
	return entry.CheckModels(p.Models)
}
