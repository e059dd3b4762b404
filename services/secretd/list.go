package secretd

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/cached"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// maxPage is how many secrets are listed at once.
const maxPage = 1000

// list answers secrets.list. It asks no store.
func (s *Service) list(ctx context.Context, r *bus.Request) error {
	return s.handle(ctx, r, events.OpSecretsList, func(_ context.Context, r *bus.Request, _ *access) error {
		var req events.SecretsListRequest
		if len(r.Body) > 0 {
			if err := events.DecodeJSON(r.Body, &req); err != nil {
				return err
			}
		}
		if err := req.Validate(); err != nil {
			return err
		}
		if len(req.After) > secret.MaxName {
			return events.Errorf(events.CodeInvalidArgument, "after has %d bytes; a name has at most %d", len(req.After), secret.MaxName)
		}
		now := s.rules.Load()
		names, more := now.After(r.Caller, req.After, cmp.Or(req.Limit, maxPage))
		reply := events.SecretsList{Secrets: make([]events.SecretInfo, 0, len(names))}
		for _, name := range names {
			if t, ok := configured(now, target{text: name}); ok {
				reply.Secrets = append(reply.Secrets, s.look(t))
			}
		}
		if more {
			reply.Next = names[len(names)-1]
		}
		body, err := json.Marshal(reply)
		if err != nil {
			return fmt.Errorf("writing the reply: %w", err)
		}
		return r.Respond(body)
	})
}

// look says what is known of a secret, as a get would find it now without asking anybody.
func (s *Service) look(t target) events.SecretInfo {
	info := events.SecretInfo{Name: t.text, State: events.SecretMissing}
	for _, ref := range t.refs {
		known := s.cache.Look(ref)
		switch known.State {
		case cached.Fresh, cached.Stale:
			return events.SecretInfo{
				Name: t.text, State: string(known.State), Source: cmp.Or(known.Source, ref.Store), Version: known.Version,
				FetchedAt: known.FetchedAt.UTC(), ExpiresAt: known.ExpiresAt.UTC(),
			}
		case cached.Missing:
		case cached.Failing:
			info.State = events.SecretFailing
		case cached.Unknown, cached.Refusing:
			if info.State != events.SecretFailing || known.State == cached.Refusing {
				info.State = string(known.State)
			}
			return info
		}
	}
	return info
}
