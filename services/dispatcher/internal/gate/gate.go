package gate

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Limits are those of an endpoint.
type Limits struct {
	// Concurrency is how many attempts may be in flight, those of all replicas together; 0 is no bound.
	Concurrency int
	// Rate is how many attempts a second may begin, those of all replicas together; 0 is no bound. Burst is how many may begin
	// at once after a pause; at least 1.
	Rate  float64
	Burst int
	// Timeout of one attempt.
	Timeout time.Duration
	// Late says that this attempt is made by one of the few workers for late ones, of which a slow endpoint may have as many as
	// are free.
	Late bool
}

// Decision says what becomes of an attempt.
type Decision struct {
	// Ticket is what an attempt that may be made has to give back; nil for one that may not.
	Ticket *Ticket
	// Disabled says that the endpoint gets nothing; Reason and Status tell why.
	Disabled bool
	Reason   string
	Status   int
	// At is when to come back otherwise. Paid says that At is a place under the endpoint's rate, to be shown then.
	At   time.Time
	Paid bool
}

// gate is what one replica knows of one endpoint.
type gate struct {
	gates  *Gates
	id     string
	health cell[Health]
	limits cell[limits]
	rate   ledger

	mu       sync.Mutex
	tickets  tickets       // attempts in flight, the oldest first
	waiting  []*waiter     // for a place, in their order
	latency  time.Duration // of attempts, a moving mean
	streak   int           // failures in a row
	began    time.Time     // when the failing began, without a success since
	tripped  bool          // the breaker was open, or the endpoint disabled, when last seen
	ramp     int           // slow start: how many may be in flight; 0 is no bound
	next     time.Time     // when the next of those may come back that were held back
	idle     time.Time     // when the last attempt ended, if there is none
	places   int           // that this replica has under Limits.Concurrency
	most     int           // in flight since places were last looked after
	nLate    int           // in flight, of Limits.Late
	hungry   bool          // there were not enough of them since then
	late     time.Time     // since when all places under the rate have been shown too late; zero if the last was not
	gone     bool          // the endpoint was deleted; whoever still holds a ticket only gives it back
	settings Limits        // as last seen
}

func newGate(g *Gates, id string) *gate {
	return &gate{
		gates: g, id: id, health: cell[Health]{kv: g.kv, key: id}, limits: cell[limits]{kv: g.kv, key: id + limitsSuffix},
	}
}

const (
	// staleSlot is how late the owner of a place under the rate may come and still have it. After a pause of the scheduler all
	// of them come at once.
	staleSlot = 2 * time.Second
	// lateFor is after what time that is no pause: if all of them come late for so long, they come as far apart as their places
	// are, and sending them away would have them come late again, for ever.
	lateFor = 5 * time.Second
)

// owns reports whether slot is a place under the rate that its owner still has. One that seems to come too early was released
// by another clock than ours.
func (g *gate) owns(slot, now time.Time) bool {
	if slot.IsZero() {
		return false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if now.Sub(slot) < staleSlot {
		g.late = time.Time{}
		return true
	}
	if g.late.IsZero() {
		g.late = now
	}
	return now.Sub(g.late) >= lateFor
}

// Enter asks whether an attempt to an endpoint may be made now. slot is the time of a place under the rate that was given
// before (see [Decision]); zero is none. An error means that the bucket cannot be reached: ask again later.
func (g *Gates) Enter(ctx context.Context, id string, settings Limits, slot time.Time) (Decision, error) {
	at := g.of(id)
	now := time.Now()
	health := at.health.get()
	if health.Disabled {
		return Decision{Disabled: true, Reason: health.Reason, Status: health.Status}, nil
	}
	if health.NotBefore.After(now) {
		return Decision{At: at.later(health.NotBefore, g.policy.Spacing)}, nil
	}
	probe := false
	if health.Trips > 0 {
		mine, err := at.probe(ctx, now, settings.Timeout)
		if err != nil {
			return Decision{}, err
		}
		if !mine {
			return Decision{At: at.later(now.Add(at.patienceForProbe(settings.Timeout)), g.policy.Spacing)}, nil
		}
		probe = true
	}
	ticket, back, err := at.enter(ctx, settings)
	if ticket == nil || err != nil {
		if probe { // it does not take place, so that another may
			err = errors.Join(err, at.endProbe(ctx))
		}
		return Decision{At: back}, err
	}
	if ticket.waited && !probe && at.health.get() != health { // much may have happened meanwhile
		ticket.Leave()
		return g.Enter(ctx, id, settings, slot)
	}
	ticket.probe = probe
	if settings.Rate <= 0 || at.owns(slot, now) {
		return Decision{Ticket: ticket}, nil
	}
	due, err := at.rate.reserve(ctx, &at.limits, settings)
	if err == nil && !due.After(time.Now()) {
		return Decision{Ticket: ticket}, nil
	}
	ticket.Leave()
	if probe {
		err = errors.Join(err, at.endProbe(ctx))
	}
	return Decision{At: due, Paid: true}, err
}

// later gives the next time at which somebody may come back, from a moment on, and keeps those that get one apart.
func (g *gate) later(from time.Time, spacing time.Duration) time.Time {
	g.mu.Lock()
	defer g.mu.Unlock()
	at := from
	if g.next.After(at) {
		at = g.next
	}
	g.next = at.Add(spacing)
	return at
}

// probe takes the one probe of an open breaker whose time is over. Until its outcome is known, others keep away.
func (g *gate) probe(ctx context.Context, now time.Time, timeout time.Duration) (bool, error) {
	const margin = 5 * time.Second // for what the probe does beside waiting for the answer
	if g.health.get().ProbeUntil.After(now) {
		return false, nil
	}
	mine := false
	_, err := g.health.update(ctx, func(h Health) (Health, bool) {
		mine = h.Trips > 0 && !h.Disabled && !h.NotBefore.After(now) && !h.ProbeUntil.After(now)
		if h.Trips == 0 && !h.Disabled { // somebody else's probe went well in the meantime
			mine = true
			return h, false
		}
		h.ProbeUntil = now.Add(timeout + margin)
		return h, mine
	})
	return mine, err
}

// patienceForProbe is how soon the outcome of a probe can be expected.
func (g *gate) patienceForProbe(timeout time.Duration) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	const least = 100 * time.Millisecond
	return min(max(2*g.latency, least), max(timeout, least))
}

// healthChanged is called when the health may have changed, by whichever replica. When the breaker closes, or the endpoint is
// enabled, attempts begin anew, slowly.
func (g *gate) healthChanged() {
	h := g.health.get()
	g.mu.Lock()
	defer g.mu.Unlock()
	tripped := h.Trips > 0 || h.Disabled
	if g.tripped && !tripped {
		g.streak, g.began, g.ramp, g.next = 0, time.Time{}, 1, time.Time{}
	}
	g.tripped = tripped
}
