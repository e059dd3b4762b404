package upstream

import (
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// key is one key. A provider that takes calls without one has a key that is empty.
type key struct {
	name   string
	value  secret.Value
	weight int
	// sent is its content; when that changes, everything that is known of the key is forgotten.
	sent  secret.Value
	holds holds
}

// turn is the right to make one attempt.
type turn struct {
	key *key
	// number is that of the key.
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
	// fault is what a caller is told; it has no Err when all keys have failed in this call already.
	fault llm.Fault
}

// refresh takes note of what the key's content is now.
func (k *key) refresh() {
	if !k.value.IsLive() {
		return
	}
	if text := k.value.Reveal(); text != k.sent.Reveal() {
		k.sent, k.holds = secret.NewValue(text), nil
	}
}

// take gives the right to one attempt with a key that nothing keeps from being used, chosen by weight. except are keys, by number,
// that are not to be taken.
func (u *Upstream) take(model string, except uint64, now time.Time) (turn, *blocked) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if held := u.holds.blocking(model, now); held != nil {
		return turn{}, blockedBy(held, now)
	}
	var chosen *key
	var why *blocked
	sum, number := 0, 0
	for i, k := range u.keys {
		k.refresh()
		if except&(1<<i) != 0 {
			continue
		}
		if held := k.holds.blocking(model, now); held != nil {
			why = why.sooner(blockedBy(held, now))
			continue
		}
		if k.value.IsLive() && k.sent.IsZero() {
			why = why.sooner(&blocked{fault: *u.noKey()})
			continue
		}
		// Each takes the place of those before it with a chance in proportion to its weight.
		if sum += k.weight; chosen == nil || u.opts.Random()*float64(sum) < float64(k.weight) {
			chosen, number = k, i
		}
	}
	if chosen == nil {
		if why == nil {
			why = &blocked{}
		}
		return turn{}, why
	}
	t := turn{key: chosen, number: number, sent: chosen.sent, model: model, began: now}
	for _, h := range u.concerned(&t) {
		t.probe = h.try() || t.probe
	}
	return t, nil
}

// concerned are the holds that an attempt may end, as far as there are any: of the provider, of its model, of the key, of its model.
func (u *Upstream) concerned(t *turn) [4]*hold {
	return [...]*hold{u.holds[""], u.holds[t.model], t.key.holds[""], t.key.holds[t.model]}
}

// noKey is the fault of a live key that has no content.
func (u *Upstream) noKey() *llm.Fault {
	e := events.Errorf(events.CodeUnauthenticated, "there is no API key now: the store of secrets does not give it")
	e.Provider = u.name
	return &llm.Fault{Class: llm.ClassKey, Err: e}
}

// probeTime is how long who asks again is told to wait while one attempt finds out whether a hold is over.
const probeTime = time.Second

// blockedBy tells of a hold.
func blockedBy(h *hold, now time.Time) *blocked {
	b := &blocked{until: h.until, waits: !h.probe, fault: llm.Fault{Class: h.class, Err: h.err}}
	if h.probe && !now.Before(h.until) {
		b.until = now.Add(probeTime)
	}
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
