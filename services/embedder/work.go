package embedder

import (
	"context"
	"slices"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/cache"
	"github.com/neuron7x/mlsdm-integrations/internal/door"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/local"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/embedder/internal/batch"
	"github.com/neuron7x/mlsdm-integrations/services/embedder/internal/catalog"
	"github.com/neuron7x/mlsdm-integrations/services/embedder/internal/job"
	"github.com/neuron7x/mlsdm-integrations/services/embedder/internal/space"
)

// worker does one embeddings request, whichever door it came through.
type worker struct {
	table   *catalog.Table
	sources map[string]string // where each provider is reached, by its name
	calls   *calls
	batcher *batch.Batcher
	cache   *cache.Namespace
	pins    *space.Pins
	jobs    *job.Jobs
}

// work implements [door.Worker].
func (w *worker) work(ctx context.Context, call *door.Call) ([]byte, error) {
	parse := events.ParseEmbeddingsRequest
	if call.Durable {
		parse = events.ParseDurableEmbeddingsRequest
	}
	req, err := parse(call.Body)
	if err != nil {
		return nil, err
	}
	if call.Durable {
		err = req.ValidateDurable()
	} else {
		err = req.Validate()
	}
	if err != nil {
		return nil, err
	}
	if req.Model == "" {
		req.Model = w.table.Default()
	}
	call.Report.Model, call.Report.Inputs = req.Model, len(req.Input)
	ask, err := w.asks(req.Model, &req)
	if err != nil {
		return nil, err
	}
	if call.Durable {
		if size := w.partSize(ctx, ask, len(req.Input)); size > 0 {
			return w.inParts(ctx, call, &req, ask, size)
		}
	}
	texts := ask.prefixed(req.Input)
	got, err := w.embed(ctx, call.Caller, ask, texts)
	if err != nil {
		return nil, err
	}
	if other := ask.model.Other; other != "" && req.AllowOtherSpace && got.elsewhere() {
		if got, err = w.instead(ctx, call, &req, other, got); err != nil {
			return nil, err
		}
	}
	got.report(call)
	return reply(&req, got, call.Limit)
}

// instead asks another model, whose vectors lie in another space, for all texts: those of one reply lie in one. If it does not answer
// either, what the first said stands.
func (w *worker) instead(ctx context.Context, call *door.Call, req *events.EmbeddingsRequest, other string, first *result) (*result, error) {
	ask, err := w.asks(other, req)
	if err != nil { // the length that was asked for is none of its
		return first, nil //nolint:nilerr // the first answer says what is wrong
	}
	got, err := w.embed(ctx, call.Caller, ask, ask.prefixed(req.Input))
	if err != nil {
		return nil, err
	}
	if got.failed >= first.failed {
		return first, nil
	}
	got.tokens += first.tokens
	return got, nil
}

// asking is a request to one model, with all that is known of it.
type asking struct {
	model  *catalog.Model
	group  batch.Group
	cached bool // its vectors are worth keeping
	source string
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
	ask := &asking{model: model, group: batch.Group{
		Model: model.Name, Dimensions: req.Dimensions, InputType: req.InputType, User: req.User, Truncate: req.Truncate != events.TruncateNone,
		Tells: !slices.ContainsFunc(model.Targets, func(t catalog.Target) bool { return t.Provider != local.Provider }),
	}}
	if own := ask.own(pinned); req.Dimensions == own { // said or not, it is the same
		ask.group.Dimensions = 0
	}
	first := model.Targets[0]
	ask.cached = first != catalog.Target{Provider: local.Provider, Model: local.HashModel} // which is quicker than a cache
	if model.Space == first.String() {                                                     // nobody has said that it is the same model elsewhere
		ask.source = w.sources[first.Provider]
	}
	return ask, nil
}

// own is the length of the model's own vectors, as far as it is known.
func (a *asking) own(pinned int) int {
	if a.model.Dimensions > 0 {
		return a.model.Dimensions
	}
	return pinned
}

// prefixed puts before each text what the model was trained with.
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
	return cache.VectorKey{
		Caller: caller, Model: a.model.Space, Revision: a.model.Revision, Source: a.source, Dimensions: a.group.Dimensions,
		InputType: a.group.InputType, Raw: !a.model.Normalize,
	}
}

// embed makes vectors of texts, from the cache and by the batcher together. The error is that of ctx, or of a model whose vectors do not
// fit together.
func (w *worker) embed(ctx context.Context, caller string, ask *asking, texts []string) (*result, error) {
	got := &result{model: ask.model, items: make([]item, len(texts))}
	var kept *cache.Vectors
	missing, places := texts, []int(nil)
	if ask.cached && w.cache != nil {
		kept = w.cache.Vectors(ask.key(caller))
		missing, places = w.known(ctx, kept, ask, texts, got)
	}
	if len(missing) > 0 {
		if err := w.fill(ctx, kept, ask, missing, places, got); err != nil {
			return nil, err
		}
	}
	if got.mixed() { // what is kept is of a model that stood behind the name before
		got = &result{model: ask.model, items: make([]item, len(texts))}
		if err := w.fill(ctx, kept, ask, texts, nil, got); err != nil {
			return nil, err
		}
		if got.mixed() {
			return nil, events.Errorf(events.CodeFailedPrecondition, "the vectors of %s changed their length while they were made; ask again", ask.model.Name)
		}
	}
	got.count()
	return got, nil
}

// known takes what the cache has, and returns what it has not, with the place of each.
func (w *worker) known(ctx context.Context, kept *cache.Vectors, ask *asking, texts []string, got *result) (missing []string, places []int) {
	vectors, found := kept.GetMulti(ctx, texts)
	if found == 0 {
		return texts, nil
	}
	pinned := w.pins.Dimensions(ask.model.Space, ask.model.Revision)
	for i, v := range vectors {
		// The operator may have agreed to another length since it was kept.
		if v == nil || ask.group.Dimensions == 0 && pinned > 0 && len(v) != pinned {
			missing, places = append(missing, texts[i]), append(places, i)
			continue
		}
		got.items[i].Vector = v
		got.cached++
	}
	return missing, places
}

// fill has vectors made, puts each in its place (nil: the places are all, in order), and keeps them. What was cut is not kept: who asks
// again is to be told again.
func (w *worker) fill(ctx context.Context, kept *cache.Vectors, ask *asking, texts []string, places []int, got *result) error {
	begun := time.Now()
	made, err := w.batcher.Embed(ctx, ask.group, texts)
	if err != nil {
		return err
	}
	var vectors [][]float32
	if kept != nil {
		vectors = make([][]float32, len(made))
	}
	for i, m := range made {
		place := i
		if places != nil {
			place = places[i]
		}
		got.items[place] = item(m)
		if kept != nil && m.Truncated == nil {
			vectors[i] = m.Vector
		}
	}
	if kept != nil {
		w.cache.ObserveFill(time.Since(begun))
		kept.SetMulti(ctx, texts, vectors)
	}
	return nil
}
