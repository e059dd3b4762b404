package cache

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/retry"
)

// A breaker that has just closed and opens again was closed too soon: until it has been closed for this long, its pauses grow on.
const settledAfter = 30 * time.Second

// probePause is between the probes of a Redis that fails.
func probePause() retry.Backoff {
	return retry.Backoff{Base: 100 * time.Millisecond, Cap: 5 * time.Second}
}

// breaker keeps one kind of visits away from a Redis that fails them: one failure opens it, and no request waits for Redis until a
// probe, which nobody waits for, has found that such visits work again. Reads and writes have one each, for a Redis that is full
// answers the ones and refuses the others.
type breaker struct {
	what  string // reads or writes
	node  string // of a Cluster; empty for all of Redis
	probe func(context.Context) error
	every retry.Backoff
	log   *slog.Logger

	mu      sync.Mutex
	stop    context.CancelFunc // of the probes, while it is open
	open    bool
	ended   bool
	pauses  int       // how many were made since it was last settled
	changed time.Time // when it opened or closed
	last    error     // why it is open
	probes  sync.WaitGroup
}

// newBreaker returns one that is closed.
func newBreaker(what string, probe func(context.Context) error, log *slog.Logger) *breaker {
	return &breaker{what: what, probe: probe, every: probePause(), log: log}
}

// allow reports whether a visit may be made now.
func (b *breaker) allow() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return !b.open && !b.ended
}

// fail notes a visit that failed, and opens the breaker.
func (b *breaker) fail(ctx context.Context, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.last = err
	if b.open || b.ended {
		return
	}
	now := time.Now()
	if now.Sub(b.changed) > settledAfter {
		b.pauses = 0
	}
	b.open, b.changed = true, now
	if b.node == "" {
		b.log.WarnContext(ctx, "redis fails; working with the in-process cache alone", "operation", b.what, "err", err)
	} else {
		b.log.WarnContext(ctx, "a node of redis fails; working with the in-process cache alone for what it has", "operation", b.what,
			"node", b.node, "err", err)
	}
	probing, stop := context.WithCancel(context.WithoutCancel(ctx))
	b.stop = stop
	b.probes.Go(func() { b.run(probing) })
}

// run probes until a probe succeeds or ctx ends.
func (b *breaker) run(ctx context.Context) {
	for {
		b.mu.Lock()
		pause := b.every.Delay(b.pauses, nil)
		b.pauses++
		b.mu.Unlock()
		wait := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			wait.Stop()
			return
		case <-wait.C:
		}
		if b.try(ctx) {
			return
		}
	}
}

// try makes one probe, and reports whether there is nothing more to probe.
func (b *breaker) try(ctx context.Context) (done bool) {
	err := b.probe(ctx)
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case !b.open || b.ended || ctx.Err() != nil:
		return !b.open || b.ended
	case err != nil && !errors.Is(err, errGone):
		b.last = err
		return false
	}
	now := time.Now()
	after := now.Sub(b.changed).Round(time.Millisecond)
	switch {
	case b.node == "":
		b.log.InfoContext(ctx, "redis works again", "operation", b.what, "after", after)
	case err == nil:
		b.log.InfoContext(ctx, "a node of redis works again", "operation", b.what, "node", b.node, "after", after)
	default:
		b.log.InfoContext(ctx, "other nodes of redis have what one had that failed", "operation", b.what, "node", b.node, "after", after)
	}
	b.open, b.last, b.changed = false, nil, now
	b.stop()
	return true
}

// failure returns why the breaker is open; nil when it is not.
func (b *breaker) failure() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.last
}

// settled reports whether it has been closed for so long that nothing is to be remembered of it.
func (b *breaker) settled(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return !b.open && now.Sub(b.changed) > settledAfter
}

// close ends the probes.
func (b *breaker) close() {
	b.mu.Lock()
	b.ended = true
	if b.stop != nil {
		b.stop()
	}
	b.mu.Unlock()
	b.probes.Wait()
}
