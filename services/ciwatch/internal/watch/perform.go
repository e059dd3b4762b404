package watch

import (
	"context"
	"fmt"
	"time"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/policy"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/tracker"
)

// perform does what the recovery says, unless it was done before; dry says that it is not to be done. What the operator has changed his mind
// about since it was planned is not done.
func (l *leader) perform(ctx context.Context, s tracker.State, rule policy.Rule, r tracker.Recovery, untried bool) (dry bool, err error) {
	if r.Dry {
		return true, nil
	}
	ctx, cancel := l.whileLeading(ctx)
	defer cancel()
	run, done, err := l.look(ctx, s, rule, r, untried)
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
	if _, done, lookErr := l.look(ctx, s, rule, r, false); lookErr == nil && done { // it was refused because somebody was faster
		return false, nil
	}
	return false, err
}

// look reports whether the forge shows that a recovery was carried out, by whomever: once is enough. It returns the run that is to be run again.
func (l *leader) look(ctx context.Context, s tracker.State, rule policy.Rule, r tracker.Recovery, untried bool) (run forge.Run, done bool, err error) {
	f := l.forges[s.Forge]
	switch r.Action {
	case policy.RerunFailedJobs, policy.Rerun:
		run, err = f.Run(ctx, s.Repository, r.RunID)
		return run, err == nil && (!run.Done || run.Attempt > r.RunAttempt), err
	case policy.WorkflowDispatch:
		done, err = f.Dispatched(ctx, dispatch(s, rule), dispatchedSince(s, r, untried))
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

// dispatchedSince is from when on, by the forge's clock, a workflow that was dispatched is the recovery's. Where it may have been tried, the forge's
// clock may have been behind; but what an earlier recovery has dispatched is not this one's.
func dispatchedSince(s tracker.State, r tracker.Recovery, untried bool) time.Time {
	if untried {
		return r.At
	}
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
