// Package cache keeps what was expensive to make: a bounded store in the process, in front of a Redis that all replicas share.
//
// A cache may forget, it must never fail a request: when Redis is down, slow, full, or full of nonsense, the process works with its own
// store alone, says so in its health, and comes back by itself. What is in Redis is checked like any other input: a value carries its
// version and a checksum over its key and itself, and nothing of it is ever run. Keys hold no text that a user wrote, only its hash.
//
// What belongs together has a [Namespace], with its own lifetime, its own part of the memory and its own statistics.
package cache

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// maxNamespaces bounds the labels of the metrics.
const maxNamespaces = 32

// Cache is the cache of a process. Make one with [New]. A nil *Cache is always empty, and so are its namespaces.
type Cache struct {
	cfg    Config
	far    *far // nil: there is none
	log    *slog.Logger
	origin string // names this cache in what it tells other replicas

	mu     sync.RWMutex
	spaces map[string]*Namespace
	others Invalidations // nil: there are none to tell

	ctx     context.Context // of what goes on in the background
	stop    context.CancelFunc
	sampler sync.WaitGroup
}

// New makes the cache that cfg describes; nil when it describes none. Nothing is connected yet: a Redis that is not there makes
// the cache degraded, not absent. The metrics are registered with reg unless it is nil.
func New(cfg Config, log *slog.Logger, reg prometheus.Registerer) (*Cache, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.MemoryMB == 0 {
		return nil, nil //nolint:nilnil // no cache is a choice, not an error; a nil *Cache is an empty cache
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	ctx, stop := context.WithCancel(context.Background())
	c := &Cache{cfg: cfg, log: log, origin: newToken(), spaces: make(map[string]*Namespace), ctx: ctx, stop: stop}
	if cfg.shared() {
		var err error
		if c.far, err = newFar(cfg, log); err != nil {
			stop()
			return nil, err
		}
		log.DebugContext(ctx, "the cache is shared through redis", "kind", cfg.kind(), "addrs", cfg.addrs())
	} else {
		log.InfoContext(ctx, "no redis is configured: this process has a cache of its own, which ends with it")
	}
	if reg != nil {
		if err := reg.Register(collector{c}); err != nil {
			stop()
			return nil, errors.Join(fmt.Errorf("cache metrics: %w", err), c.Close())
		}
	}
	c.sampler.Go(func() { c.sample(ctx) })
	return c, nil
}

// Namespace adds a namespace. Its name is 1 to 32 of a-z 0-9 -, and is used once. Of a nil cache the namespace is nil, and always
// empty.
func (c *Cache) Namespace(name string, o Options) (*Namespace, error) {
	if !regexp.MustCompile(`^[a-z0-9-]{1,32}$`).MatchString(name) {
		return nil, fmt.Errorf("cache namespace %q: a name is 1 to 32 of a-z 0-9 -", name)
	}
	if c == nil {
		return nil, nil //nolint:nilnil // a nil *Namespace is always empty
	}
	o = o.withDefaults(c.cfg)
	if err := o.validate(); err != nil {
		return nil, fmt.Errorf("cache namespace %s: %w", name, err)
	}
	near, err := newMemory(o.MaxBytes)
	if err != nil {
		return nil, err
	}
	n := &Namespace{cache: c, name: name, prefix: "mlsdm:" + name + ":", options: o, near: near}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.spaces[name] != nil || len(c.spaces) >= maxNamespaces {
		near.close()
		return nil, fmt.Errorf("cache namespace %s is there already, or is one more than the %d that there may be", name, maxNamespaces)
	}
	c.spaces[name] = n
	return n, nil
}

// namespaces returns those that there are, by name.
func (c *Cache) namespaces() []*Namespace {
	c.mu.RLock()
	defer c.mu.RUnlock()
	all := make([]*Namespace, 0, len(c.spaces))
	for _, n := range c.spaces {
		all = append(all, n)
	}
	slices.SortFunc(all, func(a, b *Namespace) int { return strings.Compare(a.name, b.name) })
	return all
}

// named returns a namespace; nil when there is none of that name.
func (c *Cache) named(name string) *Namespace {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.spaces[name]
}

// ErrNoNamespace is wrapped by the error of [Cache.Clear] when there is no namespace of that name.
var ErrNoNamespace = errors.New("no such namespace of the cache")

// Clear forgets all that a namespace holds, here, in Redis and at the other replicas, and returns how many entries it was in Redis; in
// the process when there is no Redis. With an error, some may be left.
func (c *Cache) Clear(ctx context.Context, namespace string) (int, error) {
	if c == nil {
		return 0, fmt.Errorf("%w: %q; the cache is off", ErrNoNamespace, namespace)
	}
	n := c.named(namespace)
	if n == nil {
		return 0, fmt.Errorf("%w: %q", ErrNoNamespace, namespace)
	}
	return n.DeletePrefix(ctx, "")
}

// Check asks Redis whether it is there; the error says why the cache is only half of what it should be. It is nil when there is no
// Redis to ask.
func (c *Cache) Check(ctx context.Context) error {
	if c == nil || c.far == nil {
		return nil
	}
	for _, b := range []*breakers{c.far.reads, c.far.writes} {
		if err := c.far.check(ctx, b); err != nil {
			return fmt.Errorf("the cache is not shared (%s): %w", b.all.what, err)
		}
	}
	return nil
}

// Close ends the connections and goroutines of the cache.
func (c *Cache) Close() error {
	if c == nil {
		return nil
	}
	c.stop()
	c.sampler.Wait()
	for _, n := range c.namespaces() {
		n.near.close()
	}
	if c.far == nil {
		return nil
	}
	return c.far.close()
}

// samplePeriod is between two looks at the counters.
const samplePeriod = 5 * time.Second

// sample notes the counters of all namespaces now and then, so that there are rates of the last minute and hour.
func (c *Cache) sample(ctx context.Context) {
	tick := time.NewTicker(samplePeriod)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			for _, n := range c.namespaces() {
				n.rates.note(n.counters.hits())
			}
		}
	}
}
