package gate

import (
	"context"
	"sync"
	"time"
)

// ledger gives out places under a rate. Those who ask while one change of the bucket is on its way share the next.
type ledger struct {
	turn sync.Mutex // held by who changes the bucket

	mu   sync.Mutex
	open *batch
}

// batch is some who ask together.
type batch struct {
	n    int
	done chan struct{}
	due  []time.Time
	err  error
}

// reserve returns the time of the next free place under the rate, which may be past.
func (l *ledger) reserve(ctx context.Context, shared *cell[limits], settings Limits) (time.Time, error) {
	l.mu.Lock()
	b := l.open
	if b == nil {
		b = &batch{done: make(chan struct{})}
		l.open = b
	}
	place := b.n
	b.n++
	l.mu.Unlock()
	if place == 0 {
		l.lead(ctx, b, shared, settings)
	}
	<-b.done // the leader's work ends with the leader's context
	if b.err != nil {
		return time.Time{}, b.err
	}
	return b.due[place], nil
}

// lead reserves for all of a batch.
func (l *ledger) lead(ctx context.Context, b *batch, shared *cell[limits], settings Limits) {
	l.turn.Lock()
	defer l.turn.Unlock()
	l.mu.Lock()
	l.open = nil // from here on, who comes is for the next
	n := b.n
	l.mu.Unlock()
	defer close(b.done)
	_, b.err = shared.update(ctx, func(s limits) (limits, bool) {
		b.due, s.Next = slots(s.Next, time.Now(), settings, n)
		return s, true
	})
}

// slots gives out n places: next is when the one after those that were given out before is due. It is the generic cell rate
// algorithm (ITU-T I.371, virtual scheduling), which waits where that would refuse.
func slots(next, now time.Time, settings Limits, n int) ([]time.Time, time.Time) {
	const longest = 24 * time.Hour // and not what overflows
	interval := time.Duration(min(float64(time.Second)/settings.Rate, float64(longest)))
	tolerance := interval * time.Duration(max(settings.Burst, 1)-1)
	due := make([]time.Time, n)
	for i := range due {
		if next.Before(now) {
			next = now
		}
		due[i] = next.Add(-tolerance)
		next = next.Add(interval)
	}
	return due, next
}
