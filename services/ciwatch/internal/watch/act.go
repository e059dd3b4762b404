package watch

import (
	"context"
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

// decide plans a recovery where the rule wants one. What is no more than an event is done with that.
func decide(s tracker.State, rule policy.Rule, now time.Time, id string) (tracker.State, []tracker.Event) {
	decision := policy.Decide(s, rule, now, id != "")
	if !decision.Act {
		return s, nil
	}
	decision.Recovery.ID = id
	s = s.Plan(decision.Recovery)
	r, ok := s.Planned()
	switch {
	case !ok: // it was decided before
		return s, nil
	case decision.DryRun:
		s = s.DryRun(r.ID, now)
	case r.Action == policy.Publish:
		s = s.Asked(r.ID, now)
	default:
		return s, nil // to be done once it is stored that it is planned
	}
	return triggered(s, rule, r.ID)
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
	s, r, ok := l.begin(ctx, key)
	if !ok {
		return nil
	}
	err := l.perform(ctx, s, rule, r)
	if err == nil {
		_, err = l.change(ctx, key, s.Identity, func(s tracker.State) (tracker.State, []tracker.Event) {
			return triggered(s.Asked(r.ID, time.Now()), rule, r.ID)
		})
		l.end(key, err)
		if err == nil {
		}
		return err
	}
	failure := err
	l.end(key, err)
	if passing(err) && time.Since(r.At) < giveUpAfter {
		l.log.WarnContext(ctx, "a recovery could not be asked for; it is tried again", "subject", s.Repository, "recovery_id", r.ID, "action", r.Action, "err", err)
		return nil
	}
	_, err = l.change(ctx, key, s.Identity, func(s tracker.State) (tracker.State, []tracker.Event) {
		return s.Refused(r.ID, bounded(failure.Error()), time.Now())
	})
	return err
}

// begin returns the recovery that is planned, unless somebody is at it, or it is too early to try it again.
func (l *leader) begin(ctx context.Context, key string) (tracker.State, tracker.Recovery, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	known, err := l.recall(ctx, key)
	if err != nil {
		return tracker.State{}, tracker.Recovery{}, false // whoever changes the state says so
	}
	r, ok := known.state.Planned()
	a := l.acts[key]
	if !ok || a.going || time.Now().Before(a.next) {
		return tracker.State{}, tracker.Recovery{}, false
	}
	a.going = true
	l.acts[key] = a
	return known.state, r, true
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

// perform does what the recovery says, unless it was done before.
func (l *leader) perform(ctx context.Context, s tracker.State, rule policy.Rule, r tracker.Recovery) error {
	if !l.lease.Valid() {
		return errOvertaken
	}
	ctx, cancel := context.WithDeadline(ctx, earlier(l.lease.Until(), time.Now().Add(actTimeout)))
	defer cancel()
	f := l.forges[s.Forge]
	switch r.Action {
	case policy.RerunFailedJobs, policy.Rerun:
		run, err := f.Run(ctx, s.Repository, r.RunID)
		if err != nil || !run.Done || run.Attempt > r.RunAttempt { // it runs again, or did: once is enough, whoever asked for it
			return err
		}
		return f.Rerun(ctx, run, r.Action == policy.RerunFailedJobs)
	case policy.WorkflowDispatch:
		d := forge.Dispatch{Repository: s.Repository, Workflow: rule.Recovery.Workflow, Ref: s.Branch, Inputs: rule.Recovery.Inputs}
		done, err := f.Dispatched(ctx, d, r.At)
		if err != nil || done {
			return err
		}
		return f.Dispatch(ctx, d)
	case policy.Webhook:
		return l.post(ctx, s, rule, r)
	default:
		return events.Errorf(events.CodeFailedPrecondition, "there is no recovery %q", r.Action)
	}
}

// earlier returns the earlier of two times.
func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
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
