package upstream

import (
	"context"
	"log/slog"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// How long what failed is left alone: at first, and at the most, doubled each time.
const (
	// breakAfter is how many attempts in a row must fail until the server is left alone.
	breakAfter           = 5
	breakFor, breakMost  = 10 * time.Second, 2 * time.Minute
	limitFor, limitMost  = time.Second, time.Minute // when the provider does not say
	refuseFor, refuseMax = time.Minute, time.Hour   // a live key only until its content changes
	quotaFor, quotaMost  = 5 * time.Minute, 6 * time.Hour
	// serverMost bounds what a server may ask for that wants to be left alone.
	serverMost = 5 * time.Minute
)

// Messages of changes, for the log.
const (
	keyRests      = "a key rests: the provider does not accept it"
	quotaRests    = "a key rests: the money behind it is used up"
	serverRests   = "a provider is left alone: it fails"
	answersAgain  = "a provider answers again"
	keyWorksAgain = "a key works again"
)

// change is what an attempt has changed; the zero value is nothing.
type change struct {
	what  string
	until time.Time
}

// end says how an attempt ended: nil is a success. It is called exactly once for each turn.
func (u *Upstream) end(t *turn, f *llm.Fault, now time.Time) change {
	u.mu.Lock()
	defer u.mu.Unlock()
	t.key.refresh()
	if t.probe {
		for _, h := range u.concerned(t) {
			if h != nil {
				h.trying = false
			}
		}
	}
	current := t.sent.Reveal() == t.key.sent.Reveal() // else it says nothing about the content that the key has now
	switch {
	case f == nil || f.Class == llm.ClassContent: // the server has read it, with this key
		return u.worked(t, current)
	case f.Class == llm.ClassKey || f.Class == llm.ClassLimit || f.Class == llm.ClassQuota:
		u.failures = 0 // it answers
		if current {
			return u.rest(t, f, now)
		}
	case ofServer(f.Class):
		return u.failed(t, f, now)
	}
	return change{} // others say nothing: most were never sent
}

// worked forgets what was wrong, as far as it was before the attempt.
func (u *Upstream) worked(t *turn, current bool) (c change) {
	u.failures = 0
	if u.holds[""].clear(t.began) {
		c.what = answersAgain
	}
	if u.holds[t.model].clear(t.began) && t.model != "" {
		delete(u.holds, t.model)
	}
	if !current {
		return c
	}
	if t.key.holds[""].clear(t.began) && c.what == "" {
		c.what = keyWorksAgain
	}
	if t.key.holds[t.model].clear(t.began) && t.model != "" {
		delete(t.key.holds, t.model)
	}
	return c
}

// rest leaves a key alone.
func (u *Upstream) rest(t *turn, f *llm.Fault, now time.Time) change {
	name, what := "", keyRests
	base, most, probe := refuseFor, refuseMax, true
	switch {
	case f.Class == llm.ClassQuota:
		what, base, most = quotaRests, quotaFor, quotaMost
	case f.Class == llm.ClassLimit: // models have limits of their own; that one is used up is daily business
		name, what, base, most, probe = t.model, "", limitFor, limitMost, false
	case f.Err.Code == events.CodePermissionDenied: // it may be good for other models
		name = t.model
	}
	h := t.key.holds.of(name, now)
	until := now.Add(h.next(f.Class, base, most))
	if f.Until.After(until) || f.Class == llm.ClassLimit && f.Until.After(now) {
		until = f.Until
	}
	if !h.put(now, until, f, probe) {
		return change{}
	}
	return change{what, until}
}

// failed counts against the server, and leaves it alone when that was too often in a row. One that asks for it is left alone at once,
// for the one model.
func (u *Upstream) failed(t *turn, f *llm.Fault, now time.Time) change {
	u.failures++
	if asked := f.Until.Sub(now); !f.Until.IsZero() && asked > u.opts.Backoff.Cap {
		u.holds.of(t.model, now).put(now, now.Add(min(asked, serverMost)), f, false)
	}
	breaker := u.holds[""]
	if u.failures < breakAfter && !breaker.set() {
		return change{}
	}
	if breaker.set() && !t.began.After(breaker.since) { // it began before the server was left alone, which does not make that longer
		return change{}
	}
	breaker = u.holds.of("", now)
	until := now.Add(breaker.next(f.Class, breakFor, breakMost))
	if !breaker.put(now, until, f, true) {
		return change{}
	}
	return change{serverRests, until}
}

// tell logs what an attempt has changed.
func (u *Upstream) tell(ctx context.Context, t *turn, f *llm.Fault, c change) {
	if c.what == "" {
		return
	}
	log := u.opts.Logger
	if t.key.name != "" {
		log = log.With(slog.String("key", t.key.name))
	}
	if f == nil || c.until.IsZero() {
		log.InfoContext(ctx, c.what) //nolint:sloglint // one of a few constants
		return
	}
	//nolint:sloglint // one of a few constants
	log.WarnContext(ctx, c.what, "until", c.until.Format(time.RFC3339), "class", string(f.Class), "code", string(f.Err.Code))
}
