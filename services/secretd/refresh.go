package secretd

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/secretd/internal/rules"
)

// refresh answers secrets.refresh: it asks the stores now. The other replicas learn of a new version from the ledger.
func (s *Service) refresh(ctx context.Context, r *bus.Request) error {
	return s.handle(ctx, r, events.OpSecretsRefresh, func(ctx context.Context, r *bus.Request, a *access) error {
		var req events.SecretsRefreshRequest
		if err := events.DecodeJSON(r.Body, &req); err != nil {
			return err
		}
		a.record.NoCache = true
		asked, err := parse(req.Name)
		if err != nil {
			return err
		}
		a.target = asked
		if a.target, err = find(s.rules.Load(), r.Caller, rules.Refresh, asked); err != nil {
			return err
		}
		if err := s.limits.take(r.Caller); err != nil {
			return err
		}
		before, known := s.ledger.Known(a.target.text)
		if a.given, err = s.resolveAnew(ctx, a.target, r.Arrived()); err != nil {
			return codedError(ctx, a.target, err)
		}
		s.note(a.target, a.given, false)
		reply := events.SecretsRefreshed{
			Secret: events.SecretInfo{
				Name: a.target.text, State: events.SecretFresh, Source: a.given.Source, Version: a.given.Version,
				FetchedAt: a.given.FetchedAt.UTC(), ExpiresAt: a.given.ExpiresAt.UTC(),
			},
			Rotated: a.given.Rotated, PreviousVersion: a.given.Previous,
		}
		shared := sharedVersion(a.given.ref.Store, a.given.Version)
		if known && !a.given.around && a.given.Entry.ExpiresAt.IsZero() && (before.Source != a.given.Source || before.Version != shared) {
			reply.Rotated, reply.PreviousVersion = true, before.Version // before this process began, or seen by another
		}
		body, err := json.Marshal(reply)
		if err != nil {
			return fmt.Errorf("writing the reply: %w", err)
		}
		return r.Respond(body)
	})
}
