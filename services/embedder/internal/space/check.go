package space

import (
	"context"
	"errors"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/spaces"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// How a length is pinned.
const (
	pinTimeout = 5 * time.Second
	pinTries   = 5 // against others, who take it away each time
)

// Check checks the length of the vectors of an answer, before they are cut. name and revision are those of the model's space,
// answeredBy is who answered, as "provider/model". The first length of a model is pinned; of two replicas that see one at the same time,
// one decides for both. A little later, the same length is found in memory.
//
// Errors are an [events.Error]: failed_precondition for another length than the pinned one, which is also told in an event, or when what
// is pinned cannot be read, or too many models are pinned; unavailable when nothing is known of the model and it cannot be asked what is
// pinned. That of ctx is returned, too.
func (p *Pins) Check(ctx context.Context, name, revision, answeredBy string, dimensions int) error {
	m := model{name, revision}
	pinned := p.look(m)
	if pinned == dimensions && pinned > 0 {
		return nil
	}
	if dimensions < 1 || dimensions > spaces.MaxDimensions {
		return events.Errorf(events.CodeInternal, "%s answered vectors of length %d; they have 1 to %d", answeredBy, dimensions, spaces.MaxDimensions)
	}
	if pinned == 0 {
		var err error
		if pinned, err = p.pin(ctx, m, answeredBy, dimensions); err != nil {
			return err
		}
	}
	switch pinned {
	case dimensions:
		return nil
	case broken:
		return events.Errorf(events.CodeFailedPrecondition, "what is pinned as the length of the vectors of %s cannot be read; "+
			"set it with `mlsdmctl spaces accept %s`", spaces.Name(name, revision), spaces.Name(name, revision))
	default:
		p.alarm(ctx, alarm{model: m, pinned: pinned, seen: dimensions, answeredBy: answeredBy})
		return events.Errorf(events.CodeFailedPrecondition, "%s answered vectors of length %d, and those of %s have %d: they cannot be compared. "+
			"If the model was changed on purpose, agree with `mlsdmctl spaces accept %s`, or give it another revision",
			answeredBy, dimensions, spaces.Name(name, revision), pinned, spaces.Name(name, revision))
	}
}

// pin pins the length of a model of which nothing is known, and returns what is pinned then. It leaves it to the watch to remember it, so
// that what is known here is always what the bucket has said, in its order.
func (p *Pins) pin(ctx context.Context, m model, answeredBy string, dimensions int) (int, error) {
	kv := p.kv.Load()
	if kv == nil {
		return 0, p.unavailable(ctx, m, nil)
	}
	p.mu.RLock()
	full := len(p.known) >= p.most
	p.mu.RUnlock()
	if full {
		return 0, events.Errorf(events.CodeFailedPrecondition, "%d models have a pinned length already, and %s is none of them; "+
			"name the models of the provider in its configuration, and remove what is not used (`mlsdmctl spaces`)", p.most, m.name)
	}
	pin := spaces.Pin{Model: m.name, Revision: m.revision, Dimensions: dimensions, Provider: answeredBy, PinnedAt: time.Now().UTC()}
	value, err := pin.Encode()
	if err != nil {
		return 0, err
	}
	bounded, cancel := context.WithTimeout(ctx, pinTimeout)
	defer cancel()
	key := spaces.Key(m.name, m.revision)
	for range pinTries {
		_, err := kv.Create(bounded, key, value)
		if err == nil {
			p.log.InfoContext(ctx, "the length of a model's vectors is pinned", "model", pin.Name(), "dimensions", dimensions, "provider", answeredBy)
			return dimensions, nil
		}
		if !errors.Is(err, bus.ErrConflict) {
			return 0, p.unavailable(ctx, m, err)
		}
		other, _, err := kv.Get(bounded, key)
		if errors.Is(err, bus.ErrNotFound) {
			continue
		}
		if err != nil {
			return 0, p.unavailable(ctx, m, err)
		}
		return p.decode(ctx, key, other), nil
	}
	return 0, p.unavailable(ctx, m, bus.ErrConflict)
}

// unavailable is the error when it is not known what is pinned.
func (p *Pins) unavailable(ctx context.Context, m model, err error) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err == nil:
		return events.Errorf(events.CodeUnavailable, "it is not known yet how long the vectors of %s are", m.name)
	default:
		return events.Errorf(events.CodeUnavailable, "it cannot be asked how long the vectors of %s are: %w", m.name, err)
	}
}
