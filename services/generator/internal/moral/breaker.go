package moral

import (
	"sync"
	"time"
)

// When the breaker opens, and for how long.
const (
	breakAfter   = 5 // failures in a row
	breakFor     = 5 * time.Second
	breakForMost = time.Minute
)

// breaker keeps requests from waiting for a scorer that fails. After some failures in a row it is open for a while, then one probe
// passes: if that fails, it is open for twice as long.
type breaker struct {
	mu       sync.Mutex
	failures int
	pause    time.Duration // 0: closed
	until    time.Time
	probing  bool
}

// enter returns how long the scorer is to be left alone; 0 lets a request pass, which then ends with leave, worked or failed.
func (b *breaker) enter(now time.Time) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.pause == 0 {
		return 0
	}
	if wait := b.until.Sub(now); wait > 0 {
		return wait
	}
	if b.probing {
		return time.Second // about when the probe's outcome is known
	}
	b.probing = true
	return 0
}

// leave ends a request that says nothing of the scorer.
func (b *breaker) leave() {
	b.mu.Lock()
	b.probing = false
	b.mu.Unlock()
}

// worked ends a request that had a score. It reports whether that closes the breaker.
func (b *breaker) worked() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	closes := b.pause > 0
	b.failures, b.pause, b.probing = 0, 0, false
	return closes
}

// failed ends a request that had none; until is when the scorer says that it can be asked again, zero if it does not. It reports
// whether that opens a breaker that was closed.
func (b *breaker) failed(now, until time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failures++
	wasProbe := b.probing
	b.probing = false
	switch {
	case b.pause == 0 && b.failures >= breakAfter:
		b.pause = breakFor
	case b.pause > 0 && wasProbe:
		b.pause = min(2*b.pause, breakForMost)
	default: // not yet, or a request that was on its way when it opened
		return false
	}
	b.until = now.Add(b.pause)
	if until.After(b.until) {
		b.until = now.Add(min(until.Sub(now), breakForMost))
	}
	return !wasProbe
}
