package engine

import (
	"sync"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/providers"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// provider is one provider and what is known of its state. All of that belongs to this process; other replicas learn it themselves.
type provider struct {
	name    string
	adapter llm.Adapter
	rest    *Rest

	mu sync.Mutex
	// failures counts those of the server in a row; breaker holds it when there were too many.
	failures int
	breaker  hold
	// models are those that the server asks to be left alone with for a while.
	models holds
	keys   []*key
}

// key is one key of a provider. A provider that takes requests without one has a key that is empty.
type key struct {
	name   string
	value  secret.Value
	weight int

	// sent is its content; when that changes, everything that is known of the key is forgotten.
	sent secret.Value
	// failures counts attempts in a row that failed with it; hold is of the whole key, models of single ones.
	failures int
	hold     hold
	models   holds
}

// turn is the right to make one attempt.
type turn struct {
	provider *provider
	key      *key
	// number is that of the key among those of the provider.
	number int
	// sent is the content of the key for this attempt.
	sent  secret.Value
	model string
	began time.Time
	// probe says that others wait for how it ends.
	probe bool
}

// blocked says why there is no turn.
type blocked struct {
	// until is when there may be one; zero when nobody knows.
	until time.Time
	// waits says that it is worth waiting for: the provider has said when.
	waits bool
	// fault is what a caller is told; it has no Err when all keys have failed in this request already.
	fault llm.Fault
}

// refresh takes note of what the key's content is now.
func (k *key) refresh() {
	if !k.value.IsLive() {
		return
	}
	if text := k.value.Reveal(); text != k.sent.Reveal() {
		k.sent = secret.NewValue(text)
		k.failures, k.hold, k.models = 0, hold{}, nil
	}
}

// blocking returns what keeps the key from being used for a model, or nil.
func (k *key) blocking(model string, now time.Time) *hold {
	if k.hold.blocks(now) {
		return &k.hold
	}
	if held := k.models[model]; held.blocks(now) {
		return held
	}
	return nil
}

// take gives the right to one attempt with a key that nothing keeps from being used, chosen by weight. except are keys, by number,
// that are not to be taken. rnd returns a number in [0, 1).
func (p *provider) take(model string, except uint64, now time.Time, rnd func() float64) (turn, *blocked) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.breaker.blocks(now) {
		return turn{}, blockedBy(&p.breaker, now)
	}
	if held := p.models[model]; held.blocks(now) {
		return turn{}, blockedBy(held, now)
	}
	var chosen *key
	var why *blocked
	sum, number := 0, 0
	for i, k := range p.keys {
		k.refresh()
		if except&(1<<i) != 0 {
			continue
		}
		if held := k.blocking(model, now); held != nil {
			why = why.sooner(blockedBy(held, now))
			continue
		}
		if k.value.IsLive() && k.sent.IsZero() {
			why = why.sooner(&blocked{fault: *p.noKey()})
			continue
		}
		// Each takes the place of those before it with a chance in proportion to its weight.
		if sum += k.weight; chosen == nil || rnd()*float64(sum) < float64(k.weight) {
			chosen, number = k, i
		}
	}
	switch {
	case chosen != nil:
	case why != nil:
		return turn{}, why
	default:
		return turn{}, &blocked{}
	}
	t := turn{provider: p, key: chosen, number: number, sent: chosen.sent, model: model, began: now}
	for _, h := range [...]*hold{&p.breaker, p.models[model], &chosen.hold, chosen.models[model]} {
		t.probe = h.try() || t.probe
	}
	return t, nil
}

// noKey is the fault of a live key that has no content.
func (p *provider) noKey() *llm.Fault {
	e := events.Errorf(events.CodeUnauthenticated, "there is no API key now: the store of secrets does not give it")
	e.Provider = p.name
	return &llm.Fault{Class: llm.ClassKey, Err: e}
}

// probeTime is how long who asks again is told to wait while one attempt finds out whether a hold is over.
const probeTime = time.Second

// blockedBy tells of a hold.
func blockedBy(h *hold, now time.Time) *blocked {
	b := &blocked{until: h.until, fault: llm.Fault{Class: h.class, Err: h.err}}
	if h.probe && !now.Before(h.until) {
		b.until = now.Add(probeTime)
	}
	b.waits = !h.probe
	return b
}

// sooner returns the one of two that is worth waiting for, and of such the one that ends first.
func (b *blocked) sooner(other *blocked) *blocked {
	switch {
	case b == nil:
		return other
	case b.waits != other.waits:
		if other.waits {
			return other
		}
		return b
	case b.until.IsZero(), !other.until.IsZero() && other.until.Before(b.until):
		return other
	default:
		return b
	}
}

// newProvider makes a provider, which remembers what was known of it before, if it was.
func newProvider(p Provider, rest *Rest, before *provider) *provider {
	made := &provider{name: p.Name, adapter: p.Adapter, rest: rest}
	keys := p.Keys
	if len(keys) == 0 {
		keys = []providers.Key{{}}
	}
	for _, given := range keys {
		k := &key{name: given.Name, value: given.Value, weight: max(given.Weight, 1), sent: given.Value}
		if given.Value.IsLive() {
			k.sent = secret.NewValue(given.Value.Reveal())
		}
		made.keys = append(made.keys, k)
	}
	if before == nil {
		return made
	}
	before.mu.Lock()
	defer before.mu.Unlock()
	for _, k := range made.keys {
		for _, old := range before.keys {
			if old.name == k.name && old.sent.Reveal() == k.sent.Reveal() {
				k.failures, k.hold = old.failures, old.hold
				k.hold.trying = false // whoever tries tells the old one
				for model, held := range old.models {
					kept := k.models.of(model, time.Time{})
					*kept = *held
					kept.trying = false
				}
			}
		}
	}
	return made
}
