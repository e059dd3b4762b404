package cached

import (
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
)

// entry is what is known of one reference. It is guarded by the mutex of the cache.
type entry struct {
	value

	ref   secret.Ref
	at    *store
	mark  mark // of the value, also when it was dropped
	known bool // there was a value once

	newer, older *entry // in the order of use
	place        int    // in the agenda
	due          time.Time
	used         time.Time     // by somebody's Get
	ttl          time.Duration // of the latest Get
	maxStale     time.Duration // the longest that a Get allowed
	size         int64
	dropped      bool // no longer the cache's
	out          bool // an outage was told of

	flight *flight // the call that is on its way
	again  bool    // somebody who asked with NoCache shared a call that began before: the store is asked once more
	// The last call that ended.
	began time.Time
	err   error
	kind  kind
	until time.Time // no call before, unless with NoCache
	fails int       // transient ones, in a row
	epoch int       // of the store, when it failed
}

// own is what the background goes by.
func (e *entry) own() wish { return wish{ttl: e.ttl, maxStale: e.maxStale} }

// down says that the last call failed and that this still counts: the store has not come back since, and it was not long ago.
func (e *entry) down(now time.Time) bool {
	return e.err != nil && e.kind == transient && e.epoch == e.at.epoch && now.Before(e.until.Add(e.at.memory))
}

// failing says that the store cannot be asked, so that a value past its time may be served.
func (e *entry) failing(now time.Time) bool { return e.down(now) || e.at.away(now) }

// failure is why.
func (e *entry) failure(now time.Time) error {
	if e.down(now) {
		return e.err
	}
	return e.at.failure()
}

// paused says that it is too early for another call.
func (e *entry) paused(now time.Time) bool {
	return e.err != nil && now.Before(e.until) && (e.kind != transient || e.epoch == e.at.epoch)
}

// next is when something is to be done about the entry: ask for it again, or drop it.
func (e *entry) next(keep time.Duration) time.Time {
	if e.again {
		return e.askAgain()
	}
	if e.box == nil {
		return e.used.Add(keep)
	}
	next, last := e.refreshAt(e.own()), e.useless(e.own())
	if e.err != nil && e.until.After(next) {
		next = e.until
	}
	if last.Before(next) {
		return last
	}
	return next
}

// askAgain is when the store may be asked again after the last call.
func (e *entry) askAgain() time.Time { return e.began.Add(e.at.interval) }

// weight is roughly what the entry costs in memory, in bytes.
func (e *entry) weight() int64 {
	const fixed = 600 // the entry and its places: in the map, the agenda, the order of use
	n := fixed + len(e.ref.Path) + len(e.ref.Field) + len(e.ref.Version) + len(e.source) + len(e.version) + len(e.previous)
	if e.box != nil {
		n += cap(e.box.sealed)
	}
	return int64(n)
}
