package watch

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/lease"
)

// tick is how often it is looked for what is due without news: what waits to settle, and what has become stale.
const tick = time.Second

// leader is what a replica does with a shard that it leads: it takes in what is told of the shard's repositories, and what polls find, writes
// their states, tells of their transitions, and recovers them. Nobody else does, as long as the lease is valid.
type leader struct {
	*Watch
	lease lease.Lease
	since time.Time       // when it began to lead
	ctx   context.Context //nolint:containedctx // it is the lease: polls are made by the replica, and end with whose repository it is

	mu    sync.Mutex // held while a state is changed
	known map[string]stored
	waits map[string][]string // by repository, the commands that wait for the next poll
	acts  map[string]attempts // by key, recoveries that are being done
	// leaving says that no recovery is begun any more, and left that no state is changed: the lease is given back.
	leaving, left bool
	acting        sync.WaitGroup // recoveries that are being done
	book          *book
}

// lead leads a shard until ctx ends.
func (w *Watch) lead(ctx context.Context, held lease.Lease) {
	l := &leader{
		Watch: w, lease: held, since: time.Now(), ctx: ctx, known: map[string]stored{}, waits: map[string][]string{},
		acts: map[string]attempts{}, book: newBook(),
	}
	w.log.InfoContext(ctx, "leading a part of the repositories", "shard", held.Shard, "fence", held.Fence)
	w.replace(held.Shard, l)
	defer w.replace(held.Shard, nil)
	group, running := errgroup.WithContext(ctx)
	group.Go(func() error { return l.consume(running) })
	group.Go(func() error { return l.settle(running) })
	if err := group.Wait(); err != nil && ctx.Err() == nil {
		w.log.ErrorContext(ctx, "a part of the repositories is given back", "shard", held.Shard, "err", err)
	}
	l.leave()
}

// leave waits for whoever still recovers something or changes a state, of a poll, and lets nobody begin: the next leader is to find it done.
func (l *leader) leave() {
	l.mu.Lock()
	l.leaving = true
	l.mu.Unlock()
	l.acting.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.left = true
}

// consume takes in sightings.
func (l *leader) consume(ctx context.Context) error {
	return l.bus.Consume(ctx, bus.ConsumeConfig{
		Stream: l.bus.Subjects().StreamName(events.StreamSightings), Durable: events.ConsumerSightings(l.lease.Shard),
		Workers: 1, Prefetch: 64, MaxAttempts: -1, DrainTimeout: l.cfg.Drain,
	}, l.take)
}

// settle does what is due without news, until ctx ends.
func (l *leader) settle(ctx context.Context) error {
	ticker := time.NewTicker(min(tick, max(l.cfg.Settle, 10*time.Millisecond)))
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			l.advanceDue(ctx, time.Now())
		}
	}
}

// recall returns a state with its revision: as this leader wrote it last or, the first time, as it is in the bucket, where the leader before
// may have written it a moment ago. It may even do so after that, with what it had sent while it was leader; the bucket then tells. A workflow that
// was never seen has revision 0.
func (l *leader) recall(ctx context.Context, key string) (stored, error) {
	if known, ok := l.known[key]; ok && !l.view.newer(key, known.revision) {
		return known, nil
	}
	return l.reread(ctx, key)
}
