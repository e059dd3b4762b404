package catalog

import (
	"maps"
	"slices"
	"strings"

	"github.com/neuron7x/mlsdm-integrations/internal/llm/providers"
)

// Models of requests that name none, where nobody says one.
const (
	openAIModel = "openai/text-embedding-3-small"
	localModel  = "local/use-lite-512"
)

// Table is all providers and models. It is not changed once it is made, and is safe for concurrent use.
type Table struct {
	*providers.Directory

	providers    []Provider
	models       map[string]*Model // all that are named
	aliases      []string          // names without a slash, in order
	defaultModel string
}

// Resolve finds what stands behind the model of a request: a name of the operator's, or "provider/model" of a provider that there is, as
// [providers.Directory.Find] does.
func (t *Table) Resolve(name string) (*Model, error) {
	if m := t.models[name]; m != nil {
		return m, nil
	}
	p, model, err := t.Find(name, t, t.hint)
	if err != nil {
		return nil, err
	}
	m := plain(p.Protocol, Target{Provider: p.Name, Model: model})
	return &m, nil
}

// hint says what who left the provider out may have meant.
func (t *Table) hint(name string) string {
	var meant []string
	for _, p := range t.All() {
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

// String lists what can be asked for, for example "bge, local/hash-384, openai/*".
func (t *Table) String() string { return t.List(t.aliases) }
