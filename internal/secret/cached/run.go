package cached

import (
	"context"
	"math/rand/v2"
	"time"
)

// idle is how long Run sleeps when there is nothing to do.
const idle = time.Hour

// batch is how many entries are looked at while Gets wait.
const batch = 256

// Run asks again, before its time is over, for each value that was used within the last Keep TTLs, so that a rotation is seen
// without a Get, and drops what nobody may have or has asked for any more. It returns nil when ctx ends; without it the cache
// works, but learns only by Gets.
func (c *Cache) Run(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		case <-c.wake:
		}
		timer.Reset(c.attend())
	}
}

// attend does what is due, and returns for how long there is nothing more to do. That may be longer than it takes until a
// place for a call is free: who frees it wakes Run.
func (c *Cache) attend() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	for range batch {
		if len(c.agenda) == 0 || c.closed {
			return idle
		}
		e := c.agenda[0]
		if wait := e.due.Sub(now); wait > 0 {
			return wait
		}
		if !c.attendTo(e, now) {
			return idle
		}
	}
	return 0
}

// attendTo does what is due for one entry. It returns false if there is no room for a call now.
func (c *Cache) attendTo(e *entry, now time.Time) bool {
	w, unused := e.own(), e.used.Add(c.keep(e.ttl))
	switch {
	case e.again && e.flight == nil && !e.at.away(now) && !now.Before(e.askAgain()):
		if c.background >= c.cfg.Background {
			return false
		}
		c.start(e, now, true)
		c.schedule(e, now.Add(c.cfg.Timeout)) // settle sets it anew
	case e.box == nil && e.flight == nil && !now.Before(unused):
		c.forget(e)
	case e.box == nil: // somebody has asked for it since, or waits
		c.schedule(e, later(unused, now.Add(c.cfg.Timeout)))
	case !now.Before(e.useless(w)):
		if e.failing(now) {
			c.announceUnavailable(e, e.failure(now))
		}
		e.drop()
		c.weigh(e)
		c.schedule(e, later(unused, now))
	case e.flight != nil || !now.Before(unused): // settle sets it anew, or there is nothing to do but to drop it
		c.schedule(e, e.useless(w))
	case e.paused(now):
		c.schedule(e, earlier(e.until, e.useless(w)))
	case e.at.away(now):
		if !e.fresh(w, now) {
			c.announceUnavailable(e, e.failure(now))
		}
		spread := time.Second + time.Duration(rand.Float64()*float64(time.Second)) //nolint:gosec // spreads load
		c.schedule(e, earlier(later(e.at.until, now).Add(spread), e.useless(w)))
	case c.background >= c.cfg.Background:
		return false
	default:
		c.start(e, now, true)
		c.schedule(e, e.useless(w))
	}
	return true
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
