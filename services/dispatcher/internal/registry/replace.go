package registry

import (
	"time"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/keyring"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/target"
)

// Reconfigure puts another endpoint in the place of a static one, the one of the same id. What is on its way to that ends as it
// began.
func (r *Registry) Reconfigure(e *target.Endpoint) {
	r.mu.Lock()
	defer r.mu.Unlock()
	set := r.Set().With(e)
	r.set.Store(&set)
	r.announce()
}

// ReplaceSealer has generated keys sealed and opened with other keys of the operator's from now on. It is refused, with
// failed_precondition, when there is an endpoint with a key that opens now and would not open any more. Call it once the registry
// is [Registry.Loaded].
func (r *Registry) ReplaceSealer(sealer *keyring.Sealer) error {
	r.mu.Lock()
	if err := r.loses(sealer); err != nil {
		r.mu.Unlock()
		return err
	}
	r.cfg.Keys.Replace(sealer)
	var broken []*entry
	for _, e := range r.entries {
		if e.broken != nil {
			broken = append(broken, e)
		}
	}
	r.mu.Unlock()
	r.ask(broken...) // perhaps it was the key that they missed
	return nil
}

// loses returns an error if another sealer would not open what the present one does. The lock is held.
func (r *Registry) loses(sealer *keyring.Sealer) error {
	now, first, count := time.Now(), "", 0
	for id, e := range r.entries {
		lost := false
		for _, key := range e.record.Keys {
			lost = lost || !key.Ended(now) && r.cfg.Keys.Holds(key) && !sealer.Holds(key)
		}
		if lost {
			if count++; first == "" || id < first {
				first = id
			}
		}
	}
	if count == 0 {
		return nil
	}
	return events.Errorf(events.CodeFailedPrecondition,
		"the signing keys of %d endpoints, such as %s, are sealed with keys that are not in %s any more, and could not be read: put the keys before behind the new ones, until those endpoints have been updated or rotated",
		count, first, keyring.SealSetting)
}
