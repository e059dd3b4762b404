package vault

import (
	"context"
	"fmt"
	"net/http"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/bounded"
)

// broken says why there is no answer, in words that hold nothing of what came over the wire.
func broken(ctx context.Context, err error) error {
	if ctx.Err() != nil { // who asked has gone
		return fmt.Errorf("asking vault: %w", ctx.Err())
	}
	return fmt.Errorf("%w: asking vault: %s", secret.ErrUnavailable, bounded.Why(err))
}

// refusal says in the words of a store what an answer without a value means. What the answer says is not repeated: it is not
// ours to print.
func (a answer) refusal() error {
	switch a.status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return fmt.Errorf("%w: vault answers %d", secret.ErrDenied, a.status)
	case http.StatusNotFound:
		if !a.genuine() {
			return fmt.Errorf("%w: something answers 404 that is not vault", secret.ErrUnavailable)
		}
		if len(a.Warnings) > 0 {
			return fmt.Errorf("%w: vault has another version of KV there", secret.ErrUnavailable)
		}
		return fmt.Errorf("vault: %w", secret.ErrNotFound)
	case http.StatusMethodNotAllowed:
		return fmt.Errorf("%w: vault answers 405: the path cannot be read", secret.ErrUnusable)
	case http.StatusTemporaryRedirect:
		return fmt.Errorf("%w: vault answers 307: a standby that does not forward names no other https address", secret.ErrUnavailable)
	default: // also sealed (503), a standby (429, 472, 473), an engine that is being upgraded (400)
		return fmt.Errorf("%w: vault answers %d", secret.ErrUnavailable, a.status)
	}
}

// unreadable is for an answer that is none of Vault's, or half of one.
func unreadable() error {
	return fmt.Errorf("%w: what vault answers cannot be read", secret.ErrUnavailable)
}
