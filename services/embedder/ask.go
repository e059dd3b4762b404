package embedder

import (
	"slices"
	"strconv"
	"strings"

	"github.com/neuron7x/mlsdm-integrations/internal/cache"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/local"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/providers"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/vendors"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/embedder/internal/batch"
	"github.com/neuron7x/mlsdm-integrations/services/embedder/internal/catalog"
	"github.com/neuron7x/mlsdm-integrations/services/embedder/internal/space"
	"github.com/neuron7x/mlsdm-integrations/services/embedder/internal/tokenids"
)

// source is what is to be known of a provider to know its vectors again.
type source struct {
	// address is where it is reached: another server behind a name may have another model there.
	address string
	// tells says that it tells which model it has.
	tells bool
	// prompts are the names of its models' own prompts, by input type.
	prompts map[string]string
}

// sources are those of all providers, by their names.
func sources(t *catalog.Table) map[string]source {
	all := make(map[string]source)
	for _, p := range t.Providers() {
		s := source{address: p.BaseURL, tells: p.Protocol == vendors.TEI}
		if p.Protocol == vendors.Local {
			s.address = "in the process"
		}
		s.prompts = prompts(providers.NewOptions(p.Options))
		all[p.Name] = s
	}
	return all
}

// asking is a request to one model, with all that is known of it.
type asking struct {
	model  *catalog.Model
	group  batch.Group
	cached bool // its vectors are worth keeping
	source string
	// cut is how long the vectors are that are cut to what is asked for, as far as it is known; 0 when they are not cut.
	cut int
	// epoch is since when the same model stands behind the name, as far as those who serve it tell.
	epoch space.Epoch
}

// asks finds what is to be known to ask a model. Errors are an [events.Error].
func (w *worker) asks(name string, req *events.EmbeddingsRequest) (*asking, error) {
	model, err := w.table.Resolve(name)
	if err != nil {
		return nil, err
	}
	pinned := w.pins.Dimensions(model.Space, model.Revision)
	if err := model.CheckDimensions(req.Dimensions, pinned); err != nil {
		return nil, err
	}
	if len(req.Tokens) > 0 && model.Prefix(req.InputType) != "" {
		return nil, events.Errorf(events.CodeUnsupported, "input: %s wants a prefix before each text, which cannot be put before token ids; send the texts themselves",
			model.Name)
	}
	ask := &asking{model: model, group: batch.Group{
		Tokens: len(req.Tokens) > 0,
		Model:  model.Name, Dimensions: req.Dimensions, InputType: req.InputType, User: req.User, Truncate: req.Truncate != events.TruncateNone,
		Tells: !slices.ContainsFunc(model.Targets, func(t catalog.Target) bool { return t.Provider != local.Provider }),
	}}
	if own := ask.own(pinned); req.Dimensions == own { // said or not, it is the same
		ask.group.Dimensions = 0
	}
	first := model.Targets[0]
	ask.cached = first != catalog.Target{Provider: local.Provider, Model: local.HashModel} // which is quicker than a cache
	ask.source = w.source(model, req.InputType)
	ask.epoch = w.epoch(model)
	if ask.group.Dimensions > 0 { // if the operator agrees to another length, they are pieces of other vectors than before
		ask.cut = pinned
	}
	return ask, nil
}

// epoch is since when the same model stands behind a name.
func (w *worker) epoch(m *catalog.Model) space.Epoch { return w.pins.Epoch(m.Space, m.Revision) }

// source is what vectors depend on beside what the model says of itself: where it is served, if nobody has said that it is the same model
// elsewhere; how one vector is made of many, and which of its own prompts a server puts before texts.
func (w *worker) source(model *catalog.Model, inputType string) string {
	var parts []string
	if first := model.Targets[0]; model.Space == first.String() {
		parts = append(parts, w.sources[first.Provider].address)
	}
	if model.Pooling != catalog.PoolingNone {
		parts = append(parts, "pooling "+string(model.Pooling))
	}
	for _, target := range model.Targets {
		if prompt := w.sources[target.Provider].prompts[inputType]; prompt != "" {
			parts = append(parts, "prompt "+target.Provider+" "+prompt)
		}
	}
	return strings.Join(parts, "\n")
}

// length is how long the vectors of an answer are, as far as it is known.
func (a *asking) length(pins *space.Pins) int {
	if a.group.Dimensions > 0 {
		return a.group.Dimensions
	}
	return a.own(pins.Dimensions(a.model.Space, a.model.Revision))
}

// own is the length of the model's own vectors, as far as it is known.
func (a *asking) own(pinned int) int {
	if a.model.Dimensions > 0 {
		return a.model.Dimensions
	}
	return pinned
}

// inputs are the texts of a request, of which token ids stand in the form of package tokenids.
func inputs(req *events.EmbeddingsRequest) []string {
	if len(req.Tokens) > 0 {
		return tokenids.PackAll(req.Tokens)
	}
	return req.Input
}

// prefixed puts before each text what the model was trained with. For token ids there is none.
func (a *asking) prefixed(texts []string) []string {
	prefix := a.model.Prefix(a.group.InputType)
	if prefix == "" {
		return texts
	}
	all := make([]string, len(texts))
	for i, text := range texts {
		all[i] = prefix + text
	}
	return all
}

// key is what the vectors depend on, but for their texts.
func (a *asking) key(caller string) cache.VectorKey {
	source := a.source
	if a.cut > 0 {
		source += "\ncut from " + strconv.Itoa(a.cut)
	}
	if since := a.epoch.String(); since != "" {
		source += "\nsince " + since
	}
	return cache.VectorKey{
		Caller: caller, Model: a.model.Space, Revision: a.model.Revision, Source: source, Dimensions: a.group.Dimensions,
		InputType: a.group.InputType, Raw: !a.model.Normalize,
	}
}

// making is all that the vectors of a request depend on but its texts, as one text.
func (a *asking) making(caller string) string {
	key := a.key(caller)
	key.Text = a.model.Prefix(a.group.InputType)
	return key.String()
}
