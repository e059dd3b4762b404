package gate

import (
	"context"
	"time"
)

// Outcome is what came of an attempt.
type Outcome struct {
	// Result is one of the constants.
	Result Result
	// Wait is how long the receiver asked to be left alone.
	Wait time.Duration
	// Status is the HTTP status; 0 is none. Reason says what happened, for a person.
	Status int
	Reason string
}

// Result sorts outcomes by what they say of the endpoint.
type Result int

// Results.
const (
	// Neutral says nothing of the endpoint: the attempt was cut short, or it was our fault.
	Neutral Result = iota
	// Worked: it took the webhook.
	Worked
	// Failed: it did not, and is perhaps not able to.
	Failed
	// Refused: it did not want this one, but it is there.
	Refused
	// Gone: it wants no more.
	Gone
)

// Done gives the place back and learns from the outcome. It reports whether the endpoint has just been disabled, by this
// attempt. The error says that it could not be written down: the next outcomes of the same kind try to do so again.
func (t *Ticket) Done(ctx context.Context, o Outcome) (disabled bool, err error) {
	g := t.gate
	now := time.Now()
	g.mu.Lock()
	if t.left {
		g.mu.Unlock()
		return false, nil
	}
	g.left(t)
	if o.Result != Neutral {
		g.learn(now.Sub(t.start))
	}
	if g.gone {
		g.mu.Unlock()
		return false, nil
	}
	health := g.health.get()
	trip := false
	switch o.Result {
	case Neutral:
		g.mu.Unlock()
		if t.probe {
			return false, g.endProbe(ctx)
		}
		return false, nil
	case Worked:
		g.worked()
		g.mu.Unlock()
		if health == (Health{Generation: health.Generation, Told: health.Told}) {
			return false, nil
		}
		return false, g.recover(ctx, now)
	case Failed:
		if o.Wait == 0 {
			g.streak++
			trip = t.probe || (health.Trips == 0 && g.streak >= g.gates.policy.Failures)
		}
	case Refused, Gone:
	}
	if g.began.IsZero() {
		g.began = now
	}
	began := g.began
	g.mu.Unlock()
	return g.worse(ctx, t, o, now, began, trip)
}

// learn takes the duration of an attempt into the mean.
func (g *gate) learn(latency time.Duration) {
	const weight = 8
	if g.latency == 0 {
		g.latency = latency
	}
	g.latency += (latency - g.latency) / weight
}

// worked ends a streak of failures and lets a slow start go faster.
func (g *gate) worked() {
	g.streak, g.began = 0, time.Time{}
	if g.ramp > 0 {
		if g.ramp++; g.ramp > g.gates.workers {
			g.ramp = 0
		}
		g.call()
	}
}

// endProbe lets another probe at once.
func (g *gate) endProbe(ctx context.Context) error {
	_, err := g.health.update(ctx, func(h Health) (Health, bool) {
		known := !h.ProbeUntil.IsZero()
		h.ProbeUntil = time.Time{}
		return h, known
	})
	return err
}

// recover closes the breaker. A wait that the receiver asked for stays: another attempt went through before it began.
func (g *gate) recover(ctx context.Context, now time.Time) error {
	_, err := g.health.update(ctx, func(h Health) (Health, bool) {
		if h.Disabled {
			return h, false
		}
		next := Health{Generation: h.Generation, Told: h.Told}
		if h.Trips == 0 && h.NotBefore.After(now) {
			next.NotBefore = h.NotBefore
		}
		return next, next != h
	})
	g.healthChanged()
	return err
}

// worse writes down what others have to know of a failure: that the breaker is open, the wait that was asked for, since when
// it fails, that it is disabled.
func (g *gate) worse(ctx context.Context, t *Ticket, o Outcome, now, began time.Time, trip bool) (disabled bool, err error) {
	policy := g.gates.policy
	_, err = g.health.update(ctx, func(h Health) (Health, bool) {
		disabled = false
		if h.Disabled {
			return h, false
		}
		before := h
		if o.Wait > 0 {
			h.NotBefore = latest(h.NotBefore, now.Add(o.Wait))
		}
		switch {
		case t.probe && o.Result == Refused, t.probe && o.Wait > 0:
			h.Trips, h.ProbeUntil = 0, time.Time{}
		case trip && (t.probe || h.Trips == 0): // if others did not open it before
			h.Trips++
			h.NotBefore, h.ProbeUntil = latest(h.NotBefore, now.Add(policy.open(h.Trips))), time.Time{}
			h.Reason, h.Status, h.Since = o.Reason, o.Status, now
		}
		if h.FailingSince.IsZero() && (h.Trips > 0 || now.Sub(began) >= policy.NoteAfter) {
			// What lies further back may have been followed by another replica's success, of which nobody tells as long as nothing
			// is written down.
			h.FailingSince = latest(began, now.Add(-policy.NoteAfter))
		}
		long := !h.FailingSince.IsZero() && now.Sub(h.FailingSince) >= policy.DisableAfter
		if o.Result == Gone || long {
			h = Health{Disabled: true, Generation: uint64(now.UnixNano()), FailingSince: h.FailingSince, Reason: o.Reason, Status: o.Status, Since: now}
			if o.Result != Gone { // a receiver that wants no more has said why
				h.Reason = "it has failed for " + now.Sub(h.FailingSince).Round(time.Minute).String() + "; at last: " + o.Reason
			}
			disabled = true
		}
		return h, h != before
	})
	g.healthChanged()
	return disabled && err == nil, err
}

// latest returns the later of two times.
func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// Told says that the disabling of an endpoint was made known.
func (g *Gates) Told(ctx context.Context, id string, generation uint64) error {
	_, err := g.of(id).health.update(ctx, func(h Health) (Health, bool) {
		if !h.Disabled || h.Generation != generation || h.Told {
			return h, false
		}
		h.Told = true
		return h, true
	})
	return err
}

// Enable makes an endpoint begin anew: an operator wants it, or a probe of the disabled endpoint went well.
func (g *Gates) Enable(ctx context.Context, id string) error {
	at := g.of(id)
	_, err := at.health.update(ctx, func(h Health) (Health, bool) {
		next := Health{Generation: h.Generation}
		return next, next != h
	})
	at.healthChanged()
	return err
}
