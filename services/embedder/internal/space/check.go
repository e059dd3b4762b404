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
		return unreadable(m)
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
	if err := p.full(m); err != nil {
		return 0, err
	}
	first := false
	pinned, err := p.amend(ctx, m, func(pin *spaces.Pin) bool {
		if first = pin.Dimensions == 0; first {
			pin.Dimensions, pin.Provider = dimensions, answeredBy
		}
		return first
	})
	if err == nil && first {
		p.log.InfoContext(ctx, "the length of a model's vectors is pinned",
			"model", spaces.Name(m.name, m.revision), "dimensions", dimensions, "provider", answeredBy)
	}
	return pinned, err
}

// amend changes what is pinned of a model, unless change says that there is nothing to be changed, and returns the length that is pinned
// then. Of two who do so at the same time, the second sees what the first has written.
func (p *Pins) amend(ctx context.Context, m model, change func(*spaces.Pin) bool) (dimensions int, err error) {
	kv := p.kv.Load()
	if kv == nil {
		return 0, p.unavailable(ctx, m, nil)
	}
	bounded, cancel := context.WithTimeout(ctx, pinTimeout)
	defer cancel()
	key := spaces.Key(m.name, m.revision)
	for range pinTries {
		pin := spaces.Pin{Model: m.name, Revision: m.revision, PinnedAt: time.Now().UTC()}
		value, version, err := kv.Get(bounded, key)
		switch {
		case errors.Is(err, bus.ErrNotFound):
			version = 0
		case err != nil:
			return 0, p.unavailable(ctx, m, err)
		default:
			if pin, err = spaces.Decode(key, value); err != nil {
				return broken, nil // the watch tells of it
			}
		}
		if !change(&pin) {
			return pin.Dimensions, nil
		}
		if value, err = pin.Encode(); err != nil {
			return 0, err
		}
		if version == 0 {
			_, err = kv.Create(bounded, key, value)
		} else {
			_, err = kv.Update(bounded, key, value, version)
		}
		if err == nil {
			return pin.Dimensions, nil
		}
		if !errors.Is(err, bus.ErrConflict) {
			return 0, p.unavailable(ctx, m, err)
		}
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
