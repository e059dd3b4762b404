package registry

import (
	"context"
	"errors"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Delete removes an endpoint, whether or not its record can be read, and then what was kept about it elsewhere. When only
// the latter fails, the endpoint is gone and deleting it again, which says that it is not there, makes up for it.
func (r *Registry) Delete(ctx context.Context, req events.EndpointDeleteRequest) (events.EndpointDeleted, error) {
	if err := req.Validate(); err != nil {
		return events.EndpointDeleted{}, err
	}
	bucket, err := r.open(ctx, req.ID)
	if err != nil {
		return events.EndpointDeleted{}, err
	}
	missing := r.drop(ctx, bucket, req)
	if missing != nil && events.CodeOf(missing) != events.CodeNotFound {
		return events.EndpointDeleted{}, missing
	}
	if err := r.cfg.Forget(ctx, req.ID); err != nil {
		return events.EndpointDeleted{}, events.Errorf(events.CodeUnavailable,
			"the endpoint %q is deleted, but not what is kept about it elsewhere: delete it again", req.ID)
	}
	if missing != nil {
		return events.EndpointDeleted{}, missing
	}
	return events.EndpointDeleted{ID: req.ID}, nil
}

// drop deletes the record of an endpoint, and waits until this replica has heard of it.
func (r *Registry) drop(ctx context.Context, bucket *bus.KV, req events.EndpointDeleteRequest) error {
	for range maxRaces {
		_, revision, err := bucket.Get(ctx, req.ID)
		if err != nil {
			return bucketError(req.ID, err)
		}
		if err := checkRevision(req.ID, req.Revision, revision); err != nil {
			return err
		}
		err = bucket.Delete(ctx, req.ID, revision)
		switch {
		case err == nil:
			r.awaitChange(ctx, req.ID, func() bool {
				e, ok := r.entries[req.ID]
				return !ok || e.revision > revision
			})
			return nil
		case !errors.Is(err, bus.ErrConflict):
			return bucketError(req.ID, err)
		}
		if err := pause(ctx); err != nil {
			break
		}
	}
	return bucketError(req.ID, bus.ErrConflict)
}
