package secretd

import (
	"context"
	"errors"
	"fmt"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/cached"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// codedError says in the words of the contract what a store said. Its own words go to the log only: they may tell about the inside
// of the store.
func codedError(ctx context.Context, t target, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("asking the store: %w", ctx.Err())
	}
	e := &events.Error{Err: err}
	if failed, ok := errors.AsType[*secret.StoreError](err); ok {
		e.Provider = failed.Source
	}
	if limited, ok := errors.AsType[*cached.TooOftenError](err); ok {
		e.RetryAfter = limited.RetryAfter
	}
	switch {
	case errors.Is(err, cached.ErrTooOften):
		e.Code, e.Message = events.CodeRateLimited, "the store is asked too often past the cache"
	case errors.Is(err, secret.ErrGone):
		e.Code, e.Message = events.CodeNotFound, "it was deleted or disabled in its store"
	case errors.Is(err, secret.ErrDenied):
		e.Code, e.Message = events.CodeUnauthenticated, "the store does not accept the credentials of secretd, or they do not reach so far"
	case errors.Is(err, secret.ErrUnusable):
		e.Code, e.Message = events.CodeFailedPrecondition, "the store has a value that cannot be used; the log of secretd says why"
	case errors.Is(err, secret.ErrUnavailable):
		e.Code, e.Message = events.CodeUnavailable, "a store that may have it cannot be reached"
	case errors.Is(err, secret.ErrNotFound):
		e.Code, e.Message = events.CodeNotFound, "no store has a value of it"
	default:
		e.Code, e.Message = events.CodeInternal, "the store failed; the log of secretd says why"
	}
	if t.configured { // what nobody has configured may be a secret itself, by mistake
		e.Message = t.text + ": " + e.Message
	}
	e.Retryable = e.Code.Retryable()
	return e
}
