package engine

import (
	"context"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/keyring"
	"github.com/neuron7x/mlsdm-integrations/internal/retry"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// attempts are those of one request at one target.
type attempts struct {
	run      *run
	provider *provider
	number   int // of the target
	// retries counts those that followed a failure of the server, slow those that followed one that is repeated only once.
	retries, slow int
	use           keyring.Use
}

// once makes one attempt.
func (a *attempts) once(ctx context.Context, t *keyring.Turn) (step, error) {
	r := a.run
	reserved := false
	defer func() {
		if !reserved { // the gate has panicked, and others may wait for this turn
			t.End(ctx, &llm.Fault{Class: llm.ClassCanceled}, t.Began())
		}
	}()
	lease, err := r.reserve(ctx)
	reserved = true
	if err != nil {
		t.End(ctx, &llm.Fault{Class: llm.ClassCanceled, Err: events.AsError(err)}, t.Began())
		if ctx.Err() != nil {
			return finish, r.gone(ctx)
		}
		if events.CodeOf(err) != events.CodeRateLimited {
			return finish, events.AsError(err)
		}
		r.Held++
		r.verdict.limited(a.number, events.AsError(err), time.Now())
		return next, nil
	}
	o := r.attempt(ctx, a, t, lease)
	switch {
	case o.fault == nil:
		return finish, nil
	case o.begun:
		return finish, o.err
	case ctx.Err() != nil:
		return finish, r.gone(ctx)
	}
	return a.after(ctx, o)
}

// reserve asks the gate.
func (r *run) reserve(ctx context.Context) (Lease, error) {
	if r.engine.cfg.Gate == nil {
		return nil, nil //nolint:nilnil // a lease may be nil
	}
	return r.engine.cfg.Gate.Reserve(ctx, Attempt{
		Caller: r.ask.Caller, Asked: r.ask.Route.Name, Alias: r.ask.Route.Alias, Target: r.Target, Request: r.ask.Request,
	})
}

// after decides what follows a failure of which nobody has seen anything.
func (a *attempts) after(ctx context.Context, o outcome) (step, error) {
	r := a.run
	switch o.fault.Class {
	case llm.ClassCaller, llm.ClassContent, llm.ClassCanceled:
		return finish, r.verdict.ends(r, o.fault)
	case llm.ClassUnsupported, llm.ClassModel:
		r.verdict.failed(a.number, o.fault)
		return next, nil
	case llm.ClassKey, llm.ClassQuota, llm.ClassLimit:
		r.verdict.failed(a.number, o.fault)
		return again, nil // the key rests, so that it is another one, or a time to wait for
	case llm.ClassProvider, llm.ClassNetwork, llm.ClassTimeout, llm.ClassAnswer:
		r.verdict.failed(a.number, o.fault)
		return a.retry(ctx, o), nil
	default:
		return finish, r.verdict.ends(r, o.fault)
	}
}

// retry waits before the same target is tried again, or says that it is not to be.
func (a *attempts) retry(ctx context.Context, o outcome) step {
	if o.fault.Final {
		return next
	}
	r := a.run
	limit := r.engine.cfg.Retries
	if own := r.ask.Route.Options.Retries; own != nil {
		limit = *own
	}
	slow := o.fault.Class == llm.ClassTimeout || o.fault.Class == llm.ClassAnswer
	if a.retries >= limit || slow && (a.slow > 0 || o.hurried) {
		return next
	}
	wait := time.Duration(r.engine.cfg.Random() * float64(r.engine.cfg.Backoff.Delay(a.retries, nil)))
	if asked := time.Until(o.fault.Until); !o.fault.Until.IsZero() && asked > wait {
		switch {
		case asked <= r.engine.cfg.Backoff.Cap:
			wait = asked
		case slow:
			return next
		default: // it rests, and is asked again if nothing else is left
			return again
		}
	}
	a.retries++
	if slow {
		a.slow++
	}
	if !retry.Pause(ctx, wait) {
		return next
	}
	return again
}

// outcome is how an attempt ended.
type outcome struct {
	fault *llm.Fault
	// err is what the caller is told of a stream that had begun.
	err   error
	begun bool
	// hurried says that the attempt had less time than it is to have, for the sake of others; brief, that it was so little that the
	// server is not to be blamed: how much time there is in all is for the caller to say.
	hurried, brief bool
}

// settle tells the gate what an attempt used.
func settle(lease Lease, o outcome, usage *events.ChatUsage) {
	if lease == nil {
		return
	}
	if o.fault == nil || o.begun || usage != nil {
		lease.Settle(usage)
		return
	}
	switch o.fault.Class {
	case llm.ClassTimeout, llm.ClassAnswer, llm.ClassCanceled: // it may have been worked on
		lease.Settle(nil)
	default:
		lease.Release()
	}
}
