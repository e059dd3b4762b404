package watch

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/retry"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/tracker"
)

// take takes in one sighting.
func (l *leader) take(ctx context.Context, m *bus.Message) error {
	s, err := decodeSighting(m.Body)
	if err != nil {
		return retry.Permanent(err)
	}
	r := Repository{Forge: s.Forge, Name: s.Repository}
	if !l.watches(r) {
		l.log.InfoContext(ctx, "a sighting of a repository that is not watched", "provider", s.Forge, "subject", s.Repository)
		return nil
	}
	switch {
	case s.Run != nil:
		err = l.takeRun(ctx, r, *s.Run, s.At)
	case s.Job != nil:
		err = l.takeJob(ctx, r, *s.Job)
	case s.Command != nil:
		err = l.takeCommand(ctx, r, *s.Command)
	default:
		l.touch(r, time.Now())
	}
	if errors.Is(err, errOvertaken) {
		return retry.After(err, time.Second) // by when the other one asks for it
	}
	return err
}

// takeRun notes a run, and has its repository polled when what ended before it should be listed, too.
func (l *leader) takeRun(ctx context.Context, r Repository, run forge.Run, at time.Time) error {
	rule, ok := l.cfg.Rules.For(r.Forge, run, l.view.record(r.recordKey()).Branch)
	if !ok {
		if l.cfg.Rules.AsksDefaultBranch() && l.view.record(r.recordKey()).Branch == "" {
			l.touch(r, time.Now()) // it may be on the default branch, which nobody has asked for yet
		}
		return nil
	}
	key := stateKey(r.Forge, run)
	rules := rule.Tracker()
	_, err := l.change(ctx, key, identityOf(r.Forge, run), func(s tracker.State) (tracker.State, []tracker.Event) {
		s = s.Note(run, at)
		if !s.Begun && !l.pollable(r) { // nobody will list what was before
			s = s.Begin(l.started, rules)
		}
		return s, nil
	})
	if err != nil {
		return err
	}
	l.touch(r, time.Now().Add(l.cfg.Settle))
	return nil
}

// takeJob notes a job with each state that its run may belong to.
func (l *leader) takeJob(ctx context.Context, r Repository, job forge.Job) error {
	for key, known := range l.view.all() {
		s := known.state
		if s.Forge != r.Forge || !strings.EqualFold(s.Repository, r.Name) || s.Branch != job.Branch || s.Workflow != job.Workflow {
			continue
		}
		if _, err := l.change(ctx, key, s.Identity, func(s tracker.State) (tracker.State, []tracker.Event) { return s.NoteJob(job), nil }); err != nil {
			return err
		}
	}
	return nil
}

// takeCommand does what a person wants, if there still is somebody who waits for it.
func (l *leader) takeCommand(ctx context.Context, r Repository, c forge.Command) error {
	if time.Now().After(c.Before) {
		return nil
	}
	if c.Recover != "" {
		return l.recoverNow(ctx, c.Recover, c.ID)
	}
	if !l.pollable(r) {
		return l.report(ctx, r, nil, []string{c.ID})
	}
	l.mu.Lock()
	l.waits[r.id()] = append(l.waits[r.id()], c.ID)
	l.mu.Unlock()
	l.touch(r, time.Now())
	return nil
}

// takeWaits returns the commands that wait for a poll, which is about to begin.
func (l *leader) takeWaits(r Repository) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	ids := l.waits[r.id()]
	delete(l.waits, r.id())
	return ids
}

// putBack has commands wait for the next poll.
func (l *leader) putBack(r Repository, ids []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(ids) > 0 {
		l.waits[r.id()] = append(ids, l.waits[r.id()]...)
	}
}

// report tells everybody what came of a poll, and which commands were carried out with it.
func (l *leader) report(ctx context.Context, r Repository, failure error, answered []string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	before := l.view.record(r.recordKey())
	now := before
	now.Forge, now.Repository = r.Forge, r.Name
	if len(answered) == 0 || failure != nil || l.pollable(r) {
		now = now.polled(time.Now(), failure)
	}
	if branch := l.branches.get(r); branch != "" {
		now.Branch = branch
	}
	for _, id := range answered {
		now = now.answered(id)
	}
	if !now.worthWriting(before) {
		return nil
	}
	value, err := now.encode()
	if err != nil {
		return err
	}
	_, err = l.kv.Put(context.WithoutCancel(ctx), r.recordKey(), value)
	return err
}

// advanceDue consumes what has waited long enough, and tells what has become stale.
func (l *leader) advanceDue(ctx context.Context, now time.Time) {
	for key, known := range l.view.all() {
		s := known.state
		r := Repository{Forge: s.Forge, Name: s.Repository}
		if r.Shard() != l.lease.Shard || !l.watches(r) {
			continue
		}
		rule, ok := l.ruleOf(s)
		if !ok {
			continue
		}
		rules := rule.Tracker()
		wait := l.cfg.Settle
		if l.pollable(r) {
			wait += grace // the poll that the sighting has caused knows better
		}
		due := s.Due(rules)
		if _, planned := s.Planned(); !planned && (due.IsZero() || due.Add(wait).After(now)) {
			continue
		}
		_, err := l.change(ctx, key, s.Identity, func(s tracker.State) (tracker.State, []tracker.Event) {
			return advance(s, rule, now.Add(-wait), now)
		})
		if err == nil {
			err = l.act(ctx, key, rule)
		}
		if err != nil && ctx.Err() == nil {
			l.log.WarnContext(ctx, "what is due could not be done; it is tried again", "key", key, "err", err)
		}
	}
}
