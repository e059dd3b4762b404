package cache

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"
)

// Options are what one namespace has of its own. The zero value is good for most.
type Options struct {
	// TTL is how long a value may be used, at least 1 s; by default what the operator has set. What is written together expires at
	// different times: each value lasts up to a tenth less.
	TTL time.Duration
	// MaxBytes bounds what is kept in the process, keys and values; by default all the memory that the operator gives to the cache.
	MaxBytes int64
	// CopyTTL is how long what was found in Redis stays in the process at most; by default 10 minutes, or a tenth of TTL if that is less.
	CopyTTL time.Duration
	// Grace is for how long after its TTL a value may still be used by [Namespace.GetOrLoad], while a newer one is made; by default it
	// may not.
	Grace time.Duration
	// AbsentTTL is for how long [ErrAbsent] of a loader is remembered; by default it is not.
	AbsentTTL time.Duration
	// LoadTimeout is how long a loader may take, by default 30 s.
	LoadTimeout time.Duration
	// Wait is how long one replica waits for what another one is making before it makes it as well; by default 5 s, or LoadTimeout if
	// that is less.
	Wait time.Duration
}

// Defaults of the options.
const (
	defaultCopyTTL     = 10 * time.Minute
	defaultLoadTimeout = 30 * time.Second
	defaultWait        = 5 * time.Second
)

func (o Options) withDefaults(cfg Config) Options {
	if o.TTL == 0 {
		o.TTL = cfg.TTL
	}
	if o.MaxBytes == 0 {
		o.MaxBytes = int64(cfg.MemoryMB) << 20
	}
	if o.CopyTTL == 0 {
		o.CopyTTL = min(defaultCopyTTL, o.TTL/10)
	}
	if o.LoadTimeout == 0 {
		o.LoadTimeout = defaultLoadTimeout
	}
	if o.Wait == 0 {
		o.Wait = min(defaultWait, o.LoadTimeout)
	}
	return o
}

func (o Options) validate() error {
	if o.TTL < minTTL {
		return fmt.Errorf("its TTL is %s; it must be at least %s", o.TTL, minTTL)
	}
	if o.MaxBytes < 0 || o.CopyTTL < 0 || o.Grace < 0 || o.AbsentTTL < 0 || o.LoadTimeout < 0 || o.Wait < 0 {
		return errors.New("one of its options is negative")
	}
	return nil
}

// Namespace is a part of a cache. It is safe for concurrent use. A nil *Namespace is always empty.
//
// Values that it returns must not be changed, nor those that it was given. None of what a request calls returns an error of the
// cache: what cannot be read is not there.
type Namespace struct {
	cache    *Cache
	name     string
	prefix   string // of its keys in Redis
	options  Options
	near     *memory
	counters counters
	rates    rates
	// generation is another one after each deletion: what was read before must not be kept after.
	generation atomic.Uint64
	loads      singleflight.Group
	refreshes  singleflight.Group
}

// Name returns the name.
func (n *Namespace) Name() string {
	if n == nil {
		return ""
	}
	return n.name
}

// Get returns the value of a key, and whether there is one.
func (n *Namespace) Get(ctx context.Context, key string) ([]byte, bool) {
	if n == nil {
		return nil, false
	}
	if e, ok := n.lookNear(key); ok {
		n.counters.memory.Add(1)
		return e.value, !e.absent
	}
	if n.cache.far != nil {
		var value []byte
		n.lookFar(ctx, []string{key}, func(_ int, e entry) { value = e.value })
		if value != nil {
			return value, true
		}
	}
	n.counters.missed.Add(1)
	return nil, false
}

// GetMulti returns the values of keys, in their order; nil is where there is none. Redis is asked once for all that the process has not.
func (n *Namespace) GetMulti(ctx context.Context, keys []string) [][]byte {
	values := make([][]byte, len(keys))
	if n == nil {
		return values
	}
	missing := 0
	for i, key := range keys {
		if e, ok := n.lookNear(key); ok && !e.absent {
			values[i] = e.value
		} else {
			missing++
		}
	}
	if hits := len(keys) - missing; hits > 0 {
		n.counters.memory.Add(uint64(hits))
	}
	if missing == 0 {
		return values
	}
	if n.cache.far != nil {
		asked, places := make([]string, 0, missing), make([]int, 0, missing)
		for i, key := range keys {
			if values[i] == nil {
				asked, places = append(asked, key), append(places, i)
			}
		}
		n.lookFar(ctx, asked, func(i int, e entry) {
			values[places[i]] = e.value
			missing--
		})
	}
	if missing > 0 {
		n.counters.missed.Add(uint64(missing))
	}
	return values
}

// lookNear looks into the process. What is stale is not for those who cannot make a newer one.
func (n *Namespace) lookNear(key string) (entry, bool) {
	e, ok := n.near.get(key)
	if ok && n.options.Grace > 0 && !e.freshAt(time.Now()) {
		return entry{}, false
	}
	return e, ok
}

// lookFar looks into Redis, keeps copies of what is there, and calls found with the place of each key that has a fresh value.
func (n *Namespace) lookFar(ctx context.Context, keys []string, found func(int, entry)) {
	now, hits := time.Now(), 0
	n.read(ctx, keys, func(i int, e entry) {
		if e.absent || !e.freshAt(now) {
			return
		}
		hits++
		found(i, e)
	})
	n.counters.redis.Add(uint64(hits))
}

// read reads entries from Redis, fresh or not, and keeps copies of them. What cannot be read is not there.
func (n *Namespace) read(ctx context.Context, keys []string, found func(int, entry)) {
	full := n.full(keys)
	generation, now := n.generation.Load(), time.Now()
	size := 0
	far := n.cache.far
	_, err := far.visit(ctx, far.reads, func(ctx context.Context) error {
		return far.get(ctx, full, func(i int, value []byte) {
			size += len(value)
			e, err := unseal(value, full[i])
			if err != nil {
				n.counters.corrupt.Add(1)
				return
			}
			if n.generation.Load() == generation {
				n.near.set(keys[i], e, min(n.options.CopyTTL, n.usable(e, now)))
			}
			found(i, e)
		})
	})
	n.counters.redisRead.Add(uint64(size))
	if err != nil {
		n.counters.readErrors.Add(1)
	}
}

// full returns keys as they are in Redis. They are parts of one text, and not to be kept: each would keep all.
func (n *Namespace) full(keys []string) []string {
	size := 0
	for _, key := range keys {
		size += len(n.prefix) + len(key)
	}
	var b strings.Builder
	b.Grow(size)
	full := make([]string, len(keys))
	for i, key := range keys {
		start := b.Len()
		b.WriteString(n.prefix)
		b.WriteString(key)
		full[i] = b.String()[start:]
	}
	return full
}

// usable is for how long an entry may be used from now, stale or not.
func (n *Namespace) usable(e entry, now time.Time) time.Duration {
	// No longer than what is written now could be: the clock of who wrote it may be wrong.
	fresh := min(time.UnixMilli(e.fresh).Sub(now), max(n.options.TTL, n.options.AbsentTTL))
	if e.absent {
		return fresh
	}
	return fresh + n.options.Grace
}

// Set keeps a value. It takes the value over. What other replicas have in their processes under the same key stays there for CopyTTL at
// most; [Namespace.Delete] reaches them at once.
func (n *Namespace) Set(ctx context.Context, key string, value []byte) {
	n.SetMulti(ctx, []string{key}, [][]byte{value})
}

// SetMulti keeps the values of keys, which are as many. It takes the values over. Redis is written even when ctx has ended: the work is
// done and paid for.
func (n *Namespace) SetMulti(ctx context.Context, keys []string, values [][]byte) {
	if n == nil || len(keys) == 0 {
		return
	}
	entries := make([]entry, len(keys))
	for i := range keys {
		entries[i] = n.entry(values[i])
	}
	n.write(ctx, keys, entries, nil)
}

// entry makes an entry of a value, with a lifetime that varies by a tenth, so that what came together does not expire together.
func (n *Namespace) entry(value []byte) entry {
	if value == nil {
		value = []byte{}
	}
	return entry{value: value, fresh: time.Now().Add(spread(n.options.TTL)).UnixMilli()}
}

// spread makes a time up to a tenth shorter.
func spread(d time.Duration) time.Duration {
	return d - time.Duration(rand.Float64()*float64(d)/10) //nolint:gosec // no secret
}

// write keeps entries in both levels. Sealed, if it is not nil, holds them with room for what seal writes in front.
func (n *Namespace) write(ctx context.Context, keys []string, entries []entry, sealed [][]byte) {
	now := time.Now()
	for i, key := range keys {
		n.near.set(key, entries[i], n.usable(entries[i], now))
	}
	far := n.cache.far
	if far == nil || !far.writes.allow("") {
		return
	}
	full, lasts, size := n.full(keys), make([]time.Duration, len(keys)), 0
	if sealed == nil {
		sealed = make([][]byte, len(keys))
	}
	for i, e := range entries {
		lasts[i] = n.usable(e, now)
		if sealed[i] == nil {
			sealed[i] = make([]byte, sealSize+len(e.value))
			copy(sealed[i][sealSize:], e.value)
		}
		seal(sealed[i], full[i], e)
	}
	_, err := far.visit(context.WithoutCancel(ctx), far.writes, func(ctx context.Context) (err error) {
		size, err = far.set(ctx, full, sealed, lasts)
		return err
	})
	if err != nil {
		n.counters.writeErrors.Add(1)
	}
	n.counters.redisWritten.Add(uint64(size))
}
