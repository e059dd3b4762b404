package cached

import (
	"context"
	"fmt"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
)

// Get returns a secret, whose value the caller has alone and may wipe. Its errors wrap one of those of [secret.Store], [ErrNoStore], [ErrTooOften] (only with NoCache), or the
// error of ctx. One call to the store serves all who ask for the same reference meanwhile; who leaves because ctx ends does so
// alone.
func (c *Cache) Get(ctx context.Context, ref secret.Ref, o Options) (Found, error) {
	st, ok := c.stores[ref.Store]
	if !ok {
		return Found{}, fmt.Errorf("%w: %q", ErrNoStore, ref.Store)
	}
	w := c.wish(o)
	if o.NoCache {
		return c.bypass(ctx, st, ref, w)
	}
	now := time.Now()
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return Found{}, errClosed()
	}
	e := c.use(st, ref, w, now)
	switch {
	case e.fresh(w, now):
		if !w.passive && !now.Before(e.refreshAt(w)) {
			c.refresh(e, now)
		}
		st.metrics.hit.Inc()
		return c.give(e.found(w, now), e.box)
	case e.spare(w, now) && (e.failing(now) || e.flight != nil && e.flight.slow):
		if e.failing(now) {
			c.announceUnavailable(e, e.failure(now))
		}
		c.refresh(e, now)
		st.metrics.stale.Inc()
		return c.give(e.found(w, now), e.box)
	case e.paused(now):
		err := e.err
		if e.kind == transient {
			st.metrics.failing.Inc()
		} else {
			st.metrics.negative.Inc()
		}
		c.mu.Unlock()
		return Found{}, err
	}
	f := e.flight
	if f == nil {
		f = c.start(e, now, false)
	}
	if f == nil {
		err := st.failure()
		c.mu.Unlock()
		st.metrics.failing.Inc()
		return Found{}, err
	}
	return c.join(ctx, e, f, w, e.spare(w, now))
}

// give opens a box for a caller. It unlocks the mutex, which is held when it is called.
func (c *Cache) give(found Found, b *box) (Found, error) {
	b.hold()
	c.mu.Unlock()
	defer b.release()
	var err error
	if found.Value, err = c.sealer.open(b); err != nil {
		return Found{}, err
	}
	return found, nil
}

// join waits for a call. Who has a spare value waits no longer than Patience. It unlocks the mutex, which is held when it is
// called.
func (c *Cache) join(ctx context.Context, e *entry, f *flight, w wish, spare bool) (Found, error) {
	f.waiters++
	c.mu.Unlock()
	e.at.metrics.miss.Inc()
	var late <-chan time.Time
	if spare {
		timer := time.NewTimer(c.cfg.Patience)
		defer timer.Stop()
		late = timer.C
	}
	for {
		select {
		case <-f.done:
			if f.err == nil {
				defer f.value.box.release()
				found := f.value.found(w, f.value.fetchedAt)
				var err error
				if found.Value, err = c.sealer.open(f.value.box); err != nil {
					return Found{}, err
				}
				return found, nil
			}
			if spare && kindOf(f.err) == transient {
				if found, ok, err := c.stale(e, w); ok {
					return found, err
				}
			}
			return Found{}, f.err
		case <-late:
			late = nil
			found, ok, err := c.stale(e, w)
			if !ok {
				continue
			}
			c.leave(f, true)
			return found, err
		case <-ctx.Done():
			c.leave(f, false)
			return Found{}, fmt.Errorf("waiting for %s: %w", e.at.name, ctx.Err())
		}
	}
}

// stale gives the spare value, if it is still there.
func (c *Cache) stale(e *entry, w wish) (found Found, ok bool, err error) {
	c.mu.Lock()
	now := time.Now()
	if !e.spare(w, now) {
		c.mu.Unlock()
		return Found{}, false, nil
	}
	e.at.metrics.stale.Inc()
	found, err = c.give(e.found(w, now), e.box)
	return found, true, err
}

// leave is the end of one who waits for a call, which may have ended meanwhile.
func (c *Cache) leave(f *flight, slow bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f.slow = f.slow || slow
	if !f.settled {
		f.waiters--
	} else if f.err == nil {
		f.value.box.release()
	}
}
