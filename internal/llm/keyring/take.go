package keyring

import (
	"context"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
)

// Use is what one request has tried of a ring.
type Use struct {
	ring *Ring
	// renewed and except are keys, by number: those that were asked for anew, and those that are not used again.
	renewed, except uint64
}

// Use begins a request.
func (r *Ring) Use() Use { return Use{ring: r} }

// Turn is the right to make one attempt.
type Turn struct {
	ring *Ring
	key  *key
	// number is that of the key.
	number int
	// sent is the content of the key for this attempt.
	sent  secret.Value
	model string
	began time.Time
	// probe says that others wait for how it ends.
	probe bool
}

// Key is what is to be sent, the zero value without a key.
func (t *Turn) Key() secret.Value { return t.sent }

// KeyName is the name of the key; empty without one.
func (t *Turn) KeyName() string { return t.key.name }

// Began is when the turn was given.
func (t *Turn) Began() time.Time { return t.began }

// Blocked says why there is no turn.
type Blocked struct {
	// Until is when there may be one; zero when nobody knows.
	Until time.Time
	// Waits says that it is worth waiting for: the provider has said when.
	Waits bool
	// Fault is what a caller is told; it has no Err when all keys have failed in this request already.
	Fault llm.Fault
}

// Take gives the right to one attempt at a model with a key that nothing keeps from being used, chosen by weight. [Turn.End] must be
// called.
func (u *Use) Take(model string, now time.Time) (Turn, *Blocked) {
	r := u.ring
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.breaker.blocks(now) {
		return Turn{}, blockedBy(&r.breaker, now)
	}
	if held := r.models[model]; held.blocks(now) {
		return Turn{}, blockedBy(held, now)
	}
	var chosen *key
	var why *Blocked
	sum, number := 0, 0
	for i, k := range r.keys {
		k.refresh()
		if u.except&(1<<i) != 0 {
			continue
		}
		if held := k.blocking(model, now); held != nil {
			why = why.sooner(blockedBy(held, now))
			continue
		}
		if k.missing() {
			why = why.sooner(&Blocked{Fault: *r.noKey()})
			continue
		}
		// Each takes the place of those before it with a chance in proportion to its weight.
		if sum += k.weight; chosen == nil || r.options.Random()*float64(sum) < float64(k.weight) {
			chosen, number = k, i
		}
	}
	switch {
	case chosen != nil:
	case why != nil:
		return Turn{}, why
	default:
		return Turn{}, &Blocked{}
	}
	t := Turn{ring: r, key: chosen, number: number, sent: chosen.sent, model: model, began: now}
	for _, h := range t.concerned() {
		t.probe = h.try() || t.probe
	}
	return t, nil
}

// concerned are the holds that an attempt may end, as far as there are any.
func (t *Turn) concerned() [4]*hold {
	return [...]*hold{&t.ring.breaker, t.ring.models[t.model], &t.key.hold, t.key.models[t.model]}
}

// Failed takes note of why an attempt has failed, before the turn ends, so that the next is not given a key that will fail again. A key
// that is not accepted is asked for anew if it is live, once; behind one without money there may have been put another. It is used again
// if its content is not what was sent.
func (u *Use) Failed(ctx context.Context, t *Turn, f *llm.Fault) {
	switch f.Class {
	case llm.ClassKey, llm.ClassQuota:
		if !u.renew(ctx, t, f.Class) {
			u.except |= 1 << t.number
		}
	case llm.ClassLimit:
		if f.Final {
			u.except |= 1 << t.number
		}
	default:
	}
}

// renew reports whether a key that was refused has another content than was sent.
func (u *Use) renew(ctx context.Context, t *Turn, why llm.Class) (changed bool) {
	bit := uint64(1) << t.number
	if u.renewed&bit != 0 || !t.key.value.IsLive() {
		return false
	}
	u.renewed |= bit
	if why == llm.ClassKey {
		_, changed = t.key.value.Renew(ctx, t.sent.Reveal())
		return changed
	}
	now := t.key.value.Reveal()
	return now != "" && now != t.sent.Reveal()
}

// probeTime is how long who asks again is told to wait while one attempt finds out whether a hold is over.
const probeTime = time.Second

// blockedBy tells of a hold.
func blockedBy(h *hold, now time.Time) *Blocked {
	b := &Blocked{Until: h.until, Waits: !h.probe, Fault: llm.Fault{Class: h.class, Err: h.err}}
	if h.probe && !now.Before(h.until) {
		b.Until = now.Add(probeTime)
	}
	return b
}

// sooner returns the one of two that is worth waiting for, and of such the one that ends first.
func (b *Blocked) sooner(other *Blocked) *Blocked {
	switch {
	case b == nil:
		return other
	case b.Waits != other.Waits:
		if other.Waits {
			return other
		}
		return b
	case b.Until.IsZero(), !other.Until.IsZero() && other.Until.Before(b.Until):
		return other
	default:
		return b
	}
}
