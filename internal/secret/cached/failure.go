package cached

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
)

// kind is what an answer of a store means for what is known.
type kind uint8

const (
	given     kind = iota // a value
	missing               // there is none: an answer
	refused               // denied, deleted or disabled: an answer
	unusable              // there is one that cannot be used: an answer
	transient             // no answer; it may pass
)

// kindOf sorts the errors of stores. What a store says that it may not say is its malfunction, and no answer.
func kindOf(err error) kind {
	switch {
	case err == nil:
		return given
	case errors.Is(err, secret.ErrNotFound):
		return missing
	case errors.Is(err, secret.ErrDenied), errors.Is(err, secret.ErrGone):
		return refused
	case errors.Is(err, secret.ErrUnusable):
		return unusable
	default:
		return transient
	}
}

// outcome is the label of an error in metrics.
func outcome(err error) string {
	switch {
	case err == nil:
		return "given"
	case errors.Is(err, secret.ErrNotFound):
		return "not_found"
	case errors.Is(err, secret.ErrDenied):
		return "denied"
	case errors.Is(err, secret.ErrGone):
		return "gone"
	case errors.Is(err, secret.ErrUnusable):
		return "unusable"
	default:
		return "unavailable"
	}
}

// outcomes are all labels that outcome returns.
func outcomes() []string {
	return []string{"given", "not_found", "denied", "gone", "unusable", "unavailable"}
}

// failure returns the error of a call in the words of a store: one that is transient wraps [secret.ErrUnavailable], and nothing
// of the context of the call, which is not the caller's.
func failure(ctx context.Context, name string, timeout time.Duration, err error) error {
	switch {
	case err == nil || kindOf(err) != transient || errors.Is(err, secret.ErrUnavailable):
		return err
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return fmt.Errorf("%w: no answer from %s within %s", secret.ErrUnavailable, name, timeout)
	case ctx.Err() != nil:
		return errClosed()
	default:
		return fmt.Errorf("%w: %w", secret.ErrUnavailable, err)
	}
}

// checked refuses what a store should not have given.
func checked(name string, entry secret.Entry, now time.Time) error {
	switch size := len(entry.Value.Reveal()); {
	case size == 0:
		return fmt.Errorf("%s has an empty value: %w", name, secret.ErrNotFound)
	case size > secret.MaxValue:
		return fmt.Errorf("%w: it has %d bytes, at most %d are allowed", secret.ErrUnusable, size, secret.MaxValue)
	case !entry.ExpiresAt.IsZero() && !now.Before(entry.ExpiresAt):
		return fmt.Errorf("%w: %s lent a value whose time is over", secret.ErrUnavailable, name)
	default:
		return nil
	}
}
