package limits

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// pending is a request that waits for what it asked of several counters.
type pending struct {
	open atomic.Int32 // asks that are not decided
	done chan struct{}
}

// decided notes that one more ask is decided.
func (p *pending) decided() {
	if p.open.Add(-1) == 0 {
		close(p.done)
	}
}

// Reserve reserves what a request needs of all limits that hold for it, or of none. The lease is to be settled or released; it is
// nil where nothing is limited.
//
// Its error is an [events.Error]: rate_limited, with the time until there may be room; unavailable when the counts cannot be
// reached in time and such requests are refused; canceled or deadline_exceeded when ctx ends first.
func (l *Limiter) Reserve(ctx context.Context, s Scope, e Estimate) (*Lease, error) {
	if l == nil {
		return nil, nil //nolint:nilnil // the nil lease has reserved nothing
	}
	counters := l.matching(s)
	if len(counters) == 0 {
		return nil, nil //nolint:nilnil // as above
	}
	now := l.now()
	lease := &Lease{limiter: l, asks: make([]ask, len(counters))}
	p := &pending{done: make(chan struct{})}
	p.open.Store(1) // until all have joined
	for i, c := range counters {
		a := &lease.asks[i]
		*a = ask{counter: c, amount: c.limit.kind.units(e.Tokens, e.Cost), pending: p, window: windowOf(now, c.limit.kind.window())}
		if a.amount > 0 && c.refuses(now, a.amount) {
			a.state = refused
		}
	}
	if err := l.refusal(lease, now); err != nil {
		return nil, err
	}
	if err := l.isDown(); err != nil {
		return l.unavailable(lease, err)
	}
	for i := range lease.asks {
		a := &lease.asks[i]
		if a.amount == 0 { // what costs nothing is not held up
			a.state = granted
			continue
		}
		p.open.Add(1)
		a.counter.join(a)
	}
	p.decided()
	return l.await(ctx, lease, p)
}

// await waits until all asks are decided, and says what came of them.
func (l *Limiter) await(ctx context.Context, lease *Lease, p *pending) (*Lease, error) {
	wait := time.NewTimer(l.cfg.Wait)
	defer wait.Stop()
	late := false
	select {
	case <-p.done:
	case <-ctx.Done():
		lease.leave()
		lease.Release()
		return nil, events.AsError(ctx.Err())
	case <-wait.C:
		lease.leave()
		late = true
	}
	if err := l.refusal(lease, l.now()); err != nil {
		lease.Release()
		return nil, err
	}
	var cause error
	for i := range lease.asks {
		switch a := &lease.asks[i]; a.state {
		case failed:
			cause = a.err
		case gone:
			cause = context.DeadlineExceeded
		case waiting, granted, refused:
		}
	}
	if cause == nil {
		return lease, nil
	}
	if late {
		l.unreached(cause)
	}
	return l.unavailable(lease, cause)
}

// unavailable says what becomes of a request of which nobody knows whether there is room for it.
func (l *Limiter) unavailable(lease *Lease, cause error) (*Lease, error) {
	if l.cfg.Allow {
		return lease, nil
	}
	lease.Release()
	err := events.Errorf(events.CodeUnavailable, "how much of the limits is used cannot be asked, and without that no request is let through: %w", cause)
	err.RetryAfter = patience
	return nil, err
}

// refusal returns the error of a request that was refused, or nil: the one of the limit that takes longest to have room.
func (l *Limiter) refusal(lease *Lease, now time.Time) error {
	var worst *events.Error
	for i := range lease.asks {
		a := &lease.asks[i]
		if a.state != refused {
			continue
		}
		about := a.counter.limit.about(a.counter.scope)
		if a.amount > a.counter.limit.max {
			err := events.Errorf(events.CodeRateLimited, "the request may use more than %s has at all: ask for fewer tokens, or have the limit raised", about)
			err.Retryable = false
			return err
		}
		length := a.counter.limit.kind.window()
		if wait := max(untilNext(now, length), time.Millisecond); worst == nil || wait > worst.RetryAfter {
			worst = events.Errorf(events.CodeRateLimited, "%s is used up; the next one begins in %s", about, wait.Round(time.Millisecond))
			worst.RetryAfter = wait
		}
	}
	if worst == nil {
		return nil
	}
	return worst
}

// Lease is what one request has reserved. The nil lease has reserved nothing. Only the first of Settle, Keep and Release
// counts.
type Lease struct {
	limiter *Limiter
	asks    []ask
	settled atomic.Bool
}

// leave lets go of what is not decided.
func (s *Lease) leave() {
	for i := range s.asks {
		s.asks[i].counter.leave(&s.asks[i])
	}
}

// Settle says what the request used: tokens, and cost in the currency of the price table. It waits for nobody: what differs from
// the estimate is counted within a moment.
func (s *Lease) Settle(tokens int, cost float64) {
	if s == nil || s.settled.Swap(true) {
		return
	}
	for i := range s.asks {
		a := &s.asks[i]
		s.correct(a, a.counter.limit.kind.units(tokens, cost))
	}
}

// Keep lets what was reserved stand: nobody knows what the request used. It waits for nobody.
func (s *Lease) Keep() {
	if s == nil || s.settled.Swap(true) {
		return
	}
	for i := range s.asks {
		s.correct(&s.asks[i], s.asks[i].amount) // where nothing could be reserved, it is counted now
	}
}

// Release gives everything back: nothing was asked of the provider, or nothing that counts. It waits for nobody.
func (s *Lease) Release() {
	if s == nil || s.settled.Swap(true) {
		return
	}
	for i := range s.asks {
		s.correct(&s.asks[i], 0)
	}
}

// correct makes a count say what was used instead of what was reserved.
func (s *Lease) correct(a *ask, used int64) {
	if a.state == granted {
		used -= a.amount
	}
	if used != 0 {
		s.limiter.settler.add(a.counter, a.window, used)
	}
}
