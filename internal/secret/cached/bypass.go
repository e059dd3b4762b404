package cached

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
)

// ErrTooOften is wrapped by the [TooOftenError] of who asks with NoCache.
var ErrTooOften = errors.New("the store is asked too often without the cache")

// TooOftenError says that the store is not asked now: NoCacheRate of [Config] is used up, or a call for this reference is less
// than Interval ago and nothing is left of what it brought.
type TooOftenError struct {
	// RetryAfter is when it may be asked again.
	RetryAfter time.Duration
}

// Error implements error.
func (e *TooOftenError) Error() string {
	return fmt.Sprintf("%s; it may be asked again in %s", ErrTooOften, e.RetryAfter)
}

// Unwrap returns [ErrTooOften].
func (e *TooOftenError) Unwrap() error { return ErrTooOften }

// bypass is Get with NoCache. What it returns is of a call that began when it was asked for, or later, or less than Interval
// before: there is one call per Interval and reference, and all share it, an error too. Where that call began before it was asked
// for, and may have missed what the caller knows of, [Cache.Run] has the store asked once more when the Interval is over.
func (c *Cache) bypass(ctx context.Context, st *store, ref secret.Ref, w wish) (Found, error) {
	asked := time.Now()
	for {
		c.mu.Lock()
		if c.closed {
			c.mu.Unlock()
			return Found{}, errClosed()
		}
		now := time.Now()
		e := c.use(st, ref, w, now)
		f := e.flight
		switch {
		case f != nil && asked.Sub(f.began) >= c.cfg.Interval: // what it brings may be older than the question
			c.mu.Unlock()
			select {
			case <-f.done:
			case <-ctx.Done():
				return Found{}, fmt.Errorf("waiting for %s: %w", st.name, ctx.Err())
			}
		case f != nil:
			e.again = true // settle puts it on the agenda
			return c.join(ctx, e, f, w, false)
		case !e.began.IsZero() && asked.Sub(e.began) < c.cfg.Interval:
			e.again = true
			c.schedule(e, e.next(0))
			return c.share(e, w, now)
		default:
			return c.insist(ctx, e, w, now)
		}
	}
}

// share returns what the last call for an entry brought. It unlocks the mutex, which is held when it is called.
func (c *Cache) share(e *entry, w wish, now time.Time) (Found, error) {
	switch {
	case e.err != nil:
		err := e.err
		c.mu.Unlock()
		e.at.metrics.negative.Inc()
		return Found{}, err
	case e.box != nil:
		e.at.metrics.hit.Inc()
		return c.give(e.found(w, e.fetchedAt), e.box)
	default:
		wait := e.began.Add(c.cfg.Interval).Sub(now)
		c.mu.Unlock()
		e.at.metrics.limited.Inc()
		return Found{}, &TooOftenError{RetryAfter: wait}
	}
}

// insist calls the store. It unlocks the mutex, which is held when it is called.
func (c *Cache) insist(ctx context.Context, e *entry, w wish, now time.Time) (Found, error) {
	place := e.at.bypass.ReserveN(now, 1)
	if wait := place.DelayFrom(now); wait > 0 {
		place.CancelAt(now)
		c.mu.Unlock()
		e.at.metrics.limited.Inc()
		return Found{}, &TooOftenError{RetryAfter: wait}
	}
	f := c.start(e, now, false)
	if f == nil {
		err := e.at.failure()
		c.mu.Unlock()
		e.at.metrics.failing.Inc()
		return Found{}, err
	}
	return c.join(ctx, e, f, w, false)
}
