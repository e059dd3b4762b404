package engine

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

// ProviderState is what is known of a provider.
type ProviderState struct {
	Name string
	Availability
	// Keys are those of its keys, in their order.
	Keys []KeyState
}

// KeyState is what is known of one key of a provider.
type KeyState struct {
	Name string
	Availability
}

// Available says whether a model of a provider can be asked now.
func (e *Engine) Available(name, model string) Availability {
	p := e.providers()[name]
	if p == nil {
		return Availability{Class: llm.ClassModel}
	}
	return p.state(model, time.Now())
}

// state is that of a model.
func (p *provider) state(model string, now time.Time) Availability {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.available(model, now)
}

// State returns what is known of a provider, and whether there is one of that name.
func (e *Engine) State(name string) (s ProviderState, known bool) {
	p := e.providers()[name]
	if p == nil {
		return ProviderState{}, false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	s = ProviderState{Name: name, Availability: p.available("", now)}
	for _, k := range p.keys {
		s.Keys = append(s.Keys, KeyState{Name: k.name, Availability: k.available("", now)})
	}
	return s, true
}

// available is that of a model, of which any key will do; no name is that of a model without a hold of its own.
func (p *provider) available(model string, now time.Time) Availability {
	if p.breaker.blocks(now) {
		return unavailable(&p.breaker, now)
	}
	if held := p.models[model]; held.blocks(now) {
		return unavailable(held, now)
	}
	var best Availability
	for _, k := range p.keys {
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
	if k.value.IsLive() && k.sent.IsZero() {
		return Availability{Class: llm.ClassKey}
	}
	return Availability{Available: true}
}

// unavailable tells of a hold.
func unavailable(h *hold, now time.Time) Availability {
	return Availability{Until: blockedBy(h, now).until, Class: h.class}
}
