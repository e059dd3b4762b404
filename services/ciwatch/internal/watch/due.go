package watch

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/retry"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/policy"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/tracker"
)

// book is what a leader keeps besides the states.
type book struct {
	// records are those of its repositories as it wrote them last, by key; for whoever holds the leader's lock.
	records map[string]storedRecord
	// late are the states, by key, with which something is due that could not be done; for the goroutine alone that does what is due.
	late map[string]attempts
	// quiet is until when a failure is not worth a line in the log.
	quiet time.Time
}

func newBook() *book { return &book{records: map[string]storedRecord{}, late: map[string]attempts{}} }

// logEvery is how often it is said that something still cannot be done.
const logEvery = time.Minute

// advanceDue consumes what has waited long enough, and tells what has become stale. It is called often, and looks at every state: what is not due
// costs next to nothing.
func (l *leader) advanceDue(ctx context.Context, now time.Time) {
	for _, known := range l.view.all() {
		if known.shard != l.lease.Shard || ctx.Err() != nil || !l.mayBeDue(known.state, now) || now.Before(l.book.late[known.key].next) {
			continue
		}
		err := l.advanceOne(ctx, known, now)
		if err == nil {
			delete(l.book.late, known.key)
			continue
		}
		l.missed(ctx, known.key, now, err)
		if code := events.CodeOf(err); code != events.CodeFailedPrecondition && code != events.CodeInvalidArgument {
			return // it is not this state: the others would fail in the same way, and take as long to
		}
	}
}

// missed puts off what could not be done.
func (l *leader) missed(ctx context.Context, key string, now time.Time, err error) {
	late := l.book.late[key]
	late.next = now.Add(retry.Backoff{Base: time.Second, Cap: time.Minute, Jitter: time.Second}.Delay(late.failed, rand.Float64))
	late.failed++
	l.book.late[key] = late
	if ctx.Err() == nil && !now.Before(l.book.quiet) {
		l.book.quiet = now.Add(logEvery)
		l.log.WarnContext(ctx, "what is due could not be done; it is tried again", "key", key, "failed", late.failed, "err", err)
	}
}

// mayBeDue reports whether it is worth to look at the rule of a state.
func (l *leader) mayBeDue(s tracker.State, now time.Time) bool {
	if _, planned := s.Planned(); planned || len(s.Pending) > 0 || s.Degraded != nil {
		return true
	}
	due := s.Due(tracker.Rules{StaleAfter: l.leastStale})
	return !due.IsZero() && !due.After(now)
}

// advanceOne does what is due with one state.
func (l *leader) advanceOne(ctx context.Context, known *entry, now time.Time) error {
	if !l.watches(known.repository) {
		return nil
	}
	rule, ok := l.ruleOf(known.state)
	if !ok {
		return nil
	}
	s, pollable := known.state, l.pollable(known.repository)
	settled := now.Add(-l.cfg.Settle)
	if pollable {
		settled = settled.Add(-l.cfg.Grace)
	}
	begins := !pollable && !s.Begun && firstTold(s).Before(settled) // nobody will list what was before
	due := s.Due(rule.Tracker())
	held := s.Degraded != nil && policy.Decide(s, rule, now, false).Act // a recovery that a cooldown or a bound held back until now
	if _, planned := s.Planned(); !planned && !begins && !held && (due.IsZero() || due.After(settled)) {
		return nil
	}
	after, err := l.change(ctx, known.key, s.Identity, func(s tracker.State) (tracker.State, []tracker.Event) {
		if begins {
			s = s.Begin(l.started, rule.Tracker())
		}
		return advance(s, rule, settled, now)
	})
	if err != nil {
		return err
	}
	runs := make([]forge.Run, len(s.Pending))
	for i, noted := range s.Pending {
		runs[i] = noted.Run
	}
	l.counted(ctx, s, after, runs)
	return l.act(ctx, known.key, rule)
}

// firstTold is when the first of what waits was told; in a time to come when nothing waits.
func firstTold(s tracker.State) time.Time {
	first := time.Now().Add(time.Hour)
	for _, noted := range s.Pending {
		if noted.At.Before(first) {
			first = noted.At
		}
	}
	return first
}

// counted counts and logs the attempts that were consumed between two states, and reports whether there are any.
func (l *leader) counted(ctx context.Context, before, after tracker.State, runs []forge.Run) bool {
	count, last := 0, forge.Run{}
	for _, run := range runs {
		if before.Seen(run) || !after.Seen(run) {
			continue
		}
		l.metrics.counted(run.Conclusion)
		if count++; count == 1 || forge.CompareCompleted(run, last) > 0 {
			last = run
		}
	}
	if count > 0 {
		l.log.InfoContext(ctx, "runs counted", "subject", after.Repository, "workflow", after.Workflow, "branch", after.Branch, "runs", count,
			"run_id", last.ID, "attempt", last.Attempt, "conclusion", last.Conclusion, "consecutive_failures", after.ConsecutiveFailures())
	}
	return count > 0
}

// leastStaleOf returns the least time after which a rule has a workflow be stale; 0 when none has.
func leastStaleOf(rules policy.Rules) time.Duration {
	least := time.Duration(0)
	for _, r := range rules {
		if r.StaleAfter > 0 && (least == 0 || r.StaleAfter < least) {
			least = r.StaleAfter
		}
	}
	return least
}
