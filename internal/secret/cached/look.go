package cached

import (
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
)

// State is what is known of a secret. Its words are those of the contract (events.SecretFresh and its like).
type State string

// States of a secret.
const (
	// Unknown: nothing that could be given without asking. Nobody has asked, or not for so long that it is past its time.
	Unknown State = "unknown"
	// Fresh: a value, in its time.
	Fresh State = "fresh"
	// Stale: a value past its time whose store cannot be asked, and which is served.
	Stale State = "stale"
	// Missing: the store has none.
	Missing State = "missing"
	// Failing: the store cannot be asked, and there is no value that may be served.
	Failing State = "failing"
	// Refusing: the store denies it, it was deleted or disabled there, or what it has cannot be used.
	Refusing State = "refusing"
)

// Known is what is known of a secret, but for its value.
type Known struct {
	State State
	// Source, Version and FetchedAt are those of the last value that was known, which may have been dropped.
	Source, Version string
	FetchedAt       time.Time
	// AskedAt is when the last call to the store began that has ended, whatever it brought; zero when there was none.
	AskedAt time.Time
	// ExpiresAt is as in [Found]; zero without a value that would be served.
	ExpiresAt time.Time
	// Err is what the last call to the store ended with, if not with a value, or why the store is not asked.
	Err error
}

// Look says what is known of a secret. It asks nobody, and is no use that keeps a value refreshed.
func (c *Cache) Look(ref secret.Ref) Known {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.entries[ref]
	if e == nil {
		return Known{State: Unknown}
	}
	now, w := time.Now(), e.own()
	k := Known{Source: e.source, Version: e.version, FetchedAt: e.fetchedAt, AskedAt: e.began, Err: e.err}
	switch {
	case e.fresh(w, now):
		k.State, k.ExpiresAt = Fresh, e.freshUntil(w)
	case e.spare(w, now) && e.failing(now):
		k.State, k.ExpiresAt, k.Err = Stale, e.staleUntil(w), e.failure(now)
	case e.failing(now):
		k.State, k.Err = Failing, e.failure(now)
	case e.err == nil || e.kind == transient:
		k.State = Unknown
	case e.kind == missing:
		k.State = Missing
	default:
		k.State = Refusing
	}
	return k
}
