package secretd

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/seal"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/secretd/internal/rules"
)

// get answers secrets.get.
func (s *Service) get(ctx context.Context, r *bus.Request) error {
	return s.handle(ctx, r, events.OpSecretsGet, s.give)
}

// give seals a secret to its caller.
func (s *Service) give(ctx context.Context, r *bus.Request, a *access) error {
	var req events.SecretRequest
	if err := events.DecodeJSON(r.Body, &req); err != nil {
		return err
	}
	a.record.NoCache = req.NoCache
	asked, err := parse(req.Name)
	if err != nil {
		return err
	}
	a.target = asked
	to, err := seal.Read(req)
	if err != nil {
		return err
	}
	if a.target, err = find(s.rules.Load(), r.Caller, rules.Get, asked); err != nil {
		return err
	}
	if req.NoCache {
		if err := s.limits.take(r.Caller); err != nil {
			return err
		}
	}
	if a.given, err = s.resolve(ctx, a.target, req.NoCache); err != nil {
		return codedError(ctx, a.target, err)
	}
	s.note(a.target, a.given, false)
	reply, err := s.signer.Seal(r.Caller, asked.text, to, seal.Content{
		Value: a.given.Value, Source: a.given.Source, Version: a.given.Version, FetchedAt: a.given.FetchedAt.UTC(), Stale: a.given.Stale,
	})
	if err != nil {
		return err
	}
	body, err := json.Marshal(reply)
	if err != nil {
		return fmt.Errorf("writing the reply: %w", err)
	}
	return r.Respond(body)
}
