package engine

import (
	"context"
	"errors"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/genai"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/keyring"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// attempt asks the target once, and takes note of how that ended.
func (r *run) attempt(ctx context.Context, a *attempts, t *keyring.Turn, lease Lease) (o outcome) {
	began := time.Now()
	r.call = llm.Call{Model: r.Target.Model, Request: r.ask.Request, Key: t.Key()}
	asking := r.record(ctx, a, t, began)
	ended := false
	defer func() {
		if !ended { // the adapter has panicked, and others may wait for this turn
			unknown := &llm.Fault{Class: llm.ClassCanceled}
			t.End(ctx, unknown, time.Now())
			settle(lease, outcome{fault: unknown}, nil)
			r.chat.End(&genai.ChatEnd{Took: time.Since(began), Fault: unknown})
		}
	}()
	var usage *events.ChatUsage
	if r.ask.Emit == nil {
		o, usage = r.plain(asking, a, t)
	} else {
		o, usage = r.stream(asking, a, t)
	}
	now := time.Now()
	tried := Tried{Target: r.Target, Key: t.KeyName(), Waited: began.Sub(r.last), Took: now.Sub(began), Usage: usage}
	r.last = now
	if o.fault != nil {
		if ctx.Err() != nil && !o.begun {
			o.fault = &llm.Fault{Class: llm.ClassCanceled, Err: events.AsError(context.Cause(ctx)), RequestID: o.fault.RequestID}
		}
		tried.Class, tried.RequestID = o.fault.Class, o.fault.RequestID
		if !o.begun {
			a.use.Failed(ctx, t, o.fault)
		}
	}
	r.Attempts = append(r.Attempts, tried)
	ended = true
	blamed := o.fault
	if o.brief && o.fault != nil && o.fault.Class == llm.ClassTimeout && !o.begun {
		blamed = &llm.Fault{Class: llm.ClassCanceled, Err: o.fault.Err}
	}
	t.End(ctx, blamed, now)
	r.engine.metrics.attempt(&tried, o.fault == nil)
	r.chat.End(&genai.ChatEnd{Took: tried.Took, Fault: o.fault, Response: r.said(&o), Usage: usage})
	settle(lease, o, usage)
	if o.fault == nil || o.begun {
		r.Usage = usage
	}
	return o
}

// record begins the span of an attempt. The context is that of the attempt.
func (r *run) record(ctx context.Context, a *attempts, t *keyring.Turn, began time.Time) context.Context {
	if r.engine.cfg.GenAI == nil {
		return ctx
	}
	about := genai.About{
		Target: a.provider.target, Name: r.Target.ID, Model: r.Target.Model, Number: len(r.Attempts) + 1, Place: a.number + 1, Why: genai.First, Began: began,
	}
	if n := len(r.Attempts); n > 0 {
		switch last := &r.Attempts[n-1]; {
		case last.Target.ID != r.Target.ID:
			about.Why = genai.Fallback
		case last.Key != t.KeyName():
			about.Why = genai.NextKey
		default:
			about.Why = genai.Retry
		}
	}
	ctx, r.chat = r.engine.cfg.GenAI.Chat(ctx, &about, r.ask.Request, r.ask.Emit != nil)
	return ctx
}

// said is what an attempt has been told, as far as it is known.
func (r *run) said(o *outcome) *events.ChatResponse {
	if o.fault == nil {
		return r.Response
	}
	if partial, ok := errors.AsType[*PartialError](o.err); ok {
		return partial.Partial
	}
	return nil
}

// plain asks for an answer in one piece.
func (r *run) plain(ctx context.Context, a *attempts, _ *keyring.Turn) (outcome, *events.ChatUsage) {
	usual := r.engine.answer(r)
	limit, hurried := r.limit(ctx, a.number, usual, 2.0/3)
	asking := ctx
	if rest, bounded := left(ctx); !bounded || limit < rest { // else the request's own deadline is what ends it
		var cancel context.CancelCauseFunc
		asking, cancel = context.WithCancelCause(ctx)
		timer := time.AfterFunc(limit, func() { cancel(r.slow("it did not answer", limit)) })
		defer func() {
			timer.Stop()
			cancel(nil)
		}()
	}
	res, err := a.provider.adapter.Chat(asking, &r.call)
	if err != nil {
		fault := llm.FaultIn(asking, err)
		return outcome{fault: fault, hurried: hurried, brief: r.brief(limit, usual, 2.0/3)}, fault.Usage
	}
	r.chat.Answered(res.ID, res.Model)
	res.Model = r.Target.ID
	r.Response, r.FirstOutput = res, time.Since(r.begin)
	if len(res.Choices) > 0 {
		r.Finish = res.Choices[0].FinishReason
	}
	return outcome{}, res.Usage
}

// answer is the time for an answer in one piece.
func (e *Engine) answer(r *run) time.Duration {
	if own := r.ask.Route.Options.Answer; own > 0 {
		return own
	}
	return e.cfg.Answer
}

// firstToken is the time until the first output of a stream.
func (e *Engine) firstToken(r *run) time.Duration {
	if own := r.ask.Route.Options.FirstToken; own > 0 {
		return own
	}
	return e.cfg.FirstToken
}

// idle is the time for a pause in a stream.
func (e *Engine) idle(r *run) time.Duration {
	if own := r.ask.Route.Options.Idle; own > 0 {
		return own
	}
	return e.cfg.Idle
}

// fair is which part of the usual time an attempt must have had at least, for a server that has not used it to be blamed.
const fair = 4

// limit bounds one attempt: as is usual, or by its share of the time that is left if there are others to be asked. hurried says that
// it is less than usual.
func (r *run) limit(ctx context.Context, number int, usual time.Duration, share float64) (limit time.Duration, hurried bool) {
	rest, bounded := left(ctx)
	if !bounded || !r.more(number) {
		return usual, false
	}
	if part := time.Duration(float64(rest) * share); part < usual {
		return part, true
	}
	return usual, false
}

// brief reports whether a limit is so short that who does not answer within it is not to be blamed: what a caller has little of says
// nothing about the server. What the operator sets does.
func (r *run) brief(limit, usual time.Duration, share float64) bool {
	if own := r.ask.Route.Options.Timeout; own > 0 {
		usual = min(usual, time.Duration(float64(own)*share))
	}
	return limit < usual/fair
}

// slow is the fault of a server that has let a time pass.
func (r *run) slow(what string, limit time.Duration) *llm.Fault {
	if limit > time.Second {
		limit = limit.Round(100 * time.Millisecond)
	}
	e := events.Errorf(events.CodeDeadlineExceeded, "%s within %s", what, limit)
	e.Provider = r.Target.Provider
	return &llm.Fault{Class: llm.ClassTimeout, Err: e}
}
