package gate

import "time"

// Policy is the numbers that the gates of all endpoints share.
type Policy struct {
	// Failures is how many attempts in a row must fail before the breaker opens.
	Failures int
	// OpenBase is how long it stays open the first time; it doubles with each probe that fails, up to OpenCap.
	OpenBase, OpenCap time.Duration
	// DisableAfter is how long an endpoint may fail without one success before it is disabled.
	DisableAfter time.Duration
	// NoteAfter is how long refusals must last before they are written down as failing.
	NoteAfter time.Duration
	// Spacing is the time between two deliveries that come back to an endpoint that was held back.
	Spacing time.Duration
	// Patience is how long an attempt waits for a place before it is sent away; SparePatience the same while many workers have
	// nothing to do. The scheduler releases what it holds a quarter of a second's worth at once, which that lets pass.
	Patience, SparePatience time.Duration
	// LateWorkers is how many of the workers make late attempts (see [Limits]); 0 is all of them.
	LateWorkers int
	// LeaseTTL is after what time the places of a replica that died are free again.
	LeaseTTL time.Duration
}

// DefaultPolicy returns the numbers that the dispatcher runs with.
func DefaultPolicy() Policy {
	return Policy{
		Failures: 8, OpenBase: time.Second, OpenCap: time.Minute, DisableAfter: 5 * 24 * time.Hour, NoteAfter: time.Minute,
		Spacing: 5 * time.Millisecond, Patience: 25 * time.Millisecond, SparePatience: 300 * time.Millisecond,
		LeaseTTL: 30 * time.Second,
	}
}

// open returns how long the breaker stays open the n-th time in a row, from 1.
func (p Policy) open(n int) time.Duration {
	d := p.OpenBase
	for range n - 1 {
		if d *= 2; d >= p.OpenCap {
			return p.OpenCap
		}
	}
	return d
}
