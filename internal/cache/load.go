package cache

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// ErrAbsent is what a [Loader] returns when there is known to be no value. It is remembered for [Options.AbsentTTL].
var ErrAbsent = errors.New("there is no value")

// Loader makes a value. Its context ends after [Options.LoadTimeout], and not with whoever asked first: what others wait for, or what
// is paid for, is finished.
type Loader func(ctx context.Context) ([]byte, error)

// GetOrLoad returns the value of a key, and has it made when there is none: once, however many ask, here and, through Redis, in all
// replicas. It is made again in the background shortly before its time is over, the earlier the longer it takes, so that nobody
// waits for what is asked for all the time; and for [Options.Grace] after that, what there is is returned meanwhile. Errors are those of
// load, of a load that panicked, and of a ctx that has ended.
func (n *Namespace) GetOrLoad(ctx context.Context, key string, load Loader) ([]byte, error) {
	if n == nil {
		return load(ctx)
	}
	now := time.Now()
	e, ok := n.near.get(key)
	if !ok {
		done := n.loads.DoChan(key, func() (any, error) { return n.fill(ctx, key, load) })
		select {
		case result := <-done:
			return result.Val.(entry).result(result.Err) //nolint:errcheck // what fill returns
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	fresh := e.freshAt(now)
	if fresh {
		n.counters.memory.Add(1)
	} else {
		n.counters.stale.Add(1)
	}
	if !fresh || early(e, now) {
		n.refresh(ctx, key, e, load)
	}
	return e.result(nil)
}

// result is what the caller gets of an entry.
func (e entry) result(err error) ([]byte, error) {
	switch {
	case err != nil:
		return nil, err
	case e.absent:
		return nil, ErrAbsent
	default:
		return e.value, nil
	}
}

// early says whether a fresh entry is to be made again already: at random, and the more likely the less is left of its time compared
// with what it takes to make (XFetch: Vattani, Chierichetti and Lowenstein, Optimal Probabilistic Cache Stampede Prevention, 2015).
func early(e entry, now time.Time) bool {
	left := e.fresh - now.UnixMilli()
	if e.absent || left > 20*int64(e.fill) { // beyond, it happens once in a billion
		return false
	}
	return float64(e.fill)*rand.ExpFloat64() >= float64(left) //nolint:gosec // no secret
}

// background returns a context for work that outlives who asked for it, but neither LoadTimeout nor the cache.
func (n *Namespace) background(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), n.options.LoadTimeout)
	stop := context.AfterFunc(n.cache.ctx, cancel)
	return ctx, func() { stop(); cancel() }
}

// fill finds an entry in Redis, has another replica make it, or makes it.
func (n *Namespace) fill(ctx context.Context, key string, load Loader) (entry, error) {
	if e, ok := n.near.get(key); ok { // who was there a moment ago has made it
		n.counters.memory.Add(1)
		return e, nil
	}
	ctx, cancel := n.background(ctx)
	defer cancel()
	patience := time.Now().Add(n.options.Wait)
	for pause := 5 * time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) {
		if e, ok := n.share(ctx, key, load); ok {
			return e, nil
		}
		locked := n.lock(ctx, key)
		if locked.mine {
			// Who had the lock may have made it between the look and the lock.
			if e, ok := n.share(ctx, key, load); ok {
				n.unlock(ctx, locked)
				return e, nil
			}
		}
		if locked.mine || time.Now().After(patience) {
			n.counters.missed.Add(1)
			return n.make(ctx, key, load, locked)
		}
		n.counters.waits.Add(1)
		timer := time.NewTimer(pause + rand.N(pause)) //nolint:gosec // no secret
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return entry{}, context.Cause(ctx)
		}
	}
}

// share returns what is in Redis, and sees to it that it is made again if its time is over, or nearly.
func (n *Namespace) share(ctx context.Context, key string, load Loader) (entry, bool) {
	e, ok := n.peek(ctx, key)
	if !ok {
		return entry{}, false
	}
	now := time.Now()
	fresh := e.freshAt(now)
	if fresh {
		n.counters.redis.Add(1)
	} else {
		n.counters.stale.Add(1)
	}
	if !fresh || early(e, now) {
		n.refresh(ctx, key, e, load)
	}
	return e, true
}

// peek reads one entry from Redis, stale or not.
func (n *Namespace) peek(ctx context.Context, key string) (found entry, ok bool) {
	if n.cache.far == nil {
		return entry{}, false
	}
	now := time.Now()
	n.read(ctx, []string{key}, func(_ int, e entry) {
		if n.usable(e, now) > 0 {
			found, ok = e, true
		}
	})
	return found, ok
}

// refresh has an old entry made again, unless that is done or going on, here or elsewhere; nobody waits for it.
func (n *Namespace) refresh(ctx context.Context, key string, old entry, load Loader) {
	n.refreshes.DoChan(key, func() (any, error) {
		ctx, cancel := n.background(ctx)
		defer cancel()
		made := func() (entry, bool) {
			e, ok := n.peek(ctx, key)
			return e, ok && e.fresh > old.fresh
		}
		if e, ok := made(); ok {
			return e, nil
		}
		locked := n.lock(ctx, key)
		if !locked.mine {
			return entry{}, nil
		}
		if e, ok := made(); ok {
			n.unlock(ctx, locked)
			return e, nil
		}
		e, err := n.make(ctx, key, load, locked)
		if err != nil {
			n.counters.loadErrors.Add(1)
			n.cache.log.DebugContext(ctx, "what is in the cache could not be made again", "namespace", n.name, "err", err)
		}
		return e, err
	})
}

// make calls load and keeps what it returns, unless something was deleted meanwhile.
func (n *Namespace) make(ctx context.Context, key string, load Loader, locked lock) (made entry, err error) {
	defer n.unlock(ctx, locked)
	generation, start := n.generation.Load(), time.Now()
	bounded, cancel := n.background(ctx) // a time of its own: some may have gone by with waiting
	defer cancel()
	value, err := called(bounded, load)
	took := time.Since(start)
	n.counters.fills.Add(1)
	n.counters.fillNanos.Add(uint64(took)) //nolint:gosec // not negative
	switch {
	case err == nil:
		made = n.entry(value)
		made.fill = uint32(min(took.Milliseconds(), int64(n.options.LoadTimeout/time.Millisecond), 1<<31)) //nolint:gosec // bounded
	case errors.Is(err, ErrAbsent):
		made = entry{absent: true, fresh: time.Now().Add(spread(n.options.AbsentTTL)).UnixMilli()}
		if n.options.AbsentTTL == 0 {
			return made, nil
		}
	default:
		return entry{}, err
	}
	if n.generation.Load() == generation {
		n.write(ctx, []string{key}, []entry{made}, nil)
	}
	return made, nil
}

// called calls load. What panics in it must not end the process, for nobody is there to recover.
func called(ctx context.Context, load Loader) (value []byte, err error) {
	defer func() {
		if r := recover(); r != nil {
			value, err = nil, fmt.Errorf("making a value for the cache panicked: %v", r)
		}
	}()
	return load(ctx)
}
