package engine

import (
	"context"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/generator/internal/route"
)

// Gate is asked before each attempt, and told what it used: limits and budgets. It is safe for concurrent use.
type Gate interface {
	// Reserve reserves what an attempt needs. An error of code rate_limited means that another target may be tried; any other ends
	// the request. The lease may be nil: then nobody has to be told.
	Reserve(ctx context.Context, a Attempt) (Lease, error)
}

// Attempt is what is about to be tried.
type Attempt struct {
	// Caller is whose request it is.
	Caller string
	// Asked is what the caller asked for: an alias, or the model itself.
	Asked string
	// Alias says that it is an alias.
	Alias bool
	// Target is the model that is about to be asked.
	Target route.Target
	// Request is what it is about to be asked.
	Request *events.ChatRequest
}

// Lease is what an attempt has reserved. Exactly one of its methods is called, once. Neither waits.
type Lease interface {
	// Settle says what was used. Nil: it is unknown, though something may have been bought; what was reserved is to stand.
	Settle(usage *events.ChatUsage)
	// Release gives everything back: nothing was bought.
	Release()
}
