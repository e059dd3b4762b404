package registry

import (
	"context"
	"errors"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/keyring"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/target"
)

// How long an endpoint is held back for its secrets.
const (
	// grace is how long a changed endpoint stays what it was while its secrets are asked for.
	grace = 50 * time.Millisecond
	// loadPatience is the same for all endpoints of the bucket together, when the process starts.
	loadPatience = 5 * time.Second
)

// errWaiting is the cause of an endpoint that cannot send because its secrets have not come yet.
var errWaiting = errors.New("its secrets have been asked for and have not come yet")

// changed takes in what the bucket says about one endpoint. Calls come one after the other, and wait for nobody.
func (r *Registry) changed(ctx context.Context, kv bus.KVEntry) {
	r.take(ctx, kv)
	r.mu.Lock()
	r.seen = kv.Revision // of the whole bucket: its revisions are those of a stream
	r.mu.Unlock()
	signal(r.wake)
}

// take is changed for one endpoint.
func (r *Registry) take(ctx context.Context, kv bus.KVEntry) {
	if err := events.CheckEndpointID(kv.Key); err != nil {
		r.log.WarnContext(ctx, "the bucket of endpoints has a key that is no endpoint's; it is ignored", "err", err)
		return
	}
	if r.static[kv.Key] {
		if !kv.Deleted {
			r.log.WarnContext(ctx, "the bucket has an endpoint with the id of a configured one; the configured one counts", "endpoint", kv.Key)
		}
		return
	}
	if kv.Deleted {
		r.remove(kv.Key)
		return
	}
	rec, err := decode(kv.Key, kv.Value)
	e := &entry{record: rec, revision: kv.Revision, stored: kv.Stored}
	if err == nil { // somebody may have written it by hand
		err = target.Check(rec.Spec)
	}
	if err == nil {
		e.remote = rec.remote()
		e.compiled, err = r.compile(ctx, rec, kv.Revision, r.cfg.Resolver.Peek)
	}
	switch {
	case err == nil:
		r.put(e)
	case errors.Is(err, keyring.ErrUnasked):
		r.put(e)
		r.ask(e)
	default:
		e.endpoint, e.broken = r.broken(ctx, rec, e.revision, err), err
		r.put(e)
		r.logBroken(ctx, e, err)
	}
}

// logBroken says once that an endpoint cannot be sent to.
func (r *Registry) logBroken(ctx context.Context, e *entry, cause error) {
	r.log.WarnContext(ctx, "an endpoint cannot be sent to", "endpoint", e.record.Spec.ID, "revision", e.revision, "err", cause)
}

// put makes an entry the one that counts.
func (r *Registry) put(e *entry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	// What the resolver knew is perhaps as old as it may be, and an endpoint that is changed all the time must not put its
	// question off for ever.
	e.due = time.Now().Add(r.refreshAfter() / 2)
	if old, ok := r.entries[e.record.Spec.ID]; ok && old.remote && old.due.Before(e.due) {
		e.due = old.due
	}
	r.entries[e.record.Spec.ID] = e
	if e.endpoint != nil {
		r.dirty(e)
		return
	}
	if r.isLoaded() {
		time.AfterFunc(grace, func() { r.giveUpWaiting(e) })
	}
}

// remove forgets an endpoint.
func (r *Registry) remove(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.entries, id)
	r.changes[id] = struct{}{}
}

// giveUpWaiting puts an endpoint into the set whose secrets have not come in time, as one that cannot send yet: it must get
// its deliveries.
func (r *Registry) giveUpWaiting(e *entry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if e.endpoint != nil || r.entries[e.record.Spec.ID] != e {
		return
	}
	e.broken = events.Errorf(events.CodeUnavailable, "the endpoint cannot be sent to: %w", errWaiting)
	e.endpoint = r.broken(context.Background(), e.record, e.revision, e.broken)
	r.dirty(e)
}

// finishLoading publishes what was in the bucket, when all of it is compiled or has been waited for long enough.
func (r *Registry) finishLoading(ctx context.Context) {
	patience := time.NewTimer(loadPatience)
	defer patience.Stop()
	for waiting := true; waiting; {
		r.mu.Lock()
		missing, news := r.missing(), r.news
		r.mu.Unlock()
		if len(missing) == 0 {
			break
		}
		select {
		case <-news:
		case <-patience.C:
			waiting = false
		case <-ctx.Done():
			return
		}
	}
	r.giveUpWaitingForAll()
	r.flush()
	close(r.loaded)
	r.giveUpWaitingForAll() // those that came in between
	signal(r.wake)
}

// giveUpWaitingForAll is giveUpWaiting for every entry that has no endpoint yet.
func (r *Registry) giveUpWaitingForAll() {
	r.mu.Lock()
	missing := r.missing()
	r.mu.Unlock()
	for _, e := range missing {
		r.giveUpWaiting(e)
	}
}

// missing lists the entries that have no endpoint yet. The lock is held.
func (r *Registry) missing() []*entry {
	var missing []*entry
	for _, e := range r.entries {
		if e.endpoint == nil {
			missing = append(missing, e)
		}
	}
	return missing
}

// isLoaded reports whether the set is what the bucket is.
func (r *Registry) isLoaded() bool {
	select {
	case <-r.loaded:
		return true
	default:
		return false
	}
}

// signal wakes who waits on a channel that has room for one signal.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
