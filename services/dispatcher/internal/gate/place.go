package gate

import (
	"context"
	"maps"
	"slices"
	"time"
)

// Ticket is a place for one attempt.
type Ticket struct {
	gate       *gate
	start      time.Time
	probe      bool
	late       bool
	waited     bool
	left       bool
	prev, next *Ticket
}

// waiter is somebody who waits for a place.
type waiter struct {
	ticket *Ticket
	called chan struct{} // closed when ticket has its place
}

// tickets are those in flight, the oldest first.
type tickets struct {
	first, last *Ticket
	n           int
}

func (l *tickets) add(t *Ticket) {
	if t.prev = l.last; t.prev == nil {
		l.first = t
	} else {
		t.prev.next = t
	}
	l.last = t
	l.n++
}

func (l *tickets) remove(t *Ticket) {
	if t.prev == nil {
		l.first = t.next
	} else {
		t.prev.next = t.next
	}
	if t.next == nil {
		l.last = t.prev
	} else {
		t.next.prev = t.prev
	}
	t.prev, t.next = nil, nil
	l.n--
}

// idleFor is after what time without an attempt nobody can be waiting for turns close behind each other: what is held back from
// then on need not come after those who were told to wait for a slower endpoint.
const idleFor = time.Second

// enter takes a place, at once or after a short wait. Without one it says when to come back.
func (g *gate) enter(ctx context.Context, settings Limits) (*Ticket, time.Time, error) {
	t := &Ticket{gate: g, start: time.Now(), late: settings.Late}
	for {
		g.mu.Lock()
		g.settings = settings
		if settings.Late && g.crowds() {
			wait := g.expected()
			g.mu.Unlock()
			return nil, g.later(t.start.Add(wait), wait), nil
		}
		if len(g.waiting) == 0 && g.tickets.n < g.room() {
			if g.tickets.n == 0 && t.start.Sub(g.idle) >= idleFor {
				g.next = time.Time{}
			}
			g.take(t)
			g.mu.Unlock()
			return t, time.Time{}, nil
		}
		short := settings.Concurrency > 0 && g.tickets.n >= g.places && g.tickets.n < g.share()
		g.mu.Unlock()
		if !short {
			break
		}
		more, err := g.ask(ctx, settings)
		if err != nil {
			return nil, time.Time{}, err
		}
		if !more {
			break
		}
	}
	g.mu.Lock()
	wait, patience := g.expected(), g.patience()
	if wait > patience {
		apart := wait / time.Duration(len(g.waiting)+1)
		g.mu.Unlock()
		return nil, g.later(time.Now().Add(wait), apart), nil
	}
	w := &waiter{ticket: t, called: make(chan struct{})}
	g.waiting = append(g.waiting, w)
	g.call() // places may have come since the first of them began to wait, while none was in flight to leave one
	g.mu.Unlock()
	if patience > g.gates.policy.Patience {
		g.gates.patient.Add(1)
		defer g.gates.patient.Add(-1)
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-w.called:
	case <-timer.C:
	case <-ctx.Done():
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if i := slices.Index(g.waiting, w); i >= 0 { // not called
		g.waiting = slices.Delete(g.waiting, i, i+1)
		if ctx.Err() != nil {
			return nil, time.Time{}, ctx.Err()
		}
		at := time.Now().Add(max(wait, g.gates.policy.Patience))
		if g.next.After(at) {
			at = g.next
		}
		g.next = at.Add(g.pace())
		return nil, at, nil
	}
	t.waited = true
	return t, time.Time{}, nil
}

// take gives t a place.
func (g *gate) take(t *Ticket) {
	g.tickets.add(t)
	g.most = max(g.most, g.tickets.n)
	g.gates.inFlight.Add(1)
	if t.late {
		g.nLate++
		g.gates.late.Add(1)
	}
}

// room is how many attempts may be in flight here now.
func (g *gate) room() int {
	n := g.share()
	if g.settings.Concurrency > 0 {
		n = min(n, g.places, g.settings.Concurrency)
	}
	return n
}

// share is how many of the workers an endpoint may have: as many as are free, so that one endpoint alone gets half of them,
// two that take all they can get a third each, and there is always one left for the next (dynamic thresholds, Choudhury and
// Hahne, IEEE/ACM Transactions on Networking 6(2), 1998). An endpoint that has just recovered begins with one.
func (g *gate) share() int {
	n := max(g.gates.workers-int(g.gates.inFlight.Load()), 1)
	if g.ramp > 0 {
		n = min(n, g.ramp)
	}
	return n
}

// crowds reports whether a late attempt of a slow endpoint would leave too few of the workers for late attempts to others, by the
// same rule. Of a quick endpoint all of them may have one: they have the next soon.
func (g *gate) crowds() bool {
	policy := g.gates.policy
	if policy.LateWorkers == 0 || g.nLate < max(policy.LateWorkers-int(g.gates.late.Load()), 1) {
		return false
	}
	return g.takes() > policy.SparePatience
}

// takes is how long an attempt takes.
func (g *gate) takes() time.Duration {
	if oldest := g.tickets.first; oldest != nil {
		return max(g.latency, time.Since(oldest.start))
	}
	return g.latency
}

// pace is how far apart attempts of the endpoint end.
func (g *gate) pace() time.Duration {
	return max(g.takes()/time.Duration(max(g.room(), 1)), 100*time.Microsecond)
}

// patience is how long an attempt may wait for a place, of which there is none if another replica has all.
func (g *gate) patience() time.Duration {
	policy := g.gates.policy
	spare := g.gates.workers - int(g.gates.inFlight.Load()) - int(g.gates.patient.Load())
	if len(g.waiting) < spare/2 && g.room() > 0 {
		return max(policy.Patience, policy.SparePatience)
	}
	return policy.Patience
}

// expected is how long the next in the queue would wait for a place.
func (g *gate) expected() time.Duration { return g.pace() * time.Duration(len(g.waiting)+1) }

// Leave gives the place back without an outcome. It does nothing after [Ticket.Done], so that it can be deferred for the case
// that there is none.
func (t *Ticket) Leave() {
	g := t.gate
	g.mu.Lock()
	defer g.mu.Unlock()
	if !t.left {
		g.left(t)
	}
}

// left removes t and calls the next.
func (g *gate) left(t *Ticket) {
	t.left = true
	g.tickets.remove(t)
	g.gates.inFlight.Add(-1)
	if t.late {
		g.nLate--
		g.gates.late.Add(-1)
	}
	g.call()
	if g.tickets.n == 0 {
		g.idle = time.Now()
	}
}

// call gives places to those who wait, as long as there are some.
func (g *gate) call() {
	for len(g.waiting) > 0 && g.tickets.n < g.room() {
		w := g.waiting[0]
		g.waiting = slices.Delete(g.waiting, 0, 1)
		w.ticket.start = time.Now()
		g.take(w.ticket)
		close(w.called)
	}
}

// ask asks for more places under the endpoint's concurrency, and reports whether it got some.
func (g *gate) ask(ctx context.Context, settings Limits) (bool, error) {
	got, granted := false, 0
	_, err := g.limits.updateThen(ctx, func(l limits) (limits, bool) {
		now := time.Now()
		g.mu.Lock()
		defer g.mu.Unlock()
		granted = 0
		if got = g.tickets.n < g.places; got { // by somebody else's asking
			return l, false
		}
		mine := l.Places[g.gates.replica]
		others := l.others(g.gates.replica, now)
		want := min(settings.Concurrency-others.taken, g.tickets.n+len(g.waiting)+1)
		if others.hungry {
			want = min(want, others.fair(settings.Concurrency))
		}
		if want <= g.places { // there is no more; the others are told that this replica wants some
			g.hungry = true
			if mine.Hungry && mine.Until.After(now.Add(g.gates.policy.LeaseTTL/2)) {
				return l, false
			}
			return g.with(l, lease{N: max(g.places, g.tickets.n), Hungry: true}, now), true
		}
		got, granted = true, want
		return g.with(l, lease{N: max(want, g.tickets.n), Hungry: mine.Hungry}, now), true
	}, func() { // after this replica gives places back, which is the next change, it is too late to take them
		g.mu.Lock()
		defer g.mu.Unlock()
		g.places = max(g.places, min(granted, g.limits.get().Places[g.gates.replica].N)) // the lease may have been over
		g.call()
	})
	return got && err == nil, err
}

// with returns l with the places of this replica, and without those that are over.
func (g *gate) with(l limits, mine lease, now time.Time) limits {
	places := maps.Clone(l.Places)
	if places == nil {
		places = make(map[string]lease)
	}
	maps.DeleteFunc(places, func(_ string, held lease) bool { return !held.Until.After(now) })
	ttl := max(g.gates.policy.LeaseTTL, g.settings.Timeout+g.gates.policy.LeaseTTL/3)
	mine.Until = now.Add(ttl)
	places[g.gates.replica] = mine
	l.Places = places
	return l
}

// holds reports whether the replica has places, or is listed among those that have some or want some.
func (g *gate) holds() bool {
	_, listed := g.limits.get().Places[g.gates.replica]
	g.mu.Lock()
	defer g.mu.Unlock()
	return listed || g.places > 0
}

// tend renews the lease of the places, and gives back those that were not needed and those that are due to others. What is in
// flight stays listed until it is over, also when the places were taken away because the lease was.
func (g *gate) tend(ctx context.Context) {
	now := time.Now()
	g.mu.Lock()
	most, hungry := g.most, g.hungry
	g.most, g.hungry = g.tickets.n, false
	g.mu.Unlock()
	_, err := g.limits.update(ctx, func(l limits) (limits, bool) {
		g.mu.Lock()
		defer g.mu.Unlock()
		mine, listed := l.Places[g.gates.replica]
		g.places = min(g.places, mine.N, max(most, g.tickets.n+len(g.waiting)))
		if others := l.others(g.gates.replica, now); others.hungry {
			g.places = min(g.places, others.fair(g.settings.Concurrency))
		}
		keep := max(g.places, g.tickets.n)
		switch {
		case keep == 0 && !hungry && len(g.waiting) == 0:
			l.Places = maps.Clone(l.Places)
			delete(l.Places, g.gates.replica)
			return l, listed
		case keep == mine.N && hungry == mine.Hungry && mine.Until.After(now.Add(g.gates.policy.LeaseTTL/2)):
			return l, false
		default:
			return g.with(l, lease{N: keep, Hungry: hungry}, now), true
		}
	})
	if err != nil && ctx.Err() == nil {
		g.gates.log.WarnContext(ctx, "places under an endpoint's concurrency could not be renewed", "endpoint", g.id, "err", err)
	}
}

// giveBack gives all places back.
func (g *gate) giveBack(ctx context.Context) {
	_, err := g.limits.update(ctx, func(l limits) (limits, bool) {
		if _, listed := l.Places[g.gates.replica]; !listed {
			return l, false
		}
		l.Places = maps.Clone(l.Places)
		delete(l.Places, g.gates.replica)
		return l, true
	})
	if err != nil {
		g.gates.log.DebugContext(ctx, "places under an endpoint's concurrency end with their lease", "endpoint", g.id, "err", err)
	}
}
