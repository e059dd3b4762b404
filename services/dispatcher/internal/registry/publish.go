package registry

import (
	"context"
	"time"

	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/target"
)

// dirty notes that the endpoint of an entry is to be in the set. The lock is held.
func (r *Registry) dirty(e *entry) {
	r.changes[e.record.Spec.ID] = struct{}{}
	signal(r.wake)
}

// publish brings changes into the set. Those that come while it is at work are one step together, so that ten thousand
// changes do not copy the set ten thousand times.
func (r *Registry) publish(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.wake:
		}
		if r.isLoaded() {
			r.flush()
		} else {
			r.tellNews()
		}
	}
}

// flush makes the set what the entries are.
func (r *Registry) flush() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.shown = r.seen
	defer r.announce()
	if len(r.changes) == 0 {
		return
	}
	var put []*target.Endpoint
	var gone []string
	for id := range r.changes {
		e, ok := r.entries[id]
		switch {
		case !ok:
			gone = append(gone, id)
		case e.endpoint != nil:
			put = append(put, e.endpoint)
		}
	}
	set := r.Set().Without(gone...).With(put...)
	r.set.Store(&set)
	for _, e := range put {
		if changed := r.entries[e.ID()]; !changed.stored.IsZero() {
			r.cfg.Shown(e.ID(), changed.stored)
			changed.stored = time.Time{}
		}
	}
	clear(r.changes)
}

// tellNews wakes those who wait for entries to change.
func (r *Registry) tellNews() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.announce()
}

// announce wakes those who wait. The lock is held.
func (r *Registry) announce() {
	close(r.news)
	r.news = make(chan struct{})
}

// await waits until the set shows what done looks for, which is called with the lock held. It reports false when ctx ends
// before.
func (r *Registry) await(ctx context.Context, done func() bool) bool {
	for {
		r.mu.Lock()
		ok, news := done(), r.news
		r.mu.Unlock()
		if ok {
			return true
		}
		select {
		case <-news:
		case <-ctx.Done():
			return false
		}
	}
}
