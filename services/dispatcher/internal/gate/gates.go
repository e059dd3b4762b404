package gate

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
)

// limitsSuffix ends the keys of what is shared out; an endpoint's id has no dot.
const limitsSuffix = ".limits"

// tendEvery is how often places are renewed and given back.
const tendEvery = time.Second

// Gates are the gates of all endpoints of one replica. Make them with [New]; [Gates.Run] makes them work.
type Gates struct {
	kv      bucket
	replica string
	workers int
	policy  Policy
	log     *slog.Logger

	inFlight atomic.Int64 // attempts of this replica
	late     atomic.Int64 // of these, those of Limits.Late
	patient  atomic.Int64 // those who wait longer than Policy.Patience for a place

	mu  sync.RWMutex
	all map[string]*gate
}

// New returns gates over a bucket. The replica is a name that no other replica has; workers is how many attempts it makes at
// a time.
func New(kv bucket, replica string, workers int, policy Policy, log *slog.Logger) *Gates {
	return &Gates{kv: kv, replica: replica, workers: workers, policy: policy, log: log, all: make(map[string]*gate)}
}

// Run follows what other replicas write, until ctx ends. The function ready is called when all that is there has been seen.
// Then it gives back the places that it holds.
func (g *Gates) Run(ctx context.Context, ready func()) error {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		g.tend(ctx)
	}()
	err := g.kv.Watch(ctx, ">", ready, g.see)
	cancel()
	<-done
	return err
}

// see takes one change of the bucket.
func (g *Gates) see(e bus.KVEntry) {
	id, isLimits := strings.CutSuffix(e.Key, limitsSuffix)
	if strings.Contains(id, ".") {
		return // not of a gate
	}
	at, ok := g.find(id)
	if !ok {
		if e.Deleted {
			return // nothing was known of it
		}
		at = g.of(id)
	}
	if isLimits {
		at.limits.see(e)
		return
	}
	if at.health.see(e) {
		at.healthChanged()
	}
	if e.Deleted {
		g.drop(id, at)
	}
}

// drop lets go of the gate of an endpoint that is gone. Attempts that are on their way know it still; another endpoint of the
// same id gets another gate.
func (g *Gates) drop(id string, at *gate) {
	g.mu.Lock()
	defer g.mu.Unlock()
	at.mu.Lock()
	defer at.mu.Unlock()
	at.gone = true
	delete(g.all, id)
}

// find returns the gate of an endpoint, if anybody has asked for it.
func (g *Gates) find(id string) (*gate, bool) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	at, ok := g.all[id]
	return at, ok
}

// of returns the gate of an endpoint.
func (g *Gates) of(id string) *gate {
	at, ok := g.find(id)
	if ok {
		return at
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if at, ok = g.all[id]; ok {
		return at
	}
	at = newGate(g, id)
	g.all[id] = at
	return at
}

// Health returns how an endpoint does.
func (g *Gates) Health(id string) Health {
	at, ok := g.find(id)
	if !ok {
		return Health{}
	}
	return at.health.get()
}

// Disabled returns the endpoints that are disabled, by id.
func (g *Gates) Disabled() map[string]Health {
	g.mu.RLock()
	defer g.mu.RUnlock()
	disabled := make(map[string]Health)
	for id, at := range g.all {
		if h := at.health.get(); h.Disabled {
			disabled[id] = h
		}
	}
	return disabled
}

// Forget removes what is known of an endpoint that is gone.
func (g *Gates) Forget(ctx context.Context, id string) error {
	for _, key := range []string{id, id + limitsSuffix} {
		if err := g.kv.Delete(ctx, key, 0); err != nil {
			return err
		}
	}
	return nil
}

// tend renews and gives back the places of this replica at intervals, until ctx ends; then it gives all back.
func (g *Gates) tend(ctx context.Context) {
	ticker := time.NewTicker(tendEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			g.each(func(at *gate) { at.tend(ctx) })
		case <-ctx.Done():
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tendEvery)
			defer cancel()
			g.each(func(at *gate) { at.giveBack(ctx) })
			return
		}
	}
}

// each calls f for the gates that hold places.
func (g *Gates) each(f func(*gate)) {
	g.mu.RLock()
	holding := make([]*gate, 0, len(g.all))
	for _, at := range g.all {
		if at.holds() {
			holding = append(holding, at)
		}
	}
	g.mu.RUnlock()
	for _, at := range holding {
		f(at)
	}
}
