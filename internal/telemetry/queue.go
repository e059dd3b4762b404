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
// sending does not work it rests: nothing should be recorded for it then. Who gives it something wakes nobody unless a batch is full:
// a goroutine that is woken for each span costs more than the span.
type queue[T any] struct {
	mu      sync.Mutex
	items   []T           // what waits, queueSize at most
	spare   []T           // run's alone: what items becomes when they are taken
	full    chan struct{} // there is a batch
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
		items: make([]T, 0, batchSize), spare: make([]T, 0, batchSize), full: make(chan struct{}, 1), send: send, dropped: dropped, failed: failed,
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
	q.mu.Lock()
	waiting := len(q.items)
	if waiting < queueSize {
		q.items = append(q.items, item)
	}
	q.mu.Unlock()
	if waiting == queueSize {
		q.resting.Store(true) // until there is room
		q.dropped(1)
		return
	}
	if q.probes.Load() > 0 && q.probes.Add(-1) == 0 {
		q.resting.Store(true)
	}
	if waiting+1 == batchSize {
		select {
		case q.full <- struct{}{}:
		default:
		}
	}
}

// waiting is how much waits.
func (q *queue[T]) waiting() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.items)
}

// take takes all that waits.
func (q *queue[T]) take() []T {
	q.mu.Lock()
	defer q.mu.Unlock()
	taken := q.items
	q.items, q.spare = q.spare, nil
	return taken
}

// run sends until it is stopped, then what is left.
func (q *queue[T]) run() {
	defer close(q.done)
	defer q.cancel()
	tick := time.NewTicker(sendEvery)
	defer tick.Stop()
	for {
		select {
		case <-q.full:
			q.flush()
		case <-tick.C:
			q.flush()
			q.wake()
		case <-q.stopping:
			q.flush()
			return
		}
	}
}

// flush sends what waits, a batch at a time, until one is not taken.
func (q *queue[T]) flush() {
	taken := q.take()
	for sent := 0; sent < len(taken); sent += batchSize {
		if q.deliver(taken[sent:min(sent+batchSize, len(taken))]) {
			continue
		}
		q.dropped(len(taken) - sent + len(q.take())) // the rest would not be taken either
		break
	}
	clear(taken)
	q.spare = taken[:0]
}

// deliver sends a batch, and reports whether it was taken.
func (q *queue[T]) deliver(batch []T) bool {
	ctx, cancel := context.WithTimeout(q.ctx, sendTimeout)
	err := q.send(ctx, batch)
	cancel()
	if err == nil {
		q.rest, q.restEnd = shortestRest, time.Time{}
		q.probes.Store(-1)
		return true
	}
	q.failed(err)
	q.resting.Store(true)
	q.restEnd = time.Now().Add(q.rest)
	q.rest = min(2*q.rest, longestRest)
	return false
}

// wake ends a rest whose time has come.
func (q *queue[T]) wake() {
	if !q.resting.Load() || q.waiting() > queueSize/2 || time.Now().Before(q.restEnd) {
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
