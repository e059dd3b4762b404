package embedder

import (
	"context"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/cache"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

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
		if err := w.fill(ctx, caller, kept, ask, missing, places, got); err != nil {
			return nil, err
		}
	}
	// What is kept may be of a model that stood behind the name before. Of vectors that were cut that is not to be seen.
	other := len(missing) > 0 && !ask.epoch.Lasts(w.epoch(ask.model))
	if got.mixed() || other || ask.cut > 0 && got.cached > 0 && len(missing) > 0 && w.pins.Dimensions(ask.model.Space, ask.model.Revision) != ask.cut {
		begun := w.epoch(ask.model)
		got = &result{model: ask.model, items: make([]item, len(texts)), tokens: got.used()}
		if err := w.fill(ctx, caller, kept, ask, texts, nil, got); err != nil {
			return nil, err
		}
		if got.mixed() || !begun.Lasts(w.epoch(ask.model)) {
			return nil, events.Errorf(events.CodeFailedPrecondition, "another model came to stand behind %s while the vectors were made; ask again", ask.model.Name)
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
	own := ask.own(w.pins.Dimensions(ask.model.Space, ask.model.Revision))
	for i, v := range vectors {
		// The operator may have agreed to another length since it was kept, or said one.
		if v == nil || ask.group.Dimensions == 0 && own > 0 && len(v) != own {
			missing, places = append(missing, texts[i]), append(places, i)
			continue
		}
		got.items[i].Vector = v
		got.cached++
	}
	return missing, places
}

// fill has vectors made, puts each in its place (nil: the places are all, in order), and keeps them. What was cut is not kept: who asks
// again is to be told again. Nor is anything that came while another model took the place of the one that was asked for.
func (w *worker) fill(ctx context.Context, caller string, kept *cache.Vectors, ask *asking, texts []string, places []int, got *result) error {
	begun := time.Now()
	made, err := w.batcher.Embed(ctx, caller, ask.group, texts)
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
	if now := w.epoch(ask.model); kept != nil && ask.epoch.Lasts(now) {
		if now != ask.epoch { // it is known since these answers
			later := *ask
			later.epoch = now
			kept = w.cache.Vectors(later.key(caller))
		}
		w.cache.ObserveFill(time.Since(begun))
		kept.SetMulti(ctx, texts, vectors)
	}
	return nil
}
