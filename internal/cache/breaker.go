package cache

import (
	"sync"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/retry"
)

// breaker keeps requests away from a Redis that fails, so that they do not each wait for its timeout. After a failure it
// lets one request through when the pause is over; each further failure doubles the pause.
type breaker struct {
	pause retry.Backoff

	mu     sync.Mutex
	fails  int
	closed time.Time // no request before this time
	last   error
}

// newBreaker pauses 1 s after the first failure and at most 30 s.
func newBreaker() *breaker {
	return &breaker{pause: retry.Backoff{Base: time.Second, Cap: 30 * time.Second}}
}

// allow reports whether a request may go through now. While Redis is failing, it may for one request only: the others
// wait for the next pause to end.
func (b *breaker) allow() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.fails == 0 {
		return true
	}
	if time.Now().Before(b.closed) {
		return false
	}
	b.closed = time.Now().Add(b.pause.Delay(b.fails, nil))
	return true
}

// report notes how a request went, and reports whether that was news.
func (b *breaker) report(err error) (changed bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	changed = (err != nil) != (b.fails > 0)
	b.last = err
	if err == nil {
		b.fails = 0
		return changed
	}
	b.closed = time.Now().Add(b.pause.Delay(b.fails, nil))
	b.fails++
	return changed
}

// failure returns why the last request failed; nil when it did not.
func (b *breaker) failure() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.last
}
