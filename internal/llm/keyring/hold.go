package keyring

import (
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// hold keeps something from being used: a key, a provider, or one model of either. The zero value holds nothing.
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
func (h *hold) put(now, until time.Time, fault *llm.Fault, probe bool) (began bool) {
	if h.set() && now.Before(h.until) {
		if until.After(h.until) {
			h.until, h.class, h.err, h.probe = until, fault.Class, fault.Err, probe
		}
		return false
	}
	times := 1
	if sameKind(h.class, fault.Class) {
		times += h.times
	}
	*h = hold{class: fault.Class, since: now, until: until, err: fault.Err, times: times, probe: probe}
	return true
}

// sameKind reports whether two failures are held for the same time: they are of the same class, or both those of a server.
func sameKind(a, b llm.Class) bool { return a == b || ofServer(a) && ofServer(b) }

// ofServer reports whether a failure is one of a server, or of what is behind a key alone.
func ofServer(c llm.Class) bool {
	return c == llm.ClassProvider || c == llm.ClassNetwork || c == llm.ClassTimeout || c == llm.ClassAnswer
}

// clear ends a hold when an attempt that began after it has shown that it is over.
func (h *hold) clear(began time.Time) (ended bool) {
	if !h.set() || !began.After(h.since) {
		return false
	}
	*h = hold{}
	return true
}

// next is how long the next hold for a class of failures is to be: between base and most, doubled for each in a row.
func (h *hold) next(class llm.Class, base, most time.Duration) time.Duration {
	if !sameKind(h.class, class) {
		return base
	}
	d := base
	for range min(h.times, 40) {
		if d >= most/2 {
			return most
		}
		d *= 2
	}
	return min(d, most)
}

// holds are those of models.
type holds map[string]*hold

// maxHolds bounds how many models are remembered for one key; the names of models come from callers.
const maxHolds = 256

// of returns the hold of a model, to be put. When there is no room for one more, those that are over make way; the least of those
// that are not is forgotten at the worst, which costs one request.
func (h *holds) of(model string, now time.Time) *hold {
	if *h == nil {
		*h = make(holds)
	}
	if found := (*h)[model]; found != nil {
		return found
	}
	if len(*h) >= maxHolds {
		oldest := ""
		for name, held := range *h {
			if !held.blocks(now) {
				delete(*h, name)
			} else if oldest == "" || held.until.Before((*h)[oldest].until) {
				oldest = name
			}
		}
		if len(*h) >= maxHolds {
			delete(*h, oldest)
		}
	}
	held := new(hold)
	(*h)[model] = held
	return held
}
