// Package limits holds requests, tokens and cost under limits that all replicas of the generator share.
//
// What a request needs is reserved before it is made, and settled when it is known what it used. The counts are atomic counters of
// JetStream (ADR-49), one for each limit, scope and window: one increment reserves, and its answer says how much that makes; if it
// is too much, it is given back. So there are no conflicts, and nothing to agree on.
//
// Windows are fixed: a minute and a day of UTC, by the clock of the replica. What is reserved by a replica that dies stays
// reserved until its window ends.
package limits

import (
	"context"
	"time"
)

// Counter is where counts are shared; [bus.Bus] has one.
type Counter interface {
	// Increment adds to the counter of a subject, once for each id, and returns its new value. By 0 reads it.
	Increment(ctx context.Context, subject, id string, by int64) (int64, error)
	// Connected returns nil if the counts can be reached.
	Connected() error
}

// Scope is who asks for what.
type Scope struct {
	// Caller is whose request it is.
	Caller string
	// Provider and Model are the target; Model is written provider/model.
	Provider, Model string
	// Alias is the name by which the caller asked for the model; empty when it was its own.
	Alias string
}

// Estimate is what a request will use at most, as far as that is known.
type Estimate struct {
	// Tokens are those of the prompt and the answer.
	Tokens int
	// Cost is in US dollars.
	Cost float64
}

// Limiter keeps the limits. It is safe for concurrent use; the nil limiter has none.
type Limiter struct{}

// Options are what a limiter needs of its surroundings.
type Options struct {
	// Now is the clock by which windows begin and end; nil is that of the machine.
	Now func() time.Time
}

// New returns a limiter, or nil if there are no rules.
func New(cfg Config, counter Counter, o Options) *Limiter { return nil }

// Reserve reserves what a request needs, with all limits that hold for it, or with none. Settle or release the lease.
//
// Its error is an [events.Error]: rate_limited, with the time until what is used up is there again; unavailable if the counts
// cannot be reached and such requests are refused.
func (l *Limiter) Reserve(ctx context.Context, s Scope, e Estimate) (*Lease, error) {
	return nil, nil
}

// Lease is what one request has reserved. The nil lease has reserved nothing.
type Lease struct{}

// Settle says what the request used. It does not wait.
func (l *Lease) Settle(tokens int, cost float64) {}

// Release gives everything back: nothing was bought. It does not wait.
func (l *Lease) Release() {}

// Left is what a limit has left.
type Left struct {
	// Name is the limit's, for example "requests per minute of caller client".
	Name string `json:"name"`
	// Limit and Left are requests, tokens or US dollars.
	Limit float64 `json:"limit"`
	Left  float64 `json:"left"`
	// Resets is when the window ends.
	Resets time.Time `json:"resets"`
	// Known is false where nothing has been counted here in this window: then Left is Limit.
	Known bool `json:"known"`
}

// Left returns what the limits of a scope have left, as far as this replica knows: it asks nobody.
func (l *Limiter) Left(s Scope) []Left { return nil }

// Close writes down what was settled and is not written yet.
func (l *Limiter) Close(ctx context.Context) error { return nil }
