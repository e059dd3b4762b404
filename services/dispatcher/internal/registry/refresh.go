package registry

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/neuron7x/mlsdm-integrations/internal/retry"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/keyring"
)

const (
	// maxAsking is how many endpoints ask for their secrets at the same time.
	maxAsking = 64
	// maxBackoff is the longest wait for secrets that cannot be had.
	maxBackoff = time.Minute
	// lookEvery is how often it is looked which endpoints are due.
	lookEvery = time.Second
	// jitter, a part of the time between them, spreads the questions of endpoints that were compiled together.
	jitter = 0.1
	// sweepEvery is how often HTTP clients are dropped that no endpoint uses any more.
	sweepEvery = time.Minute
)

// refreshAfter is how long after they were asked for an endpoint's secrets are asked for again.
func (r *Registry) refreshAfter() time.Duration {
	fresh := r.cfg.Resolver.FreshFor()
	return fresh + time.Duration(jitter*rand.Float64()*float64(fresh)) //nolint:gosec // spreads load
}

// backoff is how long an endpoint waits whose secrets could not be had.
func backoff(failures int) time.Duration {
	return retry.Backoff{Base: time.Second, Cap: maxBackoff, Jitter: time.Second}.Delay(failures-1, rand.Float64)
}

// ask queues an entry whose secrets are to be asked for.
func (r *Registry) ask(entries ...*entry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range entries {
		if !e.queued {
			e.queued = true
			r.queue = append(r.queue, e)
		}
	}
	signal(r.work)
}

// askAll asks for the secrets of the entries in the queue, several at a time.
func (r *Registry) askAll(ctx context.Context) {
	var group errgroup.Group
	group.SetLimit(maxAsking)
	defer func() { _ = group.Wait() }() // its functions return nil
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.work:
		}
		for e := r.next(); e != nil && ctx.Err() == nil; e = r.next() {
			group.Go(func() error {
				r.refresh(ctx, e)
				return nil
			})
		}
	}
}

// next takes an entry from the queue that still counts.
func (r *Registry) next() *entry {
	r.mu.Lock()
	defer r.mu.Unlock()
	for len(r.queue) > 0 {
		e := r.queue[0]
		r.queue[0] = nil
		r.queue = r.queue[1:]
		if r.entries[e.record.Spec.ID] == e {
			return e
		}
	}
	r.queue = nil
	return nil
}

// refresh asks for the secrets of an entry, and compiles its endpoint if they are others than before.
func (r *Registry) refresh(ctx context.Context, e *entry) {
	s, err := collect(ctx, e.record, r.cfg.Resolver.Refresh)
	if ctx.Err() != nil {
		return
	}
	r.mu.Lock()
	before := e.broken
	same := e.endpoint != nil && (err == nil && before == nil && s.digest == e.secrets.digest || sameError(before, err))
	r.mu.Unlock()
	now := compiled{}
	if !same && err == nil {
		now, err = r.build(ctx, e.record, e.revision, s)
		same = sameError(before, err)
	}
	if !same && err != nil {
		now.endpoint = r.broken(ctx, e.record, e.revision, err)
	}
	r.refreshed(e, now, same, err)
	switch {
	case same:
	case err != nil:
		r.logBroken(ctx, e, err)
	case before != nil && !errors.Is(before, errWaiting):
		r.log.InfoContext(ctx, "an endpoint can be sent to again", "endpoint", e.record.Spec.ID)
	}
}

// refreshed takes in what refresh has found out about an entry: that nothing has changed, or what it is now.
func (r *Registry) refreshed(e *entry, now compiled, same bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e.queued = false
	defer e.askAgain()
	if err != nil {
		e.failures++
		e.due = time.Now().Add(backoff(e.failures))
	} else {
		e.failures = 0
		e.due = time.Now().Add(r.refreshAfter())
	}
	if same || r.entries[e.record.Spec.ID] != e {
		return
	}
	e.compiled, e.broken = now, err
	r.dirty(e)
}

// askAgain makes an entry due at once if one of its secrets was rotated while it was asking. It needs the lock.
func (e *entry) askAgain() {
	if e.again {
		e.again, e.due = false, time.Now()
	}
}

// Rotated has the endpoints that refer to a secret, by its name, ask for it now: it has another value.
func (r *Registry) Rotated(name string) {
	reference := keyring.SecretReference(name)
	if r.cfg.Resolver.Check(reference) != nil || !r.cfg.Resolver.Rotated(reference) {
		return // nobody has asked for it
	}
	r.mu.Lock()
	var concerned []*entry
	for _, e := range r.entries {
		if e.remote && e.record.refersTo(reference) {
			e.again = e.queued
			concerned = append(concerned, e)
		}
	}
	r.mu.Unlock()
	r.ask(concerned...)
}

// sameError reports whether two errors are there and say the same.
func sameError(a, b error) bool { return a != nil && b != nil && a.Error() == b.Error() }

// keepFresh asks again for the secrets of endpoints that are due, and drops HTTP clients that nobody uses.
func (r *Registry) keepFresh(ctx context.Context) {
	look, sweep := time.NewTicker(lookEvery), time.NewTicker(sweepEvery)
	defer look.Stop()
	defer sweep.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-look.C:
			r.ask(r.due()...)
		case <-sweep.C:
			r.clients.sweep(r.usedClients())
		}
	}
}

// due lists the entries whose secrets are to be asked for again.
func (r *Registry) due() []*entry {
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	var due []*entry
	for _, e := range r.entries {
		if e.remote && !e.queued && !now.Before(e.due) {
			due = append(due, e)
		}
	}
	return due
}

// usedClients lists the HTTP clients of the endpoints.
func (r *Registry) usedClients() map[clientKey]bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	used := map[clientKey]bool{}
	for _, e := range r.entries {
		used[e.client] = true
	}
	return used
}
