package cached

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
)

// flight is one call to a store, for all who wait for it.
type flight struct {
	began      time.Time
	background bool // nobody waited when it began
	done       chan struct{}

	// Guarded by the mutex of the cache.
	waiters int
	slow    bool // somebody has given up on it and taken what there was
	settled bool

	// Written before done is closed. Each of the waiters of that time holds the box.
	value value
	err   error
}

// start calls the store of an entry; it returns nil if that may not be.
func (c *Cache) start(e *entry, now time.Time, background bool) *flight {
	if c.closed || !e.at.allow(now) {
		return nil
	}
	f := &flight{began: now, background: background, done: make(chan struct{})}
	e.flight, e.again = f, false
	if background {
		c.background++
	}
	c.calls.Add(1)
	go c.fly(e, f)
	return f
}

// refresh calls the store of an entry without anybody waiting, if there is no call yet, no reason against it, and room.
func (c *Cache) refresh(e *entry, now time.Time) {
	if e.flight == nil && !e.paused(now) && c.background < c.cfg.Background {
		c.start(e, now, true)
	}
}

// fly makes the call.
func (c *Cache) fly(e *entry, f *flight) {
	defer c.calls.Done()
	ctx, cancel := context.WithTimeout(c.ctx, c.cfg.Timeout)
	defer cancel()
	v, m, err := c.bounded(ctx, e.at, e.ref, f.began)
	err = failure(ctx, e.at.name, c.cfg.Timeout, err)
	e.at.metrics.count(time.Since(f.began), err)
	c.settle(e, f, v, m, err)
	close(f.done)
}

// grace is how long a store has to see that the context of a call has ended.
const grace = 500 * time.Millisecond

// bounded is ask that ends soon after ctx, even if the store does not: a file on a mount that hangs cannot be read with a context.
func (c *Cache) bounded(ctx context.Context, st *store, ref secret.Ref, now time.Time) (value, mark, error) {
	type result struct {
		value value
		mark  mark
		err   error
	}
	results, left := make(chan result), make(chan struct{})
	defer close(left)
	go func() {
		var r result
		r.value, r.mark, r.err = c.ask(ctx, st, ref, now)
		select {
		case results <- r:
		case <-left:
			r.value.drop()
		}
	}()
	select {
	case r := <-results:
		return r.value, r.mark, r.err
	case <-ctx.Done():
	}
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case r := <-results:
		return r.value, r.mark, r.err
	case <-timer.C:
		return value{}, mark{}, ctx.Err()
	}
}

// ask returns what the store gives, sealed. Nothing else keeps it.
func (c *Cache) ask(ctx context.Context, st *store, ref secret.Ref, now time.Time) (v value, m mark, err error) {
	defer func() {
		if p := recover(); p != nil { // it may hold anything: its text is not for an error
			err = fmt.Errorf("%w: %s panicked with a %T", secret.ErrUnavailable, st.name, p)
		}
	}()
	entry, err := st.Get(ctx, ref)
	if err != nil {
		return value{}, mark{}, err
	}
	if err := checked(st.name, entry, time.Now()); err != nil {
		return value{}, mark{}, err
	}
	v = value{
		source: entry.Source, version: entry.Version, fetchedAt: now, expiresAt: entry.ExpiresAt,
		jitter: 0.9 + 0.1*rand.Float64(), //nolint:gosec // spreads load
	}
	v.box, m = c.sealer.seal(entry.Value)
	entry.Value.Wipe()
	return v, m, nil
}

// settle takes down what came of a call.
func (c *Cache) settle(e *entry, f *flight, v value, m mark, err error) {
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	e.flight, f.settled = nil, true
	if f.background {
		c.background--
		c.nudge()
	}
	if !c.closed && e.at.report(now, err) {
		e.at.metrics.opened(e.at.open())
		c.announceStore(e.at.name, err)
	}
	if err == nil {
		v.box.holders.Add(int32(f.waiters)) //nolint:gosec // of goroutines there are fewer
	}
	switch {
	case c.closed || e.dropped: // it is for those who wait only
		if err == nil {
			v.box.release()
		}
	default:
		e.began = f.began
		if err == nil {
			v = c.kept(e, v, m)
		} else {
			c.failed(e, err, now)
		}
		c.schedule(e, e.next(c.keep(e.ttl)))
		c.weigh(e)
	}
	f.value, f.err = v, err
}

// kept puts a value in the place of the one before, and returns it with what it has of that.
func (c *Cache) kept(e *entry, v value, m mark) value {
	c.announceRecovered(e)
	if e.known && (v.version != e.version || m != e.mark) {
		v.rotated, v.previous = true, e.version
		c.announceRotated(e.ref, e.version, v.version)
	}
	e.drop()
	e.value, e.mark, e.known = v, m, true
	e.err, e.fails = nil, 0
	return v
}

// failed takes down that there was no value. An answer ends the one that was known.
func (c *Cache) failed(e *entry, err error, now time.Time) {
	e.err, e.kind, e.epoch = err, kindOf(err), e.at.epoch
	if e.kind == transient {
		pause := c.cfg.Negative
		if e.fails < 4 { // 1, 2, 4, 8 seconds
			pause = min(pause, time.Second<<e.fails)
		}
		e.fails++
		e.until = now.Add(pause)
		if e.box != nil && !e.fresh(e.own(), now) {
			c.announceUnavailable(e, err)
		}
		return
	}
	pause := c.cfg.Negative
	if e.kind == refused {
		pause = c.cfg.Refused
	}
	e.fails, e.until = 0, now.Add(pause)
	c.announceRecovered(e)
	if e.box != nil {
		e.drop()
		c.announcePurged(e.ref, err)
	}
}
