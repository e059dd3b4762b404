package cached

import (
	"container/heap"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
)

// use returns the entry of a reference, which somebody wants now; a new one if there is none.
func (c *Cache) use(st *store, ref secret.Ref, w wish, now time.Time) *entry {
	e := c.entries[ref]
	if e == nil {
		e = &entry{ref: ref, at: st, used: now}
		c.entries[ref] = e
		e.due = now.Add(c.keep(w.ttl))
		heap.Push(&c.agenda, e)
		c.recent.touch(e)
		c.weigh(e)
	} else {
		c.recent.touch(e)
	}
	sooner := w.ttl < e.ttl
	e.ttl, e.maxStale = w.ttl, max(e.maxStale, w.maxStale)
	if !w.passive {
		e.used = now
	}
	if e.box != nil && !now.Before(e.useless(e.own())) {
		e.drop()
		c.weigh(e)
	} else if e.box != nil && sooner {
		c.schedule(e, e.next(c.keep(e.ttl)))
	}
	return e
}

// keep is for how long after its last use a value is refreshed.
func (c *Cache) keep(ttl time.Duration) time.Duration { return time.Duration(c.cfg.Keep) * ttl }

// weigh takes account of how large an entry has become, and makes room.
func (c *Cache) weigh(e *entry) {
	size := e.weight()
	c.bytes += size - e.size
	e.size = size
	for len(c.entries) > c.cfg.MaxEntries || c.bytes > c.cfg.MaxBytes {
		oldest := c.recent.oldest
		if oldest == nil || oldest == c.recent.newest {
			return // one may be as large as it is
		}
		c.metrics.evicted.Inc()
		c.forget(oldest)
	}
}

// forget drops an entry and its value. A call that is on its way for it goes on for those who wait.
func (c *Cache) forget(e *entry) {
	if e.dropped {
		return
	}
	e.drop()
	e.dropped = true
	delete(c.entries, e.ref)
	c.recent.remove(e)
	heap.Remove(&c.agenda, e.place)
	c.bytes -= e.size
}

// schedule sets when something is to be done about an entry.
func (c *Cache) schedule(e *entry, due time.Time) {
	if e.dropped {
		return
	}
	e.due = due
	heap.Fix(&c.agenda, e.place)
	if e.place == 0 {
		c.nudge()
	}
}

// nudge wakes Run, if it runs.
func (c *Cache) nudge() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}
