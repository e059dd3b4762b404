package dispatcher

import (
	"context"
	"sync"
	"time"
)

// How what comes back to endpoints that are held back is kept apart: so far, unless that would take longer than paceMost.
const (
	paceEvery = time.Millisecond
	paceMost  = 100 * time.Millisecond // well below the quarter of a second after which the scheduler releases the next
)

// pace keeps apart what the scheduler released at one moment to endpoints that are held back. Nearly all of it only goes back to
// wait, and all of it at once would take the processor from what healthy endpoints are about to get. The zero value is ready.
type pace struct {
	mu   sync.Mutex
	next time.Time
}

// wait waits for its turn. When there are so many that turns are far away it does not: what waits for its second attempt at an
// endpoint that works is behind them.
func (p *pace) wait(ctx context.Context) {
	now := time.Now()
	p.mu.Lock()
	at := p.next
	if at.Before(now) {
		at = now
	}
	if at.Sub(now) > paceMost {
		p.mu.Unlock()
		return
	}
	p.next = at.Add(paceEvery)
	p.mu.Unlock()
	if at.Equal(now) {
		return
	}
	timer := time.NewTimer(at.Sub(now))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
