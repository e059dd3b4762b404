package keyring

import (
	"context"
	"log/slog"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// How long what failed is left alone: at first, and at the most, doubled each time.
const (
	// breakAfter is how many attempts in a row must fail until the server, or a key, is left alone.
	breakAfter           = 5
	breakFor, breakMost  = 10 * time.Second, 2 * time.Minute
	limitFor, limitMost  = time.Second, time.Minute // when the provider does not say
	refuseFor, refuseMax = time.Minute, time.Hour   // a live key only until its content changes
	quotaFor, quotaMost  = 5 * time.Minute, 6 * time.Hour
	// serverMost bounds what a server may ask for that wants to be left alone.
	serverMost = 5 * time.Minute
)

// change is what an attempt has changed, for the log; the zero value is nothing.
type change struct {
	what  string // a constant message
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

// End says how the attempt ended: nil is a success. It is called exactly once.
func (t *Turn) End(ctx context.Context, fault *llm.Fault, now time.Time) {
	t.log(ctx, fault, t.end(fault, now))
}

// Answers says that the attempt has begun to answer: those who wait for how it ends need not wait for the rest.
func (t *Turn) Answers(ctx context.Context) {
	if !t.probe {
		return
	}
	t.log(ctx, nil, t.answers())
}

// end takes note of how the attempt ended.
func (t *Turn) end(fault *llm.Fault, now time.Time) change {
	r := t.ring
	r.mu.Lock()
	defer r.mu.Unlock()
	t.key.refresh()
	t.release()
	current := t.sent.Reveal() == t.key.sent.Reveal() // else it says nothing about the content that the key has now
	if fault == nil {
		return t.worked(current)
	}
	switch fault.Class {
	case llm.ClassContent:
		return t.worked(current) // the server has read it, with this key
	case llm.ClassKey, llm.ClassLimit, llm.ClassQuota:
		r.failures = 0 // it answers
		if current {
			return t.rest(fault, now)
		}
	case llm.ClassProvider, llm.ClassNetwork, llm.ClassTimeout, llm.ClassAnswer:
		return t.failed(fault, now, current)
	case llm.ClassCaller, llm.ClassUnsupported, llm.ClassModel, llm.ClassCanceled: // they say nothing: most were never sent
	}
	return change{}
}

// answers ends the waiting of others before the attempt ends.
func (t *Turn) answers() change {
	t.ring.mu.Lock()
	defer t.ring.mu.Unlock()
	t.release()
	t.probe = false
	return t.worked(t.sent.Reveal() == t.key.sent.Reveal())
}

// release ends the waiting of others for how the attempt ends.
func (t *Turn) release() {
	if !t.probe {
		return
	}
	for _, h := range t.concerned() {
		if h != nil {
			h.trying = false
		}
	}
}

// worked forgets what was wrong, as far as it was before the attempt; of the key, if its content is still the one that worked.
func (t *Turn) worked(current bool) (c change) {
	r, k := t.ring, t.key
	r.failures = 0
	if r.breaker.clear(t.began) {
		c.what = answersAgain
	}
	if r.models[t.model].clear(t.began) {
		delete(r.models, t.model)
	}
	if !current {
		return c
	}
	k.failures = 0
	if k.hold.clear(t.began) && c.what == "" {
		c.what = keyWorksAgain
	}
	if k.models[t.model].clear(t.began) {
		delete(k.models, t.model)
	}
	return c
}

// rest lets the key rest. A limit is mostly one of the model, and so is what a key is not allowed: another model of the same provider
// can be tried with it. That a limit is used up is daily business.
func (t *Turn) rest(fault *llm.Fault, now time.Time) change {
	k := t.key
	held, what, base, most := &k.hold, keyRests, refuseFor, refuseMax
	limit := fault.Class == llm.ClassLimit
	if limit || fault.Err.Code == events.CodePermissionDenied {
		held = k.models.of(t.model, now)
	}
	switch {
	case limit:
		what, base, most = "", limitFor, limitMost
	case fault.Class == llm.ClassQuota:
		what, base, most = quotaRests, quotaFor, quotaMost
	}
	until := now.Add(held.next(fault.Class, base, most))
	if fault.Until.After(until) || limit && fault.Until.After(now) {
		until = fault.Until
	}
	if !held.put(now, until, fault, !limit) {
		return change{}
	}
	return change{what, until}
}

// failed counts a failure. The breaker of the server is for failures of the server; the key's is for all, in case that what is behind
// the key fails alone. A server that asks for it is left alone at once, for the one model.
func (t *Turn) failed(fault *llm.Fault, now time.Time, current bool) (c change) {
	r, k, o := t.ring, t.key, &t.ring.options
	server := fault.Class == llm.ClassProvider || fault.Class == llm.ClassNetwork || o.Timeouts && fault.Class == llm.ClassTimeout
	if server && fault.Until.After(now.Add(o.Patience)) {
		until := fault.Until
		if most := now.Add(serverMost); until.After(most) {
			until = most
		}
		r.models.of(t.model, now).put(now, until, fault, false)
	}
	if o.KeysFail && current && (len(r.keys) > 1 || !server) {
		k.failures++
		if (k.failures >= breakAfter || t.probe && ofServer(k.hold.class)) && !k.hold.blocks(now) {
			c = open(&k.hold, keyFails, fault, now)
		}
	}
	if !server {
		return c
	}
	r.failures++
	if r.breaker.set() && !t.began.After(r.breaker.since) { // it began before the server was left alone, which does not make that longer
		return c
	}
	if (r.failures >= breakAfter || r.breaker.set()) && !r.breaker.blocks(now) {
		c = open(&r.breaker, serverRests, fault, now)
	}
	return c
}

// open opens a breaker.
func open(h *hold, what string, fault *llm.Fault, now time.Time) change {
	until := now.Add(h.next(fault.Class, breakFor, breakMost))
	h.put(now, until, fault, true)
	return change{what, until}
}

// log tells what an attempt has changed.
func (t *Turn) log(ctx context.Context, fault *llm.Fault, c change) {
	if c.what == "" {
		return
	}
	log := t.ring.options.Logger
	if t.key.name != "" {
		log = log.With(slog.String("key", t.key.name))
	}
	if c.until.IsZero() {
		log.InfoContext(ctx, c.what) //nolint:sloglint // one of a few constants
		return
	}
	//nolint:sloglint // one of a few constants
	log.WarnContext(ctx, c.what, "until", c.until.Format(time.RFC3339), "class", string(fault.Class), "code", string(fault.Err.Code))
}
