package registry

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/keyring"
)

// draft is an endpoint as it is about to be stored.
type draft struct {
	record    record
	before    []reference // what it referred to until now
	changes   []string    // the fields that differ; none of a new endpoint
	made      []generated
	recipient string
	enable    bool
	dryRun    bool
}

// Update changes an endpoint. What differs from before is named in the reply; if nothing does, nothing is stored.
func (r *Registry) Update(ctx context.Context, req events.EndpointUpdateRequest) (events.EndpointChanged, error) {
	if err := req.Validate(); err != nil {
		return events.EndpointChanged{}, err
	}
	if r.static[req.ID] && onlyEnables(req.Endpoint) && !req.DryRun { // how it does is no part of the configuration
		if err := r.cfg.Enable(ctx, req.ID); err != nil {
			return events.EndpointChanged{}, err
		}
		e, err := r.Get(events.EndpointRequest{ID: req.ID})
		return events.EndpointChanged{Endpoint: e}, err
	}
	overlap, err := overlapOf(req.Overlap)
	if err != nil {
		return events.EndpointChanged{}, err
	}
	return r.change(ctx, req.ID, req.Revision, func(old record, now time.Time) (draft, error) {
		d := draft{record: old, recipient: req.RecipientKey, dryRun: req.DryRun}
		spec, err := patched(old.Spec, req)
		if err != nil {
			return d, err
		}
		if !sameOrdering(old.Spec, spec) {
			return d, events.Errorf(events.CodeInvalidArgument, "ordering cannot be changed: what is under way would overtake or be overtaken; create another endpoint and delete this one")
		}
		if err := spec.Validate(); err != nil {
			return d, err
		}
		if d.changes, err = differences(old.Spec, spec); err != nil {
			return d, err
		}
		d.record.Spec = spec
		d.enable = asksToEnable(req.Endpoint) || old.Spec.Disabled && !spec.Disabled
		if len(d.changes) > 0 {
			d.record.Keys, d.made, err = r.rekey(req.ID, old.Keys, spec.Signing, keyChange{now, overlap})
		}
		return d, err
	})
}

// Rotate gives an endpoint a new signing key. The older ones of its method end after the overlap.
func (r *Registry) Rotate(ctx context.Context, req events.EndpointRotateRequest) (events.EndpointChanged, error) {
	if err := req.Validate(); err != nil {
		return events.EndpointChanged{}, err
	}
	overlap, err := overlapOf(req.Overlap)
	if err != nil {
		return events.EndpointChanged{}, err
	}
	want := effective([]events.EndpointSigning{req.Signing})[0]
	return r.change(ctx, req.ID, 0, func(old record, now time.Time) (draft, error) {
		d := draft{record: old, recipient: req.RecipientKey, changes: []string{"signing"}}
		var key keyring.Record
		var err error
		if key, d.made, err = r.newKey(req.ID, want, nil, now); err != nil {
			return d, err
		}
		staying, ending := []keyring.Record{key}, []keyring.Record(nil)
		c := keyChange{now, overlap}
		for _, key := range old.Keys {
			switch {
			case key.Method == want.Method && want.Key != "" && key.Reference == want.Key:
				if key.ExpiresAt.IsZero() {
					return d, events.Errorf(events.CodeInvalidArgument, "%s signs already: change what it refers to in its store, which takes effect by itself, or name another one", want.Key)
				} // it comes back as the new key
			case key.Method == want.Method:
				ending = append(ending, c.end(key))
			case !key.ExpiresAt.IsZero():
				ending = append(ending, key)
			default:
				staying = append(staying, key)
			}
		}
		d.record.Spec.Signing = resigned(old.Spec.Signing, want)
		d.record.Keys, err = c.settle(staying, ending)
		return d, err
	})
}

// resigned is the list of keys that is asked for when one has taken the place of all others of its method.
func resigned(old []events.EndpointSigning, want events.EndpointSigning) []events.EndpointSigning {
	signing := []events.EndpointSigning{want}
	for _, other := range effective(old) {
		if other.Method != want.Method {
			signing = append(signing, other)
		}
	}
	if slices.Equal(signing, effective(old)) {
		return old // perhaps in fewer words
	}
	return signing
}

// change edits an endpoint and stores it, again from the beginning when somebody else was faster, so that no change is lost.
func (r *Registry) change(ctx context.Context, id string, revision uint64, edit func(record, time.Time) (draft, error)) (events.EndpointChanged, error) {
	bucket, err := r.open(ctx, id)
	if err != nil {
		return events.EndpointChanged{}, err
	}
	for range maxRaces {
		old, is, err := stored(ctx, bucket, id)
		if err != nil {
			return events.EndpointChanged{}, err
		}
		if err := checkRevision(id, revision, is); err != nil {
			return events.EndpointChanged{}, err
		}
		now := time.Now().UTC()
		d, err := edit(old, now)
		if err != nil {
			return events.EndpointChanged{}, err
		}
		d.before = old.references()
		if len(d.changes) == 0 {
			return r.unchanged(ctx, id, is, d)
		}
		d.record.UpdatedAt = now
		changed, err := r.store(ctx, d, func(value []byte) (uint64, error) { return bucket.Update(ctx, id, value, is) })
		if !errors.Is(err, bus.ErrConflict) {
			return changed, err
		}
		if err := pause(ctx); err != nil {
			break
		}
	}
	return events.EndpointChanged{}, bucketError(id, bus.ErrConflict)
}

// unchanged answers a change that changes nothing. It may still ask for the endpoint to take webhooks again.
func (r *Registry) unchanged(ctx context.Context, id string, revision uint64, d draft) (events.EndpointChanged, error) {
	if d.enable && !d.dryRun {
		if err := r.cfg.Enable(ctx, id); err != nil {
			return events.EndpointChanged{}, fmt.Errorf("enabling endpoint %s: %w", id, err)
		}
	}
	r.awaitRevision(ctx, id, revision)
	e, ok := r.Set().Get(id)
	if !ok {
		return events.EndpointChanged{}, notFound(id)
	}
	return events.EndpointChanged{Endpoint: r.view(e)}, nil
}

// store checks a draft, writes it and answers when this replica has it. The error of write is returned as it is if it is a
// lost race.
func (r *Registry) store(ctx context.Context, d draft, write func(value []byte) (uint64, error)) (events.EndpointChanged, error) {
	id := d.record.Spec.ID
	if err := checkRecipient(d.made, d.recipient); err != nil {
		return events.EndpointChanged{}, err
	}
	e, err := r.check(ctx, d.record, d.before)
	if err != nil {
		return events.EndpointChanged{}, err
	}
	changed := events.EndpointChanged{Endpoint: r.view(e), Changes: d.changes}
	if d.dryRun {
		for i, key := range changed.Endpoint.Keys {
			if key.Reference == "" && key.CreatedAt.Equal(d.record.UpdatedAt) { // another one will be made
				changed.Endpoint.Keys[i].ID, changed.Endpoint.Keys[i].PublicKey = "", ""
			}
		}
		return changed, nil
	}
	if changed.Secrets, err = tell(d.made, d.recipient); err != nil {
		return events.EndpointChanged{}, err
	}
	for i, key := range d.record.Keys {
		d.record.Keys[i] = r.cfg.Keys.Reseal(id, key)
	}
	value, err := d.record.encode()
	if err != nil {
		return events.EndpointChanged{}, err
	}
	if err := r.cfg.Prepare(ctx, e); err != nil {
		return events.EndpointChanged{}, fmt.Errorf("preparing endpoint %s: %w", id, err)
	}
	revision, err := write(value)
	switch {
	case errors.Is(err, bus.ErrConflict):
		return events.EndpointChanged{}, err
	case err != nil:
		return events.EndpointChanged{}, bucketError(id, err)
	}
	r.awaitRevision(ctx, id, revision)
	if d.enable {
		if err := r.cfg.Enable(ctx, id); err != nil {
			r.log.WarnContext(ctx, "an endpoint was changed and could not be made to take webhooks again", "endpoint", id, "err", err)
		}
	}
	changed.Endpoint = r.viewOf(e, revision)
	return changed, nil
}

// overlapOf reads how long keys go on signing that a change takes away. It has been validated.
func overlapOf(text string) (time.Duration, error) {
	if text == "" {
		return events.DefaultKeyOverlap, nil
	}
	overlap, err := time.ParseDuration(text)
	if err != nil {
		return 0, events.Errorf(events.CodeInvalidArgument, "overlap: %w", err)
	}
	return overlap, nil
}
