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
	if err := r.checkRoom(req.Endpoint); err != nil {
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
func (r *Registry) checkRoom(spec events.EndpointSpec) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := r.entries[spec.ID]; ok {
		return exists(spec.ID)
	}
	if len(r.entries) >= MaxEndpoints {
		return events.Errorf(events.CodeFailedPrecondition, "there are %d endpoints, and no more can be made; delete some", len(r.entries))
	}
	if spec.Ordering != events.OrderingStrict {
		return nil
	}
	strict := 0
	for _, e := range r.entries {
		if e.record.Spec.Ordering == events.OrderingStrict {
			strict++
		}
	}
	if strict >= MaxStrict {
		return events.Errorf(events.CodeFailedPrecondition,
			"there are %d strictly ordered endpoints, each with a consumer of its own, and no more can be made; delete some, or leave ordering out", strict)
	}
	return nil
}

// exists is the error about an endpoint that is there already.
func exists(id string) error {
	return events.Errorf(events.CodeFailedPrecondition, "there is already an endpoint %q: update it, or choose another id", id)
}
