package keyring

import (
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
)

// Availability says whether something can be asked now, as far as this process knows.
type Availability struct {
	Available bool
	// Until is when it may be again; zero when nobody knows.
	Until time.Time
	// Class is why it is not.
	Class llm.Class
}

// State is what is known of a provider.
type State struct {
	Availability
	// Keys are those of its keys, in their order.
	Keys []KeyState
}

// KeyState is what is known of one key of a provider.
type KeyState struct {
	Name string
	Availability
}

// State returns what is known of the provider, models without a limit of their own.
func (r *Ring) State(now time.Time) State {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := State{Availability: r.available("", now)}
	for _, k := range r.keys {
		s.Keys = append(s.Keys, KeyState{Name: k.name, Availability: k.available("", now)})
	}
	return s
}

// Available says whether a model can be asked now.
func (r *Ring) Available(model string, now time.Time) Availability {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.available(model, now)
}

// available is that of a model, of which any key will do; no name is that of a model without a hold of its own.
func (r *Ring) available(model string, now time.Time) Availability {
	if r.breaker.blocks(now) {
		return unavailable(&r.breaker, now)
	}
	if held := r.models[model]; held.blocks(now) {
		return unavailable(held, now)
	}
	var best Availability
	for _, k := range r.keys {
		a := k.available(model, now)
		if a.Available {
			return a
		}
		if best.Class == "" || !a.Until.IsZero() && (best.Until.IsZero() || a.Until.Before(best.Until)) {
			best = a
		}
	}
	return best
}

// available is that of one key.
func (k *key) available(model string, now time.Time) Availability {
	k.refresh()
	if held := k.blocking(model, now); held != nil {
		return unavailable(held, now)
	}
	if k.missing() {
		return Availability{Class: llm.ClassKey}
	}
	return Availability{Available: true}
}

// unavailable tells of a hold.
func unavailable(h *hold, now time.Time) Availability {
	return Availability{Until: blockedBy(h, now).Until, Class: h.class}
}
