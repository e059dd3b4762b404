package cached

import (
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
)

// ahead is the part of the time of a value after which it is asked for again in the background.
const ahead = 0.8

// value is what a store gave, sealed.
type value struct {
	box             *box // nil: dropped, or never there
	source, version string
	fetchedAt       time.Time
	expiresAt       time.Time // of the lease; zero is never
	jitter          float64   // 0.9 to 1: how much of a TTL it is fresh
	rotated         bool      // it is another one than was known before
	previous        string    // whose version was this
}

// wish is an [Options] with the defaults of the cache in it.
type wish struct {
	ttl, maxStale time.Duration
	passive       bool
}

// wish returns what a Get wants.
func (c *Cache) wish(o Options) wish {
	w := wish{ttl: c.cfg.TTL, maxStale: c.cfg.MaxStale, passive: o.Passive}
	if o.TTL > 0 {
		w.ttl = max(o.TTL, time.Second)
	}
	if o.MaxStale != 0 {
		w.maxStale = o.MaxStale
	}
	return w
}

// leased cuts a time at the end of the lease.
func (v *value) leased(t time.Time) time.Time {
	if !v.expiresAt.IsZero() && v.expiresAt.Before(t) {
		return v.expiresAt
	}
	return t
}

// freshUntil is when the value is past its time.
func (v *value) freshUntil(w wish) time.Time {
	return v.leased(v.fetchedAt.Add(time.Duration(v.jitter * float64(w.ttl))))
}

// refreshAt is when it is to be asked for again in the background.
func (v *value) refreshAt(w wish) time.Time {
	return v.fetchedAt.Add(time.Duration(ahead * float64(v.freshUntil(w).Sub(v.fetchedAt))))
}

// staleUntil is when the value may no longer be served even if the store is away.
func (v *value) staleUntil(w wish) time.Time { return v.leased(v.fetchedAt.Add(w.maxStale)) }

// fresh says that there is a value in its time.
func (v *value) fresh(w wish, now time.Time) bool { return v.box != nil && now.Before(v.freshUntil(w)) }

// spare says that there is a value which would do if the store cannot be asked.
func (v *value) spare(w wish, now time.Time) bool { return v.box != nil && now.Before(v.staleUntil(w)) }

// useless is when the value can no longer be served at all.
func (v *value) useless(w wish) time.Time {
	fresh, stale := v.freshUntil(w), v.staleUntil(w)
	if stale.After(fresh) {
		return stale
	}
	return fresh
}

// drop lets go of the value. What tells it apart from the next one stays.
func (v *value) drop() {
	if v.box != nil {
		v.box.release()
		v.box = nil
	}
}

// found is what is known, but for the value itself, as a Get has it.
func (v *value) found(w wish, now time.Time) Found {
	f := Found{
		Entry:     secret.Entry{Source: v.source, Version: v.version, ExpiresAt: v.expiresAt},
		FetchedAt: v.fetchedAt, ExpiresAt: v.freshUntil(w), Rotated: v.rotated, Previous: v.previous,
	}
	if !now.Before(f.ExpiresAt) {
		f.Stale, f.ExpiresAt = true, v.staleUntil(w)
	}
	return f
}
