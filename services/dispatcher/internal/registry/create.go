package registry

import (
	"context"
	"errors"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Create makes an endpoint. It is refused with failed_precondition when there is one of the same id.
func (r *Registry) Create(ctx context.Context, req events.EndpointCreateRequest) (events.EndpointChanged, error) {
	id := req.Endpoint.ID
	if err := req.Endpoint.Validate(); err != nil {
		return events.EndpointChanged{}, err
	}
	bucket, err := r.open(ctx, id)
	if err != nil {
		return events.EndpointChanged{}, err
	}
	if err := r.checkRoom(id); err != nil {
		return events.EndpointChanged{}, err
	}
	now := time.Now().UTC()
	rec := record{Spec: req.Endpoint, CreatedAt: now, UpdatedAt: now}
	var made []generated
	if rec.Keys, made, err = r.rekey(id, nil, rec.Spec.Signing, keyChange{now: now}); err != nil {
		return events.EndpointChanged{}, err
	}
	d := draft{record: rec, made: made, recipient: req.RecipientKey, dryRun: req.DryRun}
	changed, err := r.store(ctx, d, func(value []byte) (uint64, error) { return bucket.Create(ctx, id, value) })
	if errors.Is(err, bus.ErrConflict) {
		return events.EndpointChanged{}, exists(id)
	}
	return changed, err
}

// checkRoom checks that an endpoint can be made, as far as this replica knows.
func (r *Registry) checkRoom(id string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := r.entries[id]; ok {
		return exists(id)
	}
	if len(r.entries) >= MaxEndpoints {
		return events.Errorf(events.CodeFailedPrecondition, "there are %d endpoints, and no more can be made; delete some", len(r.entries))
	}
	return nil
}

// exists is the error about an endpoint that is there already.
func exists(id string) error {
	return events.Errorf(events.CodeFailedPrecondition, "there is already an endpoint %q: update it, or choose another id", id)
}
