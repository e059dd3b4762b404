package upstream

import (
	"context"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/genai"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/keyring"
	"github.com/neuron7x/mlsdm-integrations/internal/retry"
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
	made                 int // attempts
	use                  keyring.Use
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
func (r *run) attempt(ctx context.Context) (*llm.Embedded, *keyring.Blocked, *llm.Fault) {
	u := r.upstream
	if ctx.Err() != nil {
		return nil, nil, u.gone(ctx)
	}
	if fault := u.enter(ctx); fault != nil {
		return nil, nil, fault
	}
	defer u.exit()
	t, why := r.use.Take(r.call.Model, time.Now())
	if why != nil {
		return nil, why, nil
	}
	ended := false
	defer func() {
		if !ended { // the adapter has panicked, and others may wait for this turn
			t.End(ctx, &llm.Fault{Class: llm.ClassCanceled}, time.Now())
		}
	}()
	embedded, fault := r.ask(ctx, &t)
	if fault != nil {
		r.use.Failed(ctx, &t, fault)
	}
	ended = true
	t.End(ctx, fault, time.Now())
	if fault == nil {
		return embedded, nil, nil
	}
	if fault.Class != llm.ClassCanceled {
		r.last = fault
	}
	return nil, nil, fault
}

// ask has the adapter make one request.
func (r *run) ask(ctx context.Context, t *keyring.Turn) (*llm.Embedded, *llm.Fault) {
	u := r.upstream
	// A timer of our own, since the deadline of ctx may move: others may come to wait for the same call.
	asking, cancel := context.WithCancelCause(ctx)
	timer := time.AfterFunc(u.opts.Timeout, func() { cancel(u.slow()) })
	defer func() {
		timer.Stop()
		cancel(nil)
	}()
	call := r.call
	call.Key = t.Key()
	asking, span := r.record(asking, t)
	ended := false
	defer func() {
		if !ended { // the adapter has panicked
			span.End(time.Since(t.Began()), nil, &llm.Fault{Class: llm.ClassCanceled})
		}
	}()
	embedded, err := u.adapter.Embed(asking, &call)
	var fault *llm.Fault
	switch {
	case err == nil:
	case ctx.Err() != nil:
		fault = u.gone(ctx)
	default:
		fault = llm.FaultIn(asking, err)
	}
	ended = true
	took := time.Since(t.Began())
	u.opts.Metrics.attempt(u.name, fault, took, len(call.Texts))
	span.End(took, embedded, fault)
	return embedded, fault
}

// record begins the span of an attempt. The context is that of the attempt.
func (r *run) record(ctx context.Context, t *keyring.Turn) (context.Context, genai.Embedding) {
	u := r.upstream
	if u.opts.GenAI == nil {
		return ctx, genai.Embedding{}
	}
	r.made++
	about := genai.About{
		Target: u.opts.Target, Name: u.name + "/" + r.call.Model, Model: r.call.Model, Key: t.KeyName(),
		Number: r.made, Place: 1, Why: genai.First, Began: t.Began(),
	}
	if r.made > 1 {
		about.Why = genai.Retry
	}
	return u.opts.GenAI.Embed(ctx, &about, &r.call)
}

// slow is the fault of a server that has let its time pass.
func (u *Upstream) slow() *llm.Fault {
	e := events.Errorf(events.CodeDeadlineExceeded, "it did not answer within %s", u.opts.Timeout)
	e.Provider = u.name
	return &llm.Fault{Class: llm.ClassTimeout, Err: e}
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
	return retry.Pause(ctx, wait)
}

// waitFor waits for the end of a limit. It does not when that is of no use, or too long.
func (r *run) waitFor(ctx context.Context, b *keyring.Blocked) bool {
	o := &r.upstream.opts
	if !b.Waits || r.waits == maxWaits {
		return false
	}
	r.waits++
	return retry.Await(ctx, b.Until, o.MaxWait, o.Random)
}

// blocked is the fault of a call for which nobody can be asked now. What may pass tells more than what needs an operator.
func (r *run) blocked(ctx context.Context, b *keyring.Blocked) *llm.Fault {
	if ctx.Err() != nil {
		return r.upstream.gone(ctx)
	}
	if r.last != nil && (b.Fault.Err == nil || !b.Fault.Err.Retryable) {
		return r.last
	}
	f, e := b.Fault, *b.Fault.Err
	f.Until, e.RetryAfter = b.Until, 0
	if e.Retryable && !b.Until.IsZero() {
		e.RetryAfter = max(time.Until(b.Until), 0)
	}
	f.Err = &e
	return &f
}
