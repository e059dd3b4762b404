package telemetry

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

const (
	queueSize = 2048
	batchSize = 512
	// sendEvery is how long a batch that is not full waits for more.
	sendEvery = time.Second
	// sendTimeout bounds the sending of a batch, with what is tried again.
	sendTimeout = 10 * time.Second
	// shortestRest and longestRest bound how long nothing is recorded after a batch was not taken; each time it is twice as long.
	shortestRest = 5 * time.Second
	longestRest  = time.Minute
	// probes is how much is recorded after that, to see whether it is taken now.
	probes = 64
)

// queue sends what it is given, in batches. It never holds up who gives it something: what finds no place is dropped. While its
// sending does not work it rests: nothing should be recorded for it then.
type queue[T any] struct {
	items   chan T
	send    func(context.Context, []T) error
	dropped func(n int)
	failed  func(error)

	resting  atomic.Bool
	probes   atomic.Int64 // what is let in before it is known whether it is taken; negative for no bound
	stopping chan struct{}
	stopOnce sync.Once
	done     chan struct{}
	ctx      context.Context //nolint:containedctx // that of all sending, which ends when the stop takes too long
	cancel   context.CancelFunc

	rest    time.Duration // run's alone, as the next one
	restEnd time.Time
}

// newQueue starts a queue. send must end with its context; dropped and failed are told what is lost and why.
func newQueue[T any](send func(context.Context, []T) error, dropped func(n int), failed func(error)) *queue[T] {
	ctx, cancel := context.WithCancel(context.Background()) //nolint:gosec // run calls it
	q := &queue[T]{
		items: make(chan T, queueSize), send: send, dropped: dropped, failed: failed,
		stopping: make(chan struct{}), done: make(chan struct{}), ctx: ctx, cancel: cancel, rest: shortestRest,
	}
	q.probes.Store(-1)
	go q.run()
	return q
}

// add gives the queue something to send, or drops it.
func (q *queue[T]) add(item T) {
	if q.resting.Load() {
		q.dropped(1)
		return
	}
	select {
	case q.items <- item:
		if q.probes.Load() > 0 && q.probes.Add(-1) == 0 {
			q.resting.Store(true)
		}
	default:
		q.resting.Store(true) // until there is room
		q.dropped(1)
	}
}

// run sends until it is stopped, then what is left.
func (q *queue[T]) run() {
	defer close(q.done)
	defer q.cancel()
	tick := time.NewTicker(sendEvery)
	defer tick.Stop()
	batch := make([]T, 0, batchSize)
	for {
		select {
		case item := <-q.items:
			if batch = append(batch, item); len(batch) == batchSize {
				batch = q.flush(batch)
			}
		case <-tick.C:
			batch = q.flush(batch)
			q.wake()
		case <-q.stopping:
			for len(q.items) > 0 {
				if batch = append(batch, <-q.items); len(batch) == batchSize {
					batch = q.flush(batch)
				}
			}
			q.flush(batch)
			return
		}
	}
}

// flush sends a batch and returns an empty one.
func (q *queue[T]) flush(batch []T) []T {
	if len(batch) == 0 {
		return batch
	}
	ctx, cancel := context.WithTimeout(q.ctx, sendTimeout)
	err := q.send(ctx, batch)
	cancel()
	if err == nil {
		q.rest, q.restEnd = shortestRest, time.Time{}
		q.probes.Store(-1)
	} else {
		q.failed(err)
		q.resting.Store(true)
		q.restEnd = time.Now().Add(q.rest)
		q.rest = min(2*q.rest, longestRest)
		lost := len(batch)
		for len(q.items) > 0 { // it would not be taken either
			<-q.items
			lost++
		}
		q.dropped(lost)
	}
	clear(batch)
	return batch[:0]
}

// wake ends a rest whose time has come.
func (q *queue[T]) wake() {
	if !q.resting.Load() || len(q.items) > queueSize/2 || time.Now().Before(q.restEnd) {
		return
	}
	if !q.restEnd.IsZero() && q.probes.Load() <= 0 {
		q.probes.Store(probes)
	}
	q.resting.Store(false)
}

// close sends what is left, until ctx ends.
func (q *queue[T]) close(ctx context.Context) error {
	q.stopOnce.Do(func() { close(q.stopping) })
	select {
	case <-q.done:
		return nil
	case <-ctx.Done():
		q.cancel()
		return ctx.Err()
	}
}
