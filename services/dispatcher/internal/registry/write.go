package registry

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/target"
)

const (
	// watchPatience is how long an answer waits for this replica to have the change itself. It has been made by then.
	watchPatience = 2 * time.Second
	// oldPatience is how long a change waits for secrets that the endpoint referred to before.
	oldPatience = time.Second
	// maxRace is the longest pause before a change is tried again that somebody else was faster than.
	maxRace = 20 * time.Millisecond
	// maxRaces bounds how often that is done.
	maxRaces = 200
)

// open returns the bucket, when what is in it is known.
func (r *Registry) open(ctx context.Context, id string) (*bus.KV, error) {
	if r.static[id] {
		return nil, events.Errorf(events.CodeFailedPrecondition,
			"the endpoint %q is set in the dispatcher's own configuration (WEBHOOK_URL and its like): it is changed there, not over the bus", id)
	}
	select {
	case <-r.loaded:
	case <-ctx.Done():
		return nil, events.Errorf(events.CodeUnavailable, "the endpoints have not been read from their bucket yet")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.bucket, nil
}

// stored reads the record of an endpoint.
func stored(ctx context.Context, bucket *bus.KV, id string) (record, uint64, error) {
	value, revision, err := bucket.Get(ctx, id)
	if err != nil {
		return record{}, 0, bucketError(id, err)
	}
	rec, err := decode(id, value)
	return rec, revision, err
}

// checkRevision checks that an endpoint is still what a change was meant for.
func checkRevision(id string, want, is uint64) error {
	if want == 0 || want == is {
		return nil
	}
	return events.Errorf(events.CodeFailedPrecondition,
		"the endpoint %q has revision %d by now, and the change is for %d: look at it again, or give no revision to change whatever is there", id, is, want)
}

// bucketError says in the words of the contract what the bucket said.
func bucketError(id string, err error) error {
	switch {
	case errors.Is(err, bus.ErrNotFound):
		return notFound(id)
	case errors.Is(err, bus.ErrConflict):
		return &events.Error{Code: events.CodeUnavailable, Retryable: true, Err: err, Message: "the endpoint " + id + " is being changed by others all the time; try again"}
	default:
		return &events.Error{Code: events.CodeUnavailable, Retryable: true, Err: err, Message: "the bucket of endpoints does not answer; what was asked for may have been done: look before asking again"}
	}
}

// check judges a specification, and returns the endpoint that a record makes. What it refers to newly must be there; what
// it referred to before may be gone, so that nothing keeps an operator from disabling or mending the endpoint.
func (r *Registry) check(ctx context.Context, next record, before []reference) (*target.Endpoint, error) {
	if err := target.Check(next.Spec); err != nil {
		return nil, err
	}
	for _, ref := range next.references() {
		if slices.ContainsFunc(before, func(old reference) bool { return old.text == ref.text }) {
			continue
		}
		if _, err := r.cfg.Resolver.Resolve(ctx, ref.text); err != nil {
			return nil, within(ref.field, err)
		}
	}
	s, err := r.collectSoon(ctx, next)
	if err != nil {
		return r.broken(ctx, next, 0, err), nil
	}
	made, err := r.build(ctx, next, 0, s)
	return made.endpoint, err
}

// collectSoon resolves the references of a record, those that were asked for before by what is known of them.
func (r *Registry) collectSoon(ctx context.Context, rec record) (secrets, error) {
	soon, cancel := context.WithTimeout(ctx, oldPatience)
	defer cancel()
	return collect(soon, rec, func(ctx context.Context, ref string) (secret.Value, error) {
		if value, err := r.cfg.Resolver.Peek(ctx, ref); err == nil {
			return value, nil
		}
		return r.cfg.Resolver.Resolve(ctx, ref)
	})
}

// viewOf is the view of what was stored under a revision.
func (r *Registry) viewOf(e *target.Endpoint, revision uint64) events.Endpoint {
	view := r.view(e)
	view.Revision = revision
	return view
}

// awaitRevision waits until the set has a change that was stored. That it has not in time is said in the log only: the
// change has been made, and every replica is going to hear of it.
func (r *Registry) awaitRevision(ctx context.Context, id string, revision uint64) {
	r.awaitChange(ctx, id, func() bool {
		e, ok := r.entries[id]
		return r.shown >= revision && (!ok || e.endpoint != nil)
	})
}

// awaitChange waits for the set, as long as may be waited.
func (r *Registry) awaitChange(ctx context.Context, id string, heard func() bool) {
	waiting, cancel := context.WithTimeout(ctx, watchPatience)
	defer cancel()
	shown := func() bool {
		_, pending := r.changes[id]
		return !pending && heard()
	}
	if !r.await(waiting, shown) {
		r.log.WarnContext(ctx, "a change of an endpoint was stored, and has not come back from the bucket yet", "endpoint", id)
	}
}

// pause waits a moment for whoever was faster to be done.
func pause(ctx context.Context) error {
	timer := time.NewTimer(rand.N(maxRace)) //nolint:gosec // spreads load
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
