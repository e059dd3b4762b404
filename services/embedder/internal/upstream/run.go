package upstream

import (
	"context"
	"errors"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Bounds of one call.
const (
	// maxAttempts ends a call that goes from key to key, whatever their number is.
	maxAttempts = 50
	// maxWaits is how often one call waits for limits.
	maxWaits = 3
)

// run is one call with all its attempts.
type run struct {
	upstream *Upstream
	call     llm.EmbedCall
	// last is how the last attempt failed.
	last *llm.Fault
	// retries counts those that followed a failure of the server, slow those that followed one that is repeated only once.
	retries, slow, waits int
	// renewed and except are keys, by number: those that were asked for anew, and those that are not used again.
	renewed, except uint64
}

// do makes attempts.
func (r *run) do(ctx context.Context) (*llm.Embedded, *llm.Fault) {
	for range maxAttempts {
		embedded, why, fault := r.attempt(ctx)
		switch {
		case why != nil:
			if !r.waitFor(ctx, why) {
				return nil, r.blocked(ctx, why)
			}
		case fault == nil:
			return embedded, nil
		case !r.again(ctx, fault):
			return nil, fault
		}
	}
	return nil, r.last
}

// attempt makes one attempt, if there is a key to be used; else it says why there is none.
func (r *run) attempt(ctx context.Context) (*llm.Embedded, *blocked, *llm.Fault) {
	u := r.upstream
	if ctx.Err() != nil {
		return nil, nil, u.gone(ctx)
	}
	if fault := u.enter(ctx); fault != nil {
		return nil, nil, fault
	}
	defer u.exit()
	t, why := u.take(r.call.Model, r.except, time.Now())
	if why != nil {
		return nil, why, nil
	}
	ended := false
	defer func() {
		if !ended { // the adapter has panicked, and others may wait for this turn
			u.end(&t, &llm.Fault{Class: llm.ClassCanceled}, time.Now())
		}
	}()
	embedded, fault := r.ask(ctx, &t)
	renewed := fault != nil && r.renew(ctx, &t, fault.Class)
	ended = true
	u.tell(ctx, &t, fault, u.end(&t, fault, time.Now()))
	if fault == nil {
		return embedded, nil, nil
	}
	if fault.Class != llm.ClassCanceled {
		r.last = fault
	}
	switch {
	case (fault.Class == llm.ClassKey || fault.Class == llm.ClassQuota) && !renewed, fault.Class == llm.ClassLimit && fault.Final:
		r.except |= 1 << t.number
	}
	return nil, nil, fault
}

// ask has the adapter make one request.
func (r *run) ask(ctx context.Context, t *turn) (*llm.Embedded, *llm.Fault) {
	u := r.upstream
	// A timer of our own, since the deadline of ctx may move: others may come to wait for the same call.
	asking, cancel := context.WithCancelCause(ctx)
	timer := time.AfterFunc(u.opts.Timeout, func() { cancel(u.slow()) })
	defer func() {
		timer.Stop()
		cancel(nil)
	}()
	call := r.call
	call.Key = t.sent
	embedded, err := u.adapter.Embed(asking, &call)
	var fault *llm.Fault
	switch {
	case err == nil:
	case ctx.Err() != nil:
		fault = u.gone(ctx)
	default:
		var own bool
		if fault, own = errors.AsType[*llm.Fault](context.Cause(asking)); !own {
			fault = llm.FaultOf(err)
		}
	}
	u.opts.Metrics.attempt(u.name, fault, time.Since(t.began), len(call.Texts))
	return embedded, fault
}

// slow is the fault of a server that has let its time pass.
func (u *Upstream) slow() *llm.Fault {
	e := events.Errorf(events.CodeDeadlineExceeded, "it did not answer within %s", u.opts.Timeout)
	e.Provider = u.name
	return &llm.Fault{Class: llm.ClassTimeout, Err: e}
}

// renew reports whether a key that was refused has another content than was sent, once for each key. One that is not accepted is
// asked for anew; behind one without money there may have been put another.
func (r *run) renew(ctx context.Context, t *turn, why llm.Class) (changed bool) {
	bit := uint64(1) << t.number
	if why != llm.ClassKey && why != llm.ClassQuota || r.renewed&bit != 0 || !t.key.value.IsLive() {
		return false
	}
	r.renewed |= bit
	if why == llm.ClassKey {
		_, changed = t.key.value.Renew(ctx, t.sent.Reveal())
		return changed
	}
	now := t.key.value.Reveal()
	return now != "" && now != t.sent.Reveal()
}

// again reports whether another attempt may follow a failure, after the wait that is due before it.
func (r *run) again(ctx context.Context, f *llm.Fault) bool {
	switch f.Class {
	case llm.ClassKey, llm.ClassQuota, llm.ClassLimit:
		return r.last == f // the key rests, so that it is another one, or a time to wait for; unless nothing was asked at all
	case llm.ClassProvider, llm.ClassNetwork, llm.ClassTimeout, llm.ClassAnswer:
		return r.retry(ctx, f)
	case llm.ClassCaller, llm.ClassContent, llm.ClassUnsupported, llm.ClassModel, llm.ClassCanceled:
		return false
	default:
		return false
	}
}

// retry waits before the same is tried again, or says that it is not to be.
func (r *run) retry(ctx context.Context, f *llm.Fault) bool {
	o := &r.upstream.opts
	slow := f.Class == llm.ClassTimeout || f.Class == llm.ClassAnswer
	if f.Final || r.retries >= o.Retries || slow && r.slow > 0 {
		return false
	}
	wait := time.Duration(o.Random() * float64(o.Backoff.Delay(r.retries, nil)))
	r.retries++
	if slow {
		r.slow++
	}
	if asked := time.Until(f.Until); !f.Until.IsZero() && asked > wait {
		if asked > o.Backoff.Cap {
			return !slow // the model rests, and that may be waited for
		}
		wait = asked
	}
	return pause(ctx, wait)
}

// waitFor waits for the end of a limit, and a little longer, so that not all who wait come at the same moment. It does not when that is
// of no use, or too long.
func (r *run) waitFor(ctx context.Context, b *blocked) bool {
	o := &r.upstream.opts
	wait := max(time.Until(b.until), 0)
	if !b.waits || r.waits == maxWaits || wait > o.MaxWait {
		return false
	}
	r.waits++
	return pause(ctx, wait+time.Duration(o.Random()*float64(min(wait/10, time.Second))))
}

// pause waits, if the wait leaves time for an attempt.
func pause(ctx context.Context, wait time.Duration) bool {
	if deadline, bounded := ctx.Deadline(); bounded && wait >= time.Until(deadline) {
		return false
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

// blocked is the fault of a call for which nobody can be asked now. What may pass tells more than what needs an operator.
func (r *run) blocked(ctx context.Context, b *blocked) *llm.Fault {
	if ctx.Err() != nil {
		return r.upstream.gone(ctx)
	}
	if r.last != nil && (b.fault.Err == nil || !b.fault.Err.Retryable) {
		return r.last
	}
	f, e := b.fault, *b.fault.Err
	f.Until, e.RetryAfter = b.until, 0
	if e.Retryable && !b.until.IsZero() {
		e.RetryAfter = max(time.Until(b.until), 0)
	}
	f.Err = &e
	return &f
}
