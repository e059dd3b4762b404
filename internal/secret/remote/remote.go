// Package remote asks secretd for secrets over the bus, so that only one service holds the credentials of the stores.
package remote

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/seal"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Store is secretd as a store of secrets. Make one with [New].
type Store struct {
	bus    *bus.Bus
	caller string
}

// New returns a store that asks under a caller's name, which NATS must permit and secretd must know.
func New(b *bus.Bus, caller string) (*Store, error) {
	if err := events.CheckToken("caller", caller); err != nil {
		return nil, err
	}
	return &Store{b, caller}, nil
}

// Source implements [secret.Store]; the entries name the store behind secretd.
func (s *Store) Source() string { return events.ServiceSecretd }

// Get implements [secret.Store]. The value crosses the bus sealed to a key that is made for this one request.
func (s *Store) Get(ctx context.Context, name secret.Name) (secret.Entry, error) {
	key, err := seal.NewKey()
	if err != nil {
		return secret.Entry{}, err
	}
	defer key.Wipe()
	body, err := json.Marshal(events.SecretRequest{Name: name.String(), RecipientKey: key.Public()})
	if err != nil {
		return secret.Entry{}, fmt.Errorf("writing the request: %w", err)
	}
	reply, err := s.bus.Request(ctx, bus.Msg{Subject: s.bus.Subjects().Secret(s.caller), Body: body})
	if err != nil {
		return secret.Entry{}, storeError(ctx, err)
	}
	var resp events.SecretResponse
	if err := json.Unmarshal(reply.Body, &resp); err != nil {
		return secret.Entry{}, fmt.Errorf("secretd's reply cannot be read: %w", err)
	}
	if resp.Name != name.String() {
		return secret.Entry{}, errors.New("secretd's reply is about another secret")
	}
	value, err := key.Open(resp.Sealed, resp.SenderKey)
	if err != nil {
		return secret.Entry{}, fmt.Errorf("secretd's reply: %w", err)
	}
	return secret.Entry{Value: value, Source: resp.Source, Version: resp.Version}, nil
}

// storeError says a failed request in the words of a store.
func storeError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("asking secretd: %w", ctx.Err())
	}
	switch events.CodeOf(err) {
	case events.CodeNotFound:
		return fmt.Errorf("%w: %w", secret.ErrNotFound, err)
	case events.CodePermissionDenied, events.CodeUnauthenticated:
		return fmt.Errorf("%w: %w", secret.ErrDenied, err)
	case events.CodeUnavailable, events.CodeDeadlineExceeded, events.CodeRateLimited:
		return fmt.Errorf("%w: %w", secret.ErrUnavailable, err)
	case events.CodeFailedPrecondition:
		return fmt.Errorf("%w: %w", secret.ErrUnusable, err)
	default:
		return fmt.Errorf("asking secretd: %w", err)
	}
}
