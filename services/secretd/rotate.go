package secretd

import (
	"context"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/cached"
	"github.com/neuron7x/mlsdm-integrations/services/secretd/internal/ledger"
)

const (
	// renewQueue is how many secrets of which others saw a new version may wait; what is not noted comes with its time.
	renewQueue = 1024
	renewers   = 4
)

// observer hears from the cache what happens to values.
type observer struct{ s *Service }

// Rotated implements [cached.Observer].
func (o observer) Rotated(ref secret.Ref, _, _ string) { o.s.seenAgain(ref, true) }

// Recovered implements [cached.Observer].
func (o observer) Recovered(ref secret.Ref) { o.s.seenAgain(ref, false) }

// Purged implements [cached.Observer]. The cache has logged it.
func (o observer) Purged(secret.Ref, error) {}

// Unavailable implements [cached.Observer].
func (o observer) Unavailable(ref secret.Ref, since time.Time, _ error) {
	ctx, cancel := context.WithTimeout(o.s.life, operationTimeout)
	defer cancel()
	for _, t := range o.s.targets(ref) {
		o.s.ledger.Out(ctx, t.text, ref.Store, since)
	}
}

// targets are the secrets that are kept at ref: by name, and by reference if somebody asks for it so.
func (s *Service) targets(ref secret.Ref) []target {
	now := s.rules.Load()
	var all []target
	for _, name := range now.NamesOf(ref) {
		if t, ok := configured(now, target{text: name}); ok {
			all = append(all, t)
		}
	}
	if _, asked := s.ledger.Known(ref.String()); asked {
		all = append(all, target{text: ref.String(), refs: []secret.Ref{ref}, isRef: true})
	}
	return all
}

// seenAgain has the ledger take note of what the cache now has of a reference.
func (s *Service) seenAgain(ref secret.Ref, rotated bool) {
	ctx, cancel := context.WithTimeout(s.life, operationTimeout)
	defer cancel()
	for _, t := range s.targets(ref) {
		t.options.Passive = true // else what is another each time, as what is lent is, would be used for ever
		a, err := s.resolve(ctx, t, false)
		if err == nil && a.ref == ref {
			s.note(t, a, rotated)
		}
		a.Value.Wipe()
	}
}

// learned takes note that the ledger knows another version of a secret.
func (s *Service) learned(e ledger.Entry) {
	if e.Version == "" { // nothing to compare what is known here with
		return
	}
	select {
	case s.renew <- e:
	default:
	}
}

// renews asks again for what other replicas have seen a new version of, until ctx ends.
func (s *Service) renews(ctx context.Context) {
	for {
		select {
		case e := <-s.renew:
			s.renewOne(ctx, e)
		case <-ctx.Done():
			return
		}
	}
}

// renewOne asks for a secret again if what is known of it here is of another version than the ledger's.
func (s *Service) renewOne(ctx context.Context, e ledger.Entry) {
	t, err := parse(e.Name)
	if err != nil {
		return
	}
	if !t.isRef {
		var ok bool
		if t, ok = configured(s.rules.Load(), t); !ok {
			return
		}
	}
	at := slices.IndexFunc(t.refs, func(ref secret.Ref) bool { return ref.Store == e.Source && ref.Version == "" })
	if at < 0 {
		return
	}
	known := s.cache.Look(t.refs[at])
	if known.State != cached.Fresh && known.State != cached.Stale || known.Version == e.Version {
		return
	}
	options := t.options
	options.NoCache, options.Passive = true, true
	found, err := s.cache.Get(ctx, t.refs[at], options)
	found.Value.Wipe()
	if err != nil && ctx.Err() == nil {
		s.log.DebugContext(ctx, "a secret of which another replica has seen a new version could not be asked for; it is when its time is over",
			"secret", e.Name, "err", err)
	}
}

// watcher is a store that tells when something in it has changed.
type watcher interface {
	Watch(ctx context.Context, changed func(secret.Ref)) error
}

// follow has a store that was opened followed, if it tells of changes.
func (s *Service) follow(opened secret.Store) {
	if w, ok := opened.(watcher); ok {
		s.watch <- w // there is room: one store tells of changes
	}
}

// follows follows stores as they are opened, until ctx ends.
func (s *Service) follows(ctx context.Context, group *errgroup.Group) error {
	for {
		select {
		case w := <-s.watch:
			group.Go(func() error {
				return w.Watch(ctx, func(ref secret.Ref) {
					found, err := s.cache.Get(ctx, ref, cached.Options{NoCache: true, Passive: true})
					found.Value.Wipe()
					if err != nil && ctx.Err() == nil {
						s.log.WarnContext(ctx, "a secret that has changed cannot be read", "ref", ref.String(), "err", err)
					}
				})
			})
		case <-ctx.Done():
			return nil
		}
	}
}
