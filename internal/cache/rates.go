package cache

import (
	"sync"
	"time"
)

// ringSize is how many looks make an hour.
const ringSize = int(time.Hour / samplePeriod)

// rates remembers the counters of the last hour. Its zero value has seen nothing.
type rates struct {
	mu    sync.Mutex
	ring  [ringSize]struct{ hits, lookups uint64 }
	noted int // how many were ever noted; the next one goes to noted % ringSize
}

// note is called every samplePeriod.
func (r *rates) note(hits, lookups uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ring[r.noted%ringSize] = struct{ hits, lookups uint64 }{hits, lookups}
	r.noted++
}

// rate returns the share of the lookups of the last time, at most an hour, that were hits; nil when there were none.
func (r *rates) rate(last time.Duration, hits, lookups uint64) *float64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	back := min(int(last/samplePeriod), ringSize)
	if r.noted >= back { // else it is all since the start
		then := r.ring[(r.noted-back)%ringSize]
		hits, lookups = hits-then.hits, lookups-then.lookups
	}
	if lookups == 0 {
		return nil
	}
	share := float64(hits) / float64(lookups)
	return &share
}
