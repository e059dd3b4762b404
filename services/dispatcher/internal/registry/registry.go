package registry

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/target"
)

// Registry is the endpoints of one replica. Make one with [New] and keep it up to date with [Registry.Run]. It is safe for
// concurrent use.
type Registry struct {
	cfg     Config
	log     *slog.Logger
	clients *clients
	static  map[string]bool // ids

	set    atomic.Pointer[target.Set]
	loaded chan struct{}
	wake   chan struct{} // there is something to publish
	work   chan struct{} // there is something to ask for

	mu      sync.Mutex
	bucket  *bus.KV
	entries map[string]*entry
	changes map[string]struct{} // ids whose endpoints in the set are not those of the entries
	queue   []*entry            // to be asked for
	seen    uint64              // the revision of the bucket that was heard of last
	shown   uint64              // that which the set shows, but for endpoints that wait for their secrets
	news    chan struct{}       // closed when the set changes
}

// entry is one endpoint of the bucket. Its record never changes: a change of the endpoint is another entry.
type entry struct {
	record   record
	revision uint64
	stored   time.Time // zero once it was told that the set shows it
	remote   bool      // it refers to secrets that can change
	queued   bool
	again    bool // one of its secrets was rotated while it was queued
	compiled
	broken   error     // why compiled.endpoint cannot send
	failures int       // to get its secrets, in a row
	due      time.Time // when its secrets are to be asked for again
}

// New makes a Registry whose set holds the static endpoints; the others come with [Registry.Run].
func New(cfg Config) *Registry {
	cfg = cfg.withDefaults()
	r := &Registry{
		cfg: cfg, log: cfg.Logger, clients: newClients(cfg.Client), static: make(map[string]bool, len(cfg.Static)),
		loaded: make(chan struct{}), wake: make(chan struct{}, 1), work: make(chan struct{}, 1),
		entries: map[string]*entry{}, changes: map[string]struct{}{}, news: make(chan struct{}),
	}
	for _, e := range cfg.Static {
		r.static[e.ID()] = true
	}
	set := target.NewSet(cfg.Static...)
	r.set.Store(&set)
	return r
}

// Set returns the endpoints as they are now. It costs nothing.
func (r *Registry) Set() target.Set { return *r.set.Load() }

// Loaded is closed when the set holds what was in the bucket when Run began. Events that are routed before miss endpoints.
func (r *Registry) Loaded() <-chan struct{} { return r.loaded }

// Run follows the bucket until ctx ends, and returns nil then. An error means that there is no such bucket, or that the bus
// is not usable. It is called once.
func (r *Registry) Run(ctx context.Context) error {
	bucket, err := r.cfg.Bus.KV(ctx, events.BucketEndpoints)
	if err != nil {
		return err
	}
	r.mu.Lock()
	r.bucket = bucket
	r.mu.Unlock()
	group, running := errgroup.WithContext(ctx)
	group.Go(func() error {
		ready := func() { group.Go(func() error { r.finishLoading(running); return nil }) }
		return bucket.Watch(running, ">", ready, func(e bus.KVEntry) { r.changed(running, e) })
	})
	group.Go(func() error { r.publish(running); return nil })
	group.Go(func() error { r.askAll(running); return nil })
	group.Go(func() error { r.keepFresh(running); return nil })
	return group.Wait()
}
