package space

import (
	"context"
	"maps"

	"github.com/neuron7x/mlsdm-integrations/internal/spaces"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Epoch is how long the same model stands behind a name, as far as those who serve it tell which one they have. When the operator agrees
// to another, another epoch begins.
type Epoch struct {
	since string // empty while nobody has told
	ended uint64 // how many epochs, of all models, had ended
}

// String is the same for all of one epoch, and empty while nobody has told which model it is.
func (e Epoch) String() string { return e.since }

// Lasts reports whether all that was made from the epoch to now is of one model. One that nobody had told of may have begun meanwhile.
func (e Epoch) Lasts(now Epoch) bool {
	if e.since == "" {
		return e.ended == now.ended || now.since == ""
	}
	return e.since == now.since
}

// Epoch returns that of a model. It asks nobody.
func (p *Pins) Epoch(name, revision string) Epoch {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return Epoch{since: p.told[model{name, revision}].since, ended: p.ended}
}

// CheckServed checks which model who has answered says that it has: served. The other arguments are those of [Pins.Check]. What each
// server says first is pinned, and when CheckServed has returned nil, [Pins.Epoch] has it. Errors are those of Check.
func (p *Pins) CheckServed(ctx context.Context, name, revision, answeredBy string, dimensions int, served string) error {
	m := model{name, revision}
	pinned, _, length := p.lookServed(m, answeredBy)
	if pinned == "" {
		var err error
		if pinned, length, err = p.pinServed(ctx, m, answeredBy, served); err != nil {
			return err
		}
	}
	if pinned == served {
		return nil
	}
	if length <= 0 {
		length = dimensions
	}
	p.alarm(ctx, alarm{model: m, pinned: length, seen: dimensions, was: pinned, is: served, answeredBy: answeredBy})
	full := spaces.Name(name, revision)
	return events.Errorf(events.CodeFailedPrecondition, "%s has another model now, %q, and the vectors of %s are of %q: they may not be comparable. "+
		"If it was changed on purpose, give it another revision or agree with `mlsdmctl spaces accept %s`", answeredBy, served, full, pinned, full)
}

// lookServed returns what is pinned, and what is closed when that may have changed.
func (p *Pins) lookServed(m model, answeredBy string) (served string, changed <-chan struct{}, dimensions int) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.told[m].served[answeredBy], p.seen, p.known[m]
}

// pinServed pins what a server says of which nothing is known, waits for the watch to tell what is pinned then, and returns it.
func (p *Pins) pinServed(ctx context.Context, m model, answeredBy, served string) (pinned string, dimensions int, err error) {
	if err := p.full(m); err != nil {
		return "", 0, err
	}
	length, err := p.amend(ctx, m, func(pin *spaces.Pin) bool {
		if pin.Served[answeredBy] != "" {
			return false
		}
		all := maps.Clone(pin.Served)
		if all == nil {
			all = make(map[string]string)
		}
		all[answeredBy] = served
		pin.Served = all
		return true
	})
	switch {
	case err != nil:
		return "", 0, err
	case length == broken:
		return "", 0, unreadable(m)
	}
	bounded, cancel := context.WithTimeout(ctx, pinTimeout)
	defer cancel()
	for {
		pinned, changed, dimensions := p.lookServed(m, answeredBy)
		if pinned != "" {
			return pinned, dimensions, nil
		}
		select {
		case <-changed:
		case <-bounded.Done():
			return "", 0, p.unavailable(ctx, m, bounded.Err())
		}
	}
}

// full is the error when too many models are pinned for one more.
func (p *Pins) full(m model) error {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if len(p.known) < p.most || p.known[m] != 0 {
		return nil
	}
	return events.Errorf(events.CodeFailedPrecondition, "%d models have a pinned length already, and %s is none of them; "+
		"name the models of the provider in its configuration, and remove what is not used (`mlsdmctl spaces`)", p.most, m.name)
}

// unreadable is the error when what is pinned cannot be read.
func unreadable(m model) error {
	full := spaces.Name(m.name, m.revision)
	return events.Errorf(events.CodeFailedPrecondition, "what is pinned as the length of the vectors of %s cannot be read; "+
		"set it with `mlsdmctl spaces accept %s`", full, full)
}
