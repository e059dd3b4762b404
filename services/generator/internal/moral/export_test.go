package moral

import (
	"context"
	"log/slog"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
)

// Bucket is what the shared state is kept in.
type Bucket = bucket

// Bounds that tests reach.
const (
	MaxPending  = maxPending
	FlushAfter  = flushAfter
	MaxHeld     = maxHeld
	MaxScore    = maxScore
	MaxReplicas = maxReplicas
	BreakAfter  = breakAfter
)

// Fold returns the state after each of some outcomes.
func Fold(c Config, from State, outcomes ...bool) []State {
	p := newPolicy(&c)
	states := make([]State, 0, len(outcomes))
	for _, accepted := range outcomes {
		from = p.next(from, accepted)
		states = append(states, from)
	}
	return states
}

// Fresh returns the state before the first decision.
func Fresh(c Config) State { return newPolicy(&c).fresh() }

// Accepts decides about a score.
func Accepts(c Config, score, threshold float64) bool { return newPolicy(&c).accepts(score, threshold) }

// Shared is the state of one replica.
type Shared struct{ *shared }

// NewShared returns that of one more replica.
func NewShared(c Config, log *slog.Logger, lost func(int)) Shared {
	return Shared{newShared(newPolicy(&c), log, lost)}
}

// Decide decides about a score.
func (s Shared) Decide(score float64) (float64, bool) { return s.decide(score) }

// Note notes an outcome.
func (s Shared) Note(accepted bool) { s.note(accepted) }

// Flush writes what is pending.
func (s Shared) Flush(ctx context.Context, b Bucket) error { return s.flush(ctx, b) }

// See takes a change of the bucket.
func (s Shared) See(e bus.KVEntry) { s.see(e) }

// State returns the state and how much is pending.
func (s Shared) State() (State, int) { return s.state() }

// Replica is the name of the replica.
func (s Shared) Replica() string { return s.replica }

// Pending is how many decisions of a filter the others do not know.
func (f *Filter) Pending() int {
	_, n := f.shared.state()
	return n
}

// Held is how many chunks and bytes of text a Window holds.
func (w *Window) Held() (chunks, bytes int) {
	for i := range w.held {
		for _, c := range w.held[i].Choices {
			bytes += len(c.Delta.Content)
		}
	}
	for _, l := range w.texts.lanes {
		bytes += len(l.text)
	}
	return len(w.held), bytes
}
