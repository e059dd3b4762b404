package watch

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/tracker"
)

// takeCommand does what a person wants, if there still is somebody who waits for it. It may be told several times.
func (l *leader) takeCommand(ctx context.Context, r Repository, c forge.Command) error {
	switch {
	case time.Now().After(c.Before):
		return nil
	case c.Recover != "":
		return l.takeRecover(ctx, r, c)
	case !l.pollable(r):
		return l.report(ctx, r, func(known record) record { return known.answered(c.ID) })
	}
	if until := l.plans[r.Forge].rests(time.Now()); !until.IsZero() {
		failure := events.Errorf(events.CodeRateLimited, "%s is left alone until its rate limit allows more", r.Forge)
		failure.Provider, failure.RetryAfter = r.Forge, time.Until(until)
		return l.report(ctx, r, func(known record) record { return known.polled(time.Now(), failure).answered(c.ID) })
	}
	l.await(r, c.ID)
	l.touch(r, time.Now())
	return nil
}

// takeRecover recovers a workflow, or says that it will not.
func (l *leader) takeRecover(ctx context.Context, r Repository, c forge.Command) error {
	planned := func() bool {
		s, _ := l.view.state(c.Recover)
		return slices.ContainsFunc(s.Recoveries, func(r tracker.Recovery) bool { return r.ID == c.ID })
	}
	if planned() {
		return nil
	}
	if err := l.recoverNow(ctx, c.Recover, c.ID); err != nil {
		return err
	}
	if planned() {
		return nil
	}
	return l.report(ctx, r, func(known record) record { return known.answered(c.ID) })
}

// await has a command wait for the next poll of a repository.
func (l *leader) await(r Repository, id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if waiting := l.waits[r.id()]; !slices.Contains(waiting, id) && len(waiting) < maxAnswered {
		l.waits[r.id()] = append(waiting, id)
	}
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
	for _, id := range ids {
		l.await(r, id)
	}
}

// report changes what everybody may know of a repository. The record is written by its leader alone, as states are.
func (l *leader) report(ctx context.Context, r Repository, edit func(record) record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	key := r.recordKey()
	for range maxConflicts {
		known, err := l.recallRecord(ctx, key)
		if err != nil {
			return err
		}
		if !l.lease.Valid() {
			return errOvertaken
		}
		next := edit(known.record)
		next.Forge, next.Repository = r.Forge, r.Name
		if !next.worthWriting(known.record) {
			return nil
		}
		err = l.writeRecord(context.WithoutCancel(ctx), key, known.revision, next)
		if !errors.Is(err, bus.ErrConflict) {
			return err
		}
		delete(l.book.records, key)
	}
	return events.Errorf(events.CodeUnavailable, "somebody else is always faster at writing KV key %s", key)
}

// recallRecord returns a record as this leader wrote it last or, the first time, as it is in the bucket.
func (l *leader) recallRecord(ctx context.Context, key string) (storedRecord, error) {
	if known, ok := l.book.records[key]; ok {
		return known, nil
	}
	value, revision, err := l.kv.Get(ctx, key)
	if errors.Is(err, bus.ErrNotFound) {
		return storedRecord{}, nil
	}
	if err != nil {
		return storedRecord{}, err
	}
	known := storedRecord{revision: revision}
	known.record, err = decodeRecord(value)
	if err != nil {
		return storedRecord{}, events.Errorf(events.CodeFailedPrecondition, "KV key %s: %w; delete it to start anew", key, err)
	}
	return known, nil
}

// writeRecord writes a record over a revision; 0 is none.
func (l *leader) writeRecord(ctx context.Context, key string, revision uint64, r record) error {
	value, err := r.encode()
	if err != nil {
		return err
	}
	if revision == 0 {
		revision, err = l.kv.Create(ctx, key, value)
	} else {
		revision, err = l.kv.Update(ctx, key, value, revision)
	}
	if err != nil {
		delete(l.book.records, key) // it may have been written
		return err
	}
	known := storedRecord{record: r, revision: revision}
	l.book.records[key] = known
	l.view.putRecord(key, known)
	return nil
}
