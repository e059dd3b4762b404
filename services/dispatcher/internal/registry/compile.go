package registry

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/keyring"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/target"
)

// compiled is an endpoint that is ready to be used, and what it was made of.
type compiled struct {
	endpoint *target.Endpoint
	secrets  secrets
	client   clientKey
}

// compile makes an endpoint of a record. Errors are an [events.Error], or wrap [keyring.ErrUnasked] when resolve does not
// wait and a secret has to be waited for.
func (r *Registry) compile(ctx context.Context, rec record, revision uint64, resolve keyring.ResolveFunc) (compiled, error) {
	collected, err := collect(ctx, rec, resolve)
	if err != nil {
		return compiled{}, err
	}
	return r.build(ctx, rec, revision, collected)
}

// build is compile with the secrets at hand.
func (r *Registry) build(ctx context.Context, rec record, revision uint64, s secrets) (compiled, error) {
	u, err := target.ParseURL(s.text(rec.Spec.URL))
	if err != nil {
		return compiled{}, events.Errorf(events.CodeInvalidArgument, "url: %w", err)
	}
	if err := r.cfg.CheckURL(u); err != nil {
		return compiled{}, events.Errorf(events.CodeInvalidArgument, "url: %w", err)
	}
	header, hidden, err := headers(rec.Spec.Headers, s)
	if err != nil {
		return compiled{}, err
	}
	keys, err := r.keys(ctx, rec, s)
	if err != nil {
		return compiled{}, err
	}
	var tlsKey secret.Value
	if rec.Spec.TLS != nil && rec.Spec.TLS.Key != "" {
		tlsKey = s.values[rec.Spec.TLS.Key]
	}
	client, id, err := r.clients.get(rec.Spec.TLS, tlsKey)
	if err != nil {
		return compiled{}, err
	}
	parts := rec.parts(revision)
	parts.URL, parts.Header, parts.Hidden, parts.Keys, parts.Client = u, header, hidden, keys, client
	e, err := target.New(parts)
	if err != nil {
		return compiled{}, err
	}
	return compiled{e, s, id}, nil
}

// broken makes an endpoint that is there and cannot send, and says why. Of a record that makes no sense nothing is left but
// its id; then it wants nothing either.
func (r *Registry) broken(ctx context.Context, rec record, revision uint64, cause error) *target.Endpoint {
	parts := rec.parts(revision)
	parts.Broken = cause
	e, err := target.New(parts)
	if err == nil {
		return e
	}
	e, err = target.New(target.Parts{
		Spec:   events.EndpointSpec{ID: rec.Spec.ID, URL: unknownURL, Disabled: true},
		Source: sourceBus, Revision: revision, Broken: cause,
	})
	if err != nil {
		r.log.ErrorContext(ctx, "an endpoint cannot be shown", "endpoint", rec.Spec.ID, "err", err)
		return nil
	}
	return e
}

// unknownURL stands for the URL of an endpoint whose record cannot be read (RFC 2606).
const unknownURL = "https://unknown.invalid/"

// parts returns what of an endpoint needs no secret.
func (rec record) parts(revision uint64) target.Parts {
	shown := make([]events.EndpointKey, 0, len(rec.Keys))
	for _, key := range rec.Keys {
		shown = append(shown, key.View())
	}
	slices.SortStableFunc(shown, func(a, b events.EndpointKey) int { return b.CreatedAt.Compare(a.CreatedAt) })
	return target.Parts{
		Spec: withoutLiterals(rec.Spec), Source: sourceBus, Revision: revision, CreatedAt: rec.CreatedAt, UpdatedAt: rec.UpdatedAt, Shown: shown,
	}
}

// literal stands for a key in the clear, which nobody can store but by hand.
const literal = "***"

// withoutLiterals returns a specification that can be shown, whoever wrote it: with nothing where only a reference may stand.
func withoutLiterals(spec events.EndpointSpec) events.EndpointSpec {
	inTheClear := func(text string) bool { return text != "" && !keyring.IsReference(text) }
	if slices.ContainsFunc(spec.Signing, func(key events.EndpointSigning) bool { return inTheClear(key.Key) }) {
		spec.Signing = slices.Clone(spec.Signing)
		for i, key := range spec.Signing {
			if inTheClear(key.Key) {
				spec.Signing[i].Key = literal
			}
		}
	}
	if spec.TLS != nil && inTheClear(spec.TLS.Key) {
		hidden := *spec.TLS
		hidden.Key = literal
		spec.TLS = &hidden
	}
	return spec
}

// keys opens the keys that sign.
func (r *Registry) keys(ctx context.Context, rec record, s secrets) ([]target.Key, error) {
	now := time.Now()
	keys := make([]target.Key, 0, len(rec.Keys))
	for _, stored := range rec.Keys {
		if stored.Ended(now) {
			continue
		}
		key, err := r.cfg.Keys.Open(ctx, rec.Spec.ID, stored, s.resolve)
		if err != nil {
			return nil, within("signing", err)
		}
		keys = append(keys, target.Key{Signer: key.Signer, BodySecret: key.BodySecret, ExpiresAt: key.ExpiresAt})
	}
	if len(keys) == 0 {
		return nil, events.Errorf(events.CodeFailedPrecondition, "the endpoint has no key that signs, and webhooks are never sent unsigned: rotate its key")
	}
	return keys, nil
}

// headers returns the endpoint's own headers, and the names of those whose values are secret.
func headers(spec map[string]string, s secrets) (http.Header, []string, error) {
	if len(spec) == 0 {
		return nil, nil, nil
	}
	header := make(http.Header, len(spec))
	var hidden []string
	for name, text := range spec {
		value := s.text(text)
		if keyring.IsReference(text) {
			hidden = append(hidden, http.CanonicalHeaderKey(name))
			if err := target.CheckHeaderValue(name, value); err != nil {
				return nil, nil, err
			}
		}
		header.Set(name, value)
	}
	return header, hidden, nil
}
