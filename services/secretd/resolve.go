package secretd

import (
	"context"
	"errors"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/cached"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/secretd/internal/ledger"
	"github.com/neuron7x/mlsdm-integrations/services/secretd/internal/rules"
)

// target is what is asked for.
type target struct {
	// text is the name or the reference; it is valid, so it may be hashed, but it may be a secret by mistake, unless configured.
	text string
	// refs is where it is looked for.
	refs []secret.Ref
	// options are the operator's for this secret.
	options cached.Options
	// configured says that the operator has named it; a reference has no name.
	configured bool
	isRef      bool
}

// parse reads the name of a request.
func parse(text string) (target, error) {
	if secret.IsRef(text) {
		ref, err := secret.ParseRef(text)
		if err != nil {
			return target{}, events.Errorf(events.CodeInvalidArgument, "name is %w", err)
		}
		return target{text: ref.String(), refs: []secret.Ref{ref}, isRef: true}, nil
	}
	name, err := secret.ParseName(text)
	if err != nil {
		return target{}, events.Errorf(events.CodeInvalidArgument, "name is %w", err)
	}
	return target{text: name.String()}, nil
}

// find checks that a caller has a right to what it asks for, and says where that is. The words of a denial are the same whether
// there is such a secret or not: nothing was looked up.
func find(r *rules.Rules, caller string, right rules.Right, t target) (target, error) {
	if !r.May(caller, right, t.text) {
		return t, events.Errorf(events.CodePermissionDenied,
			"%s may not have this secret, or not do this with it: the rules of secretd do not say so (SECRETD_CONFIG, or SECRETD_ALLOW and SECRETD_CALLERS)", caller)
	}
	if t.isRef {
		return t, nil
	}
	t, ok := configured(r, t)
	if !ok {
		return t, events.Errorf(events.CodeNotFound, "the operator has configured no secret of this name")
	}
	return t, nil
}

// configured adds what the operator says about a name.
func configured(r *rules.Rules, t target) (target, bool) {
	s, ok := r.Secret(t.text)
	if !ok {
		return t, false
	}
	t.refs, t.configured = s.From, true
	t.options = cached.Options{TTL: s.TTL, MaxStale: s.MaxStale}
	return t, true
}

// answer is a secret, and where it was.
type answer struct {
	cached.Found

	ref secret.Ref
	// around says that a store before that one could not be asked, so that it is not the one that is meant to answer.
	around bool
}

// resolve looks for a secret.
func (s *Service) resolve(ctx context.Context, t target, noCache bool) (answer, error) {
	options := t.options
	options.NoCache = noCache
	return walk(ctx, t, func(ctx context.Context, ref secret.Ref) (cached.Found, error) { return s.cache.Get(ctx, ref, options) })
}

// resolveAnew looks for a secret as it is since a moment.
func (s *Service) resolveAnew(ctx context.Context, t target, since time.Time) (answer, error) {
	options := t.options
	options.NoCache = true
	return walk(ctx, t, func(ctx context.Context, ref secret.Ref) (cached.Found, error) {
		return s.getAnew(ctx, ref, options, since)
	})
}

// getAnew gets what is at ref since a moment: what the cache knows from just before that, a refusal too, is asked for again.
func (s *Service) getAnew(ctx context.Context, ref secret.Ref, options cached.Options, since time.Time) (cached.Found, error) {
	for {
		now := time.Now()
		found, err := s.cache.Get(ctx, ref, options)
		asked := found.FetchedAt
		if err != nil {
			asked = s.cache.Look(ref).AskedAt
		}
		again := asked.Add(pastCacheEvery)
		if !asked.Before(since) || !now.Before(again) {
			return found, err
		}
		found.Value.Wipe()
		timer := time.NewTimer(time.Until(again) + time.Millisecond)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return cached.Found{}, ctx.Err()
		}
	}
}

// walk looks for a secret wherever it may be.
func walk(ctx context.Context, t target, get func(context.Context, secret.Ref) (cached.Found, error)) (answer, error) {
	var a answer
	_, ref, err := secret.Walk(ctx, t.refs, func(ctx context.Context, ref secret.Ref) (secret.Entry, error) {
		found, err := get(ctx, ref)
		a.Found = found
		a.around = a.around || errors.Is(err, secret.ErrUnavailable)
		return found.Entry, err
	})
	if err != nil {
		return answer{}, err
	}
	a.ref = ref
	if a.Source == "" {
		a.Source = ref.Store
	}
	return a, nil
}

// note has the ledger take note of a secret that was found. What is lent has no versions to tell of, as each time it is another,
// and what is pinned to one never has another.
func (s *Service) note(t target, a answer, rotated bool) {
	if a.Stale || a.around || !a.Entry.ExpiresAt.IsZero() || t.isRef && a.ref.Version != "" {
		return
	}
	s.ledger.Saw(ledger.Seen{Name: t.text, Source: a.Source, Version: sharedVersion(a.ref.Store, a.Version), FetchedAt: a.FetchedAt, Rotated: rotated})
}

// sharedVersion is a version that means the same to every replica. Those of what lies on the machine itself do not.
func sharedVersion(store, version string) string {
	if store == secret.StoreFile || store == secret.StoreEnv {
		return ""
	}
	return version
}
