package space

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/spaces"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// MaxPins is how many models are pinned at most: a server that answers to any name must not fill the bucket.
const MaxPins = 10_000

// broken is the length of what cannot be read.
const broken = -1

// Pins are the lengths of the vectors of all models, as they were first seen. They are shared by all replicas, in the KV bucket
// [events.BucketSpaces], and known by heart. Pins are safe for concurrent use.
type Pins struct {
	bus    *bus.Bus
	log    *slog.Logger
	source string
	most   int // [MaxPins]

	kv    atomic.Pointer[bus.KV]
	ready chan struct{}

	mu    sync.RWMutex
	known map[model]int // as the watch tells it; [broken]: it cannot be read
	told  map[model]told
	ended uint64        // how many of them were replaced, or forgotten
	seen  chan struct{} // closed, and made anew, when the watch has told something

	alarms alarms
}

// told is which model those who answer say that they have, as it is pinned.
type told struct {
	since  string
	served map[string]string // by who answers; it is not changed
}

// model is what is pinned.
type model struct{ name, revision string }

// New returns pins. source is that of the events, for example "/mlsdm/embedder". It asks nobody: [Pins.Run] does.
func New(b *bus.Bus, log *slog.Logger, source string) *Pins {
	return &Pins{
		bus: b, log: log, source: source, most: MaxPins, ready: make(chan struct{}), known: make(map[model]int), told: make(map[model]told),
		seen: make(chan struct{}), alarms: newAlarms(),
	}
}

// Ready is closed when everything that is pinned has been read.
func (p *Pins) Ready() <-chan struct{} { return p.ready }

// Run keeps up with what is pinned and publishes events, until ctx ends; then it publishes what is left, for some seconds, and returns
// nil. An error means that the connection is closed for good.
func (p *Pins) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var telling sync.WaitGroup
	telling.Go(func() { p.tell(ctx) })
	defer telling.Wait()
	defer cancel()
	kv, ok := p.open(ctx)
	if !ok {
		return nil
	}
	return kv.Watch(ctx, ">", func() { close(p.ready) }, func(e bus.KVEntry) { p.see(ctx, e) })
}

// open opens the bucket, as soon as that can be done. It is false when ctx has ended.
func (p *Pins) open(ctx context.Context) (*bus.KV, bool) {
	const pause = time.Second
	for said := false; ; said = true {
		kv, err := p.bus.KV(ctx, events.BucketSpaces)
		if err == nil {
			p.kv.Store(kv)
			return kv, true
		}
		if !said && ctx.Err() == nil {
			p.log.WarnContext(ctx, "the pinned lengths of vectors cannot be read; the service is not ready until they can", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil, false
		case <-time.After(pause):
		}
	}
}

// Dimensions returns the pinned length of a model's vectors, 0 if none is known here. It asks nobody.
func (p *Pins) Dimensions(name, revision string) int {
	return max(p.look(model{name, revision}), 0)
}

func (p *Pins) look(m model) int {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.known[m]
}

// see takes what the watch tells.
func (p *Pins) see(ctx context.Context, e bus.KVEntry) {
	name, revision, ok := spaces.ParseKey(e.Key)
	if !ok {
		if !e.Deleted {
			p.log.WarnContext(ctx, "a key in the bucket of pinned lengths is not that of a model; it is ignored", "key", e.Key)
		}
		return
	}
	m, now, served := model{name, revision}, 0, told{}
	if !e.Deleted {
		now, served = p.decode(ctx, e.Key, e.Value)
	}
	p.mu.Lock()
	close(p.seen)
	p.seen = make(chan struct{})
	if since := p.told[m].since; since != "" && since != served.since {
		p.ended++
	}
	if served.since == "" {
		delete(p.told, m)
	} else {
		p.told[m] = served
	}
	before := p.known[m]
	if now == 0 {
		delete(p.known, m)
	} else {
		p.known[m] = now
	}
	p.mu.Unlock()
	if before != 0 && before != now {
		p.log.InfoContext(ctx, "the pinned length of vectors was changed", "model", spaces.Name(name, revision), "before", before, "now", now)
	}
}

// decode reads a value. One that cannot be read is not taken for none: what was pinned there is unknown.
func (p *Pins) decode(ctx context.Context, key string, value []byte) (dimensions int, served told) {
	pin, err := spaces.Decode(key, value)
	if err != nil {
		p.log.ErrorContext(ctx, "a pinned length of vectors cannot be read; the model is refused until it is set or removed", "key", key, "err", err)
		return broken, told{}
	}
	if len(pin.Served) > 0 {
		served = told{pin.PinnedAt.UTC().Format(time.RFC3339Nano), pin.Served}
	}
	return pin.Dimensions, served
}
