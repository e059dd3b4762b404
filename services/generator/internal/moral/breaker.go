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
	probe    *entry // that is under way
}

// entry is the right to ask once.
type entry struct{ breaker *breaker }

// enter returns how long the scorer is to be left alone; 0 lets a request pass, whose entry then ends with worked or failed, or with
// leave in any case.
func (b *breaker) enter(now time.Time) (*entry, time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := &entry{b}
	if b.pause == 0 {
		return e, 0
	}
	if wait := b.until.Sub(now); wait > 0 {
		return nil, wait
	}
	if b.probe != nil {
		return nil, time.Second // about when the probe's outcome is known
	}
	b.probe = e
	return e, 0
}

// leave ends a request that says nothing of the scorer. After worked and failed it does nothing.
func (e *entry) leave() {
	e.breaker.mu.Lock()
	defer e.breaker.mu.Unlock()
	e.release()
}

// release lets another probe pass if this was the one, and reports whether it was. The lock is held.
func (e *entry) release() bool {
	if e.breaker.probe != e {
		return false
	}
	e.breaker.probe = nil
	return true
}

// worked ends a request that had a score. It reports whether that closes the breaker.
func (e *entry) worked() bool {
	b := e.breaker
	b.mu.Lock()
	defer b.mu.Unlock()
	closes := b.pause > 0
	b.failures, b.pause, b.probe = 0, 0, nil
	return closes
}

// failed ends a request that had none; until is when the scorer says that it can be asked again, zero if it does not. It reports
// whether that opens a breaker that was closed.
func (e *entry) failed(now, until time.Time) bool {
	b := e.breaker
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failures++
	wasProbe := e.release()
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
