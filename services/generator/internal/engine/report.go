package engine

import (
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Rest says how long what failed is left alone. All of it is kept in this process: replicas do not tell each other.
type Rest struct {
	// Failures is how many attempts in a row must fail until a server, or a key, is left alone.
	Failures int
	// Breaker is for how long it is then, at first, and BreakerMax at last.
	Breaker, BreakerMax time.Duration
	// Limit is how long a key rests that has used up a limit of which the provider does not say when it starts anew, at first, and
	// LimitMax at last.
	Limit, LimitMax time.Duration
	// Key is how long a key rests that is not accepted, at first, and KeyMax at last; a live key only until its content changes.
	Key, KeyMax time.Duration
	// Quota is how long a key rests behind which there is no money left, at first, and QuotaMax at last.
	Quota, QuotaMax time.Duration
	// Server is how long a server is left alone at the most that asks for it.
	Server time.Duration
}

// DefaultRest is a guess that suits most.
func DefaultRest() Rest {
	return Rest{
		Failures: 5, Breaker: 10 * time.Second, BreakerMax: 2 * time.Minute,
		Limit: time.Second, LimitMax: time.Minute,
		Key: time.Minute, KeyMax: time.Hour,
		Quota: 5 * time.Minute, QuotaMax: 6 * time.Hour,
		Server: 5 * time.Minute,
	}
}

// change is what an attempt has changed, for the log.
type change struct {
	what  string // a constant message; empty: nothing
	until time.Time
}

// Messages of changes.
const (
	keyRests      = "a key rests: the provider does not accept it"
	quotaRests    = "a key rests: the money behind it is used up"
	serverRests   = "a provider is left alone: it fails"
	keyFails      = "a key is left alone: requests with it fail"
	answersAgain  = "a provider answers again"
	keyWorksAgain = "a key works again"
)

// end says how the attempt ended: nil is a success. It is called exactly once.
func (t *turn) end(fault *llm.Fault, now time.Time) change {
	p := t.provider
	p.mu.Lock()
	defer p.mu.Unlock()
	t.key.refresh()
	t.release()
	if fault == nil {
		return t.worked()
	}
	current := t.sent.Reveal() == t.key.sent.Reveal() // else it says nothing about the content that the key has now
	switch fault.Class {
	case llm.ClassContent:
		return t.worked() // the server has read it, with this key
	case llm.ClassKey, llm.ClassLimit, llm.ClassQuota:
		p.failures = 0 // it answers
		if current {
			return t.rest(fault, now)
		}
	case llm.ClassProvider, llm.ClassNetwork, llm.ClassTimeout, llm.ClassAnswer:
		return t.failed(fault, now, current)
	case llm.ClassCaller, llm.ClassUnsupported, llm.ClassModel, llm.ClassCanceled: // they say nothing: most were never sent
	}
	return change{}
}

// answers says that the attempt has begun to answer: those who wait for how it ends need not wait for the rest.
func (t *turn) answers() change {
	if !t.probe {
		return change{}
	}
	p := t.provider
	p.mu.Lock()
	defer p.mu.Unlock()
	t.release()
	t.probe = false
	return t.worked()
}

// release ends the waiting of others for how the attempt ends.
func (t *turn) release() {
	if !t.probe {
		return
	}
	p := t.provider
	for _, h := range [...]*hold{&p.breaker, p.models[t.model], &t.key.hold, t.key.models[t.model]} {
		if h != nil {
			h.trying = false
		}
	}
}

// worked forgets what was wrong, as far as it was before the attempt.
func (t *turn) worked() (c change) {
	p, k := t.provider, t.key
	p.failures = 0
	if p.breaker.clear(t.began) {
		c.what = answersAgain
	}
	if p.models != nil && p.models[t.model].clear(t.began) {
		delete(p.models, t.model)
	}
	if t.sent.Reveal() != k.sent.Reveal() {
		return c
	}
	k.failures = 0
	if k.hold.clear(t.began) && c.what == "" {
		c.what = keyWorksAgain
	}
	if k.models != nil && k.models[t.model].clear(t.began) {
		delete(k.models, t.model)
	}
	return c
}

// rest lets the key rest. A limit is mostly one of the model, and so is what a key is not allowed: another model of the same
// provider can be tried with it.
func (t *turn) rest(fault *llm.Fault, now time.Time) change {
	k, r := t.key, t.provider.rest
	held := &k.hold
	if fault.Class == llm.ClassLimit || fault.Err.Code == events.CodePermissionDenied {
		held = k.models.of(t.model, now)
	}
	was := held.blocks(now)
	var c change
	switch fault.Class {
	case llm.ClassLimit:
		until := fault.Until
		if !until.After(now) {
			until = now.Add(held.next(fault.Class, r.Limit, r.LimitMax))
		}
		held.put(now, until, fault, false)
		return change{}
	case llm.ClassQuota:
		c.what, c.until = quotaRests, now.Add(held.next(fault.Class, r.Quota, r.QuotaMax))
		if fault.Until.After(c.until) {
			c.until = fault.Until
		}
	default:
		c.what, c.until = keyRests, now.Add(held.next(fault.Class, r.Key, r.KeyMax))
	}
	held.put(now, c.until, fault, true)
	if was {
		return change{}
	}
	return c
}

// failed counts a failure. The breaker of the server is for failures of the server; the key's is for all, in case that what is
// behind the key fails alone.
func (t *turn) failed(fault *llm.Fault, now time.Time, current bool) (c change) {
	p, k, r := t.provider, t.key, t.provider.rest
	server := fault.Class == llm.ClassProvider || fault.Class == llm.ClassNetwork
	if server && fault.Until.After(now) {
		until := fault.Until
		if most := now.Add(r.Server); until.After(most) {
			until = most
		}
		p.models.of(t.model, now).put(now, until, fault, false)
	}
	if current && (len(p.keys) > 1 || !server) {
		if k.failures++; k.failures >= r.Failures || t.probe && ofServer(k.hold.class) {
			if !k.hold.blocks(now) {
				c = change{keyFails, now.Add(k.hold.next(fault.Class, r.Breaker, r.BreakerMax))}
				k.hold.put(now, c.until, fault, true)
			}
		}
	}
	if server {
		if p.failures++; p.failures >= r.Failures || t.probe && p.breaker.set() {
			if !p.breaker.blocks(now) {
				c = change{serverRests, now.Add(p.breaker.next(fault.Class, r.Breaker, r.BreakerMax))}
				p.breaker.put(now, c.until, fault, true)
			}
		}
	}
	return c
}
