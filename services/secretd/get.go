package secretd

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

// get answers one request and writes down that it was made, by whom, and what came of it. The record holds the name only
// once it is known to be one: anything may stand in its place, even a value.
func (s *Service) get(ctx context.Context, r *bus.Request) error {
	name, entry, err := s.answer(ctx, r)
	outcome := "given"
	if err != nil {
		outcome = string(events.CodeOf(err))
	}
	s.metrics.requests.WithLabelValues(outcome).Inc()
	attrs := []any{"caller", r.Caller, "secret", name.String(), "outcome", outcome}
	if err == nil {
		attrs = append(attrs, "provider", entry.Source, "secret_version", entry.Version)
	}
	if storeErr, ok := errors.AsType[*secret.StoreError](err); ok {
		attrs = append(attrs, "provider", storeErr.Source, "err", storeErr)
	}
	s.log.InfoContext(ctx, "a secret was asked for", attrs...)
	return err
}

// answer is get without the record.
func (s *Service) answer(ctx context.Context, r *bus.Request) (secret.Name, secret.Entry, error) {
	var req events.SecretRequest
	if err := events.DecodeJSON(r.Body, &req); err != nil {
		return secret.Name{}, secret.Entry{}, err
	}
	name, err := secret.ParseName(req.Name)
	if err != nil {
		return secret.Name{}, secret.Entry{}, events.Errorf(events.CodeInvalidArgument, "name is %w", err)
	}
	if err := seal.CheckKey(req.RecipientKey); err != nil {
		return name, secret.Entry{}, events.Errorf(events.CodeInvalidArgument, "recipient_key must be a public curve key (X…) that was made for this request: %w", err)
	}
	if !s.cfg.allows(r.Caller, name) { // the same words whether there is such a secret or not: nothing was looked up
		return name, secret.Entry{}, events.Errorf(events.CodePermissionDenied, "%s may not have %s: both have to be allowed (SECRETD_CALLERS, SECRETD_ALLOW)", r.Caller, name)
	}
	entry, err := s.store.Get(ctx, name)
	if err != nil {
		return name, secret.Entry{}, codedError(ctx, name, err)
	}
	sealed, sender, err := seal.Seal(entry.Value, req.RecipientKey)
	if err != nil {
		return name, entry, err
	}
	body, err := json.Marshal(events.SecretResponse{
		Name: name.String(), Source: entry.Source, Version: entry.Version, SenderKey: sender, Sealed: sealed,
	})
	if err != nil {
		return name, entry, fmt.Errorf("writing the reply: %w", err)
	}
	return name, entry, r.Respond(body)
}

// codedError says in the words of the contract what a store said. Its own words go to the log only: they may tell about
// the inside of the store.
func codedError(ctx context.Context, name secret.Name, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("asking the store: %w", ctx.Err())
	}
	provider := ""
	if failed, ok := errors.AsType[*secret.StoreError](err); ok {
		provider = failed.Source
	}
	coded := func(code events.Code, message string) error {
		return &events.Error{Code: code, Message: name.String() + ": " + message, Retryable: code.Retryable(), Provider: provider, Err: err}
	}
	switch {
	case errors.Is(err, secret.ErrNotFound):
		return coded(events.CodeNotFound, "no store has a value of it")
	case errors.Is(err, secret.ErrUnavailable):
		return coded(events.CodeUnavailable, "the store cannot be reached")
	case errors.Is(err, secret.ErrDenied):
		return coded(events.CodeUnauthenticated, "the store does not accept the credentials of secretd")
	case errors.Is(err, secret.ErrUnusable):
		return coded(events.CodeFailedPrecondition, "the store has a value that cannot be used; the log of secretd says why")
	default:
		return coded(events.CodeInternal, "the store failed; the log of secretd says why")
	}
}
