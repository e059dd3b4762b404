package upstream

import (
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// hold keeps something from being used: a key, the provider, or one model of either. The zero value holds nothing.
type hold struct {
	class llm.Class
	// since and until are when it began, and when it ends.
	since, until time.Time
	// err is what a caller is told.
	err *events.Error
	// times counts the holds in a row, for which the next is longer.
	times int
	// probe says that after the end one attempt alone finds out whether it is over; trying says that it is under way.
	probe, trying bool
}

// set reports whether there is one, over or not.
func (h *hold) set() bool { return h != nil && !h.since.IsZero() }

// blocks reports whether it keeps from being used now.
func (h *hold) blocks(now time.Time) bool { return h.set() && (now.Before(h.until) || h.trying) }

// try notes that an attempt is made after the end, and reports whether it is one that others wait for.
func (h *hold) try() bool {
	if !h.set() || !h.probe {
		return false
	}
	h.trying = true
	return true
}

// put begins a hold, or makes one that lasts longer. Many attempts that fail of one cause make one hold.
func (h *hold) put(now, until time.Time, f *llm.Fault, probe bool) (began bool) {
	if h.set() && now.Before(h.until) {
		if until.After(h.until) {
			h.until, h.class, h.err, h.probe = until, f.Class, f.Err, probe
		}
		return false
	}
	times := 1
	if sameKind(h.class, f.Class) {
		times += h.times
	}
	*h = hold{class: f.Class, since: now, until: until, err: f.Err, times: times, probe: probe}
	return true
}

// next is how long the next hold for a class of failures is to be: between base and most, doubled for each in a row.
func (h *hold) next(class llm.Class, base, most time.Duration) time.Duration {
	d := base
	if !sameKind(h.class, class) {
		return d
	}
	for range h.times {
		if d >= most/2 {
			return most
		}
		d *= 2
	}
	return d
}

// clear ends a hold when an attempt that began after it has shown that it is over.
func (h *hold) clear(began time.Time) (ended bool) {
	if !h.set() || !began.After(h.since) {
		return false
	}
	*h = hold{}
	return true
}

// sameKind reports whether two failures are held for the same time.
func sameKind(a, b llm.Class) bool { return a == b || ofServer(a) && ofServer(b) }

// ofServer reports whether a failure is one that counts against the server.
func ofServer(c llm.Class) bool {
	return c == llm.ClassProvider || c == llm.ClassNetwork || c == llm.ClassTimeout
}

// holds are those of models; that of no model is of all.
type holds map[string]*hold

// maxHolds bounds how many models are remembered; the names of models may come from callers.
const maxHolds = 256

// blocking returns what keeps a model from being used, or nil.
func (h holds) blocking(model string, now time.Time) *hold {
	for _, name := range [...]string{"", model} {
		if held := h[name]; held.blocks(now) {
			return held
		}
	}
	return nil
}

// of returns the hold of a model, to be put. When there is no room for one more, those that are over make way; one that is not is
// forgotten at the worst, which costs one call.
func (h *holds) of(model string, now time.Time) *hold {
	if *h == nil {
		*h = make(holds)
	}
	if found := (*h)[model]; found != nil {
		return found
	}
	if len(*h) >= maxHolds {
		last := ""
		for name, held := range *h {
			if name == "" {
				continue
			}
			last = name
			if !held.blocks(now) {
				delete(*h, name)
			}
		}
		if len(*h) >= maxHolds {
			delete(*h, last)
		}
	}
	made := new(hold)
	(*h)[model] = made
	return made
}
