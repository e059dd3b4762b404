package watch

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/retry"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
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
	fresh  string // the id of one that was planned here, and was not tried by anybody
	going  bool   // somebody is at it
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
	ctx, finished := l.spans.act(ctx, s, r)
	dry, failure := l.perform(ctx, s, rule, r, l.untried(key, r))
	finished(asked(dry), failure)
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

// asked says in spans what came of a recovery that did not fail.
func asked(dry bool) string {
	if dry {
		return events.CIRecoveryDryRun
	}
	return events.CIRecoveryAsked
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
		_, done, failure = l.look(ctx, s, rule, r, false)
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

// untried reports whether nobody can have tried a recovery, and takes note that somebody does: it was planned by this leader.
func (l *leader) untried(key string, r tracker.Recovery) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.acts[key]
	fresh := a.fresh == r.ID
	a.fresh = ""
	l.acts[key] = a
	return fresh
}

// planned takes note of a recovery that this leader has planned.
func (l *leader) planned(key string, before, after tracker.State) {
	if r, ok := after.Planned(); ok {
		if _, had := before.Planned(); !had {
			a := l.acts[key]
			a.fresh = r.ID
			l.acts[key] = a
		}
	}
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
