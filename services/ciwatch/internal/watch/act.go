package watch

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/retry"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/policy"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/tracker"
)

const (
	actTimeout = 10 * time.Second
	// giveUpAfter is how long a recovery is tried that the forge does not answer for.
	giveUpAfter = time.Hour
)

// backoff is between two attempts at a recovery.
func backoff() retry.Backoff {
	return retry.Backoff{Base: 5 * time.Second, Cap: 5 * time.Minute, Jitter: time.Second}
}

// attempts is how a recovery does that is not done yet.
type attempts struct {
	going  bool // somebody is at it
	failed int
	next   time.Time
}

// decide plans a recovery where the rule wants one. It is done once it is stored that it is planned, also when nothing more is done than to tell
// of it: whoever comes after a crash would otherwise decide anew, perhaps about a later run, and tell of both.
func decide(s tracker.State, rule policy.Rule, now time.Time, id string) (tracker.State, []tracker.Event) {
	decision := policy.Decide(s, rule, now, id != "")
	if !decision.Act {
		return s, nil
	}
	decision.Recovery.ID, decision.Recovery.Dry = id, decision.DryRun
	return s.Plan(decision.Recovery), nil
}

// triggered returns the event of a recovery.
func triggered(s tracker.State, rule policy.Rule, id string) (tracker.State, []tracker.Event) {
	if event, ok := s.Triggered(id, rule.Tracker()); ok {
		return s, []tracker.Event{event}
	}
	return s, nil
}

// recoverNow plans and does a recovery that a person asks for.
func (l *leader) recoverNow(ctx context.Context, key, id string) error {
	known, ok := l.view.state(key)
	if !ok {
		return nil
	}
	rule, ok := l.ruleOf(known)
	if !ok {
		return nil
	}
	now := time.Now()
	_, err := l.change(ctx, key, known.Identity, func(s tracker.State) (tracker.State, []tracker.Event) {
		return decide(s, rule, now, id)
	})
	if err != nil {
		return err
	}
	return l.act(ctx, key, rule)
}

// act does what is planned, if anything is. That it is planned is stored, and stays so until it is known to be done: a recovery is done once,
// whatever fails in between, because whoever is to do it looks first whether it was done.
func (l *leader) act(ctx context.Context, key string, rule policy.Rule) error {
	s, r, ok := l.begin(ctx, key, time.Now())
	if !ok {
		return nil
	}
	defer l.acting.Done()
	dry, failure := l.perform(ctx, s, rule, r)
	again := failure != nil && passing(failure) && time.Since(r.At) < giveUpAfter
	if again || errors.Is(failure, errOvertaken) {
		l.end(key, failure)
		l.log.WarnContext(ctx, "a recovery could not be asked for; it is tried again", "subject", s.Repository, "recovery_id", r.ID,
			"action", r.Action, "err", failure)
		return nil
	}
	_, err := l.change(ctx, key, s.Identity, func(s tracker.State) (tracker.State, []tracker.Event) {
		switch now := time.Now(); {
		case failure != nil:
			return s.Refused(r.ID, bounded(failure.Error()), now)
		case dry:
			return triggered(s.DryRun(r.ID, now), rule, r.ID)
		default:
			return triggered(s.Asked(r.ID, now), rule, r.ID)
		}
	})
	l.end(key, err)
	return err
}

// confirm looks whether what is planned was done already, by a leader that died before it could say so. It comes before anything new is counted:
// what came of the recovery is otherwise counted before it is known that there was one.
func (l *leader) confirm(ctx context.Context, key string, rule policy.Rule) error {
	s, r, ok := l.begin(ctx, key, time.Time{})
	if !ok {
		return nil
	}
	defer l.acting.Done()
	var done bool
	var failure error
	if !r.Dry {
		_, done, failure = l.look(ctx, s, rule, r)
	}
	if failure != nil || !done { // act will see to it
		l.pause(key)
		return nil
	}
	_, err := l.change(ctx, key, s.Identity, func(s tracker.State) (tracker.State, []tracker.Event) {
		return triggered(s.Asked(r.ID, time.Now()), rule, r.ID)
	})
	l.end(key, err)
	return err
}

// begin returns the recovery that is planned, unless somebody is at it, or it is too early to try it again, or the lease is to be given back.
// Now is compared with when it is to be tried again; the zero time is always.
func (l *leader) begin(ctx context.Context, key string, now time.Time) (tracker.State, tracker.Recovery, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	known, err := l.recall(ctx, key)
	if err != nil {
		return tracker.State{}, tracker.Recovery{}, false // whoever changes the state says so
	}
	r, ok := known.state.Planned()
	a := l.acts[key]
	if !ok || a.going || l.leaving || !now.IsZero() && now.Before(a.next) {
		return tracker.State{}, tracker.Recovery{}, false
	}
	a.going = true
	l.acts[key] = a
	l.acting.Add(1)
	return known.state, r, true
}

// pause says that nobody is at a recovery any more, and nothing was tried.
func (l *leader) pause(key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.acts[key]
	a.going = false
	l.acts[key] = a
}

// end says that the attempt at a recovery is over.
func (l *leader) end(key string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil {
		delete(l.acts, key)
		return
	}
	a := l.acts[key]
	a.going = false
	a.next = time.Now().Add(max(backoff().Delay(a.failed, rand.Float64), events.AsError(err).RetryAfter))
	a.failed++
	l.acts[key] = a
}

// passing reports whether an error is one that passes.
func passing(err error) bool {
	switch events.CodeOf(err) {
	case events.CodeUnavailable, events.CodeRateLimited, events.CodeDeadlineExceeded, events.CodeCanceled, events.CodeInternal:
		return true
	default:
		return false
	}
}

// perform does what the recovery says, unless it was done before; dry says that it is not to be done. What the operator has changed his mind
// about since it was planned is not done.
func (l *leader) perform(ctx context.Context, s tracker.State, rule policy.Rule, r tracker.Recovery) (dry bool, err error) {
	if r.Dry {
		return true, nil
	}
	ctx, cancel := l.whileLeading(ctx)
	defer cancel()
	run, done, err := l.look(ctx, s, rule, r)
	switch {
	case err != nil || done:
		return false, err
	case rule.Recovery.Action != r.Action:
		return false, events.Errorf(events.CodeFailedPrecondition, "the rule %q does not say %s any more", rule.Name, r.Action)
	case rule.Recovery.DryRun:
		return true, nil
	case !l.lease.Valid():
		return false, errOvertaken
	}
	err = l.order(ctx, s, rule, r, run)
	if err == nil || passing(err) {
		return false, err
	}
	if _, done, lookErr := l.look(ctx, s, rule, r); lookErr == nil && done { // it was refused because somebody was faster
		return false, nil
	}
	return false, err
}

// look reports whether the forge shows that a recovery was carried out, by whomever: once is enough. It returns the run that is to be run again.
func (l *leader) look(ctx context.Context, s tracker.State, rule policy.Rule, r tracker.Recovery) (run forge.Run, done bool, err error) {
	f := l.forges[s.Forge]
	switch r.Action {
	case policy.RerunFailedJobs, policy.Rerun:
		run, err = f.Run(ctx, s.Repository, r.RunID)
		return run, err == nil && (!run.Done || run.Attempt > r.RunAttempt), err
	case policy.WorkflowDispatch:
		done, err = f.Dispatched(ctx, dispatch(s, rule), dispatchedSince(s, r))
		return run, done, err
	default: // an event has the same id each time, and so has a webhook
		return run, false, nil
	}
}

// order has a recovery carried out.
func (l *leader) order(ctx context.Context, s tracker.State, rule policy.Rule, r tracker.Recovery, run forge.Run) error {
	f := l.forges[s.Forge]
	switch r.Action {
	case policy.Publish:
		return nil
	case policy.RerunFailedJobs, policy.Rerun:
		return f.Rerun(ctx, run, r.Action == policy.RerunFailedJobs)
	case policy.WorkflowDispatch:
		return f.Dispatch(ctx, dispatch(s, rule))
	case policy.Webhook:
		return l.post(ctx, s, rule, r)
	default:
		return events.Errorf(events.CodeFailedPrecondition, "there is no recovery %q", r.Action)
	}
}

// dispatch is what a rule has dispatched.
func dispatch(s tracker.State, rule policy.Rule) forge.Dispatch {
	return forge.Dispatch{Repository: s.Repository, Workflow: rule.Recovery.Workflow, Ref: s.Branch, Inputs: rule.Recovery.Inputs}
}

// dispatchedSince is from when on, by the forge's clock, a workflow that was dispatched is the recovery's. The forge's clock may be behind, but
// what an earlier recovery has dispatched is not this one's.
func dispatchedSince(s tracker.State, r tracker.Recovery) time.Time {
	since := r.At.Add(-clockSlack)
	if last, ok := s.LastRecovery(); ok && last.AskedAt.After(since) {
		return last.AskedAt
	}
	return since
}

// whileLeading returns a context for what only the leader may do. It ends with the lease, or after some time; but not because the lease is to be
// given back: what was begun is finished before, so that whoever comes next sees it.
func (l *leader) whileLeading(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(forge.While(context.WithoutCancel(ctx), l.lease.Valid), actTimeout)
	ended := l.ctx.Done()
	go func() {
		defer cancel()
		for l.lease.Valid() {
			timer := time.NewTimer(time.Until(l.lease.Until()))
			select {
			case <-ctx.Done():
				timer.Stop()
				return
			case <-ended:
				ended = nil // perhaps it is only to be given back
			case <-timer.C: // it may have been renewed
			}
			timer.Stop()
		}
	}()
	return ctx, cancel
}

// errorOf gives what a receiver answered a code.
func errorOf(status int) error {
	switch {
	case status >= 200 && status < 300:
		return nil
	case status == 429 || status >= 500:
		return events.Errorf(events.CodeUnavailable, "the receiver answered %d", status)
	default:
		return fmt.Errorf("the receiver refuses: %w", events.Errorf(events.CodeFailedPrecondition, "it answered %d", status))
	}
}
