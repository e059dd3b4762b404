package llm

import (
	"slices"
	"strings"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Providers are the adapters of one service by provider name, each an [Embedder], say.
// The zero value is empty and ready for use. It is not changed after the service has started.
type Providers[T any] struct {
	entries []provider[T]
}

// provider is one adapter with the models that it is known to have.
type provider[T any] struct {
	name    string
	adapter T
	models  []string
}

// Add puts an adapter under a provider name; one provider may have several, each with its models. With models it answers for these only; without, every model name is passed
// on and the provider itself decides.
func (p *Providers[T]) Add(name string, adapter T, models ...string) {
	p.entries = append(p.entries, provider[T]{name: name, adapter: adapter, models: models})
}

// Resolve finds the adapter for a model written "provider/model" and returns it with the two parts. The provider is
// what stands before the first slash; the rest may hold more of them. The error is of code invalid_argument for a name
// of another form, and not_found, listing what there is, for an unknown provider or model.
func (p *Providers[T]) Resolve(model string) (adapter T, name, rest string, err error) {
	name, rest, ok := strings.Cut(model, "/")
	if !ok || name == "" || rest == "" || len(model) > maxModelName || strings.ContainsFunc(model, notInModelName) {
		return adapter, "", "", events.Errorf(events.CodeInvalidArgument,
			"model %q is not of the form provider/model; available: %s", Bound(model, 80), p.String())
	}
	for _, e := range p.entries {
		if e.name != name {
			continue
		}
		if len(e.models) > 0 && !slices.Contains(e.models, rest) { // another adapter of the provider may have it
			continue
		}
		return e.adapter, name, rest, nil
	}
	return adapter, "", "", events.Errorf(events.CodeNotFound, "no model %q; available: %s", Bound(model, 80), p.String())
}

// String lists what can be asked for, for example "local/hash-384, openai/*".
func (p *Providers[T]) String() string {
	var list []string
	for _, e := range p.entries {
		if len(e.models) == 0 {
			list = append(list, e.name+"/*")
		}
		for _, m := range e.models {
			list = append(list, e.name+"/"+m)
		}
	}
	if len(list) == 0 {
		return "none"
	}
	return strings.Join(list, ", ")
}

// maxModelName is the longest model name that is looked at, in bytes.
const maxModelName = 256

// notInModelName reports whether r is a white space or control character, which no provider's model names hold.
func notInModelName(r rune) bool { return r <= ' ' || r == 0x7f }
