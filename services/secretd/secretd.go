// Package secretd gives secrets to those who may have them: one place that holds the credentials of the stores, asks them as
// seldom as it can, keeps to the operator's rules, and writes down who asked for what.
//
// It answers mlsdm.as.<caller>.secrets.get, .list and .refresh, and there is no plain form of these: a value leaves only sealed to
// a key that its caller made for the one request, bound to that request, and signed. What may be had is said by a file
// (SECRETD_CONFIG, which is read again when it changes) or by a few settings; what no rule allows is denied.
//
// That a store has another version of a secret it learns by asking again in the background, from the other replicas, which write
// what they see into the KV bucket of secrets, and from whoever asks for secrets.refresh: a notification of Vault or of a cloud
// needs no more than a subscriber that turns it into that request. Then it publishes secret.rotated, once.
package secretd

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/health"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/cached"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/seal"
	"github.com/neuron7x/mlsdm-integrations/internal/service"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/secretd/internal/audit"
	"github.com/neuron7x/mlsdm-integrations/services/secretd/internal/ledger"
	"github.com/neuron7x/mlsdm-integrations/services/secretd/internal/rules"
)

// Summary says in one line what the service does.
const Summary = "Gives secrets to who may have them, sealed on the way."

// description is the same for who lists the services of a bus.
const description = "gives secrets to who may have them, sealed on the way"

// source is the CloudEvents source of the events that secretd publishes.
const source = "/mlsdm/secretd"

const (
	// operationTimeout bounds the work on one request.
	operationTimeout = 10 * time.Second
	// workers is how many gets are in hand at a time; they wait for stores more than they work.
	workers = 256
	// endTimeout bounds what is done at the end: records that wait are stored, what stores have lent is given back.
	endTimeout = 3 * time.Second
	// publishEvery is how often it is tried to write the key to sign with down.
	publishEvery = 5 * time.Second
)

// Service is a secretd. Make one with [New].
type Service struct {
	cfg     Config
	bus     *bus.Bus
	log     *slog.Logger
	version string
	drain   time.Duration

	rules  atomic.Pointer[rules.Rules]
	reload *reload
	stores map[string]*store
	cache  *cached.Cache
	signer *seal.Signer
	audit  *audit.Log
	ledger *ledger.Ledger

	limits  *limits
	failing *failing
	metrics *metrics
	renew   chan ledger.Entry
	watch   chan watcher
	life    context.Context // of what is told of values
	end     context.CancelFunc
}

// New checks the configuration and makes a Service; it asks no store.
func New(cfg Config, deps service.Deps) (*Service, error) {
	return NewWithLookup(cfg, deps, os.LookupEnv)
}

// NewWithLookup is [New] with another environment than the process's own.
func NewWithLookup(cfg Config, deps service.Deps, lookup func(variable string) (string, bool)) (*Service, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	reload := newReload(cfg) // first: what changes while the rules are read is read again
	now, err := cfg.rules()
	if err != nil {
		return nil, err
	}
	s := &Service{
		cfg: cfg, bus: deps.Bus, log: deps.Logger, version: deps.Version, drain: deps.DrainTimeout, reload: reload,
		limits: newLimits(), failing: newFailing(deps.Logger), renew: make(chan ledger.Entry, renewQueue), watch: make(chan watcher, 1),
	}
	s.life, s.end = context.WithCancel(context.Background())
	s.rules.Store(now)
	s.stores = cfg.stores(lookup, deps.Logger, deps.Health, deps.Tracer)
	for _, store := range s.stores {
		store.used = s.follow
	}
	if s.metrics, err = newMetrics(deps.Metrics); err != nil {
		return nil, err
	}
	if err := s.keys(deps); err != nil {
		return nil, err
	}
	if s.cache, err = cached.New(asStores(s.stores), cached.Config{
		TTL: cfg.TTL, MaxStale: orNever(cfg.MaxStale), Interval: pastCacheEvery, Log: deps.Logger, Metrics: deps.Metrics,
	}, observer{s}); err != nil {
		return nil, err
	}
	s.ledger = ledger.New(deps.Bus, source, deps.Logger, s.learned)
	deps.Health.Register("audit", func(context.Context) error { return degraded(s.audit.Check()) })
	if cfg.File != "" {
		deps.Health.Register("rules", func(context.Context) error { return degraded(s.reload.problem()) })
	}
	return s, nil
}

// keys reads, or makes, the keys to sign with and to hash with.
func (s *Service) keys(deps service.Deps) error {
	seed, err := key(s.cfg.SigningKey, s.cfg.SigningKeyFile)
	if err != nil {
		return fmt.Errorf("secretd-signing-key-file: %w", err)
	}
	if seed.IsZero() {
		s.signer, err = seal.MakeSigner()
	} else {
		s.signer, err = seal.NewSigner(seed)
	}
	if err != nil {
		return fmt.Errorf("secretd-signing-key: %w", err)
	}
	text, err := key(s.cfg.AuditKey, s.cfg.AuditKeyFile)
	if err != nil {
		return fmt.Errorf("secretd-audit-key-file: %w", err)
	}
	hashing := audit.MakeKey()
	if !text.IsZero() {
		if hashing, err = audit.ParseKey(text); err != nil {
			return fmt.Errorf("secretd-audit-key: %w", err)
		}
	} else {
		deps.Logger.Warn("there is no key for the audit (SECRETD_AUDIT_KEY): the names in its records are hashed with one that ends with this process, and cannot be compared with those of another")
	}
	s.audit, err = audit.New(deps.Bus, deps.Bus.Subjects().AuditSecrets(), hashing, deps.Logger, deps.Metrics)
	return err
}

// degraded is an error as health sees it: work goes on.
func degraded(err error) error {
	if err == nil {
		return nil
	}
	return health.Degraded("%w", err)
}

// asStores are the stores as the cache takes them.
func asStores(all map[string]*store) map[string]secret.Store {
	stores := make(map[string]secret.Store, len(all))
	for name, store := range all {
		stores[name] = store
	}
	return stores
}

// orNever says "not at all" in the words of the cache, for which zero is the default.
func orNever(d time.Duration) time.Duration {
	if d == 0 {
		return cached.Never
	}
	return d
}

// Run answers requests until ctx ends, then finishes those in hand, stores the records that wait, gives back what stores have
// lent, and returns nil.
func (s *Service) Run(ctx context.Context) error {
	s.introduce(ctx)
	behind, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	group, behind := errgroup.WithContext(behind)
	group.Go(func() error { return s.ledger.Run(behind) })
	group.Go(func() error { return s.cache.Run(behind) })
	group.Go(func() error { return s.signer.Run(behind) })
	group.Go(func() error { s.publishKey(behind); return nil })
	group.Go(func() error { return s.follows(behind, group) })
	if s.cfg.File != "" {
		group.Go(func() error { s.reloads(behind); return nil })
	}
	for range renewers {
		group.Go(func() error { s.renews(behind); return nil })
	}
	recording, stopRecording := context.WithCancel(context.WithoutCancel(ctx))
	defer stopRecording()
	recorded := make(chan error, 1)
	go func() { recorded <- s.audit.Run(recording) }()

	err := s.bus.Serve(ctx, bus.Service{
		Name: events.MicroName(events.ServiceSecretd), Version: s.version, Description: description, DrainTimeout: s.drain,
		Operations: []bus.Operation{
			{Name: events.OpSecretsGet, Workers: workers, Timeout: operationTimeout, Handler: s.get},
			{Name: events.OpSecretsList, Timeout: operationTimeout, Handler: s.list},
			{Name: events.OpSecretsRefresh, Timeout: operationTimeout, Handler: s.refresh},
		},
	})
	end := time.AfterFunc(endTimeout, stopRecording)
	defer end.Stop()
	s.audit.Close()
	err = errors.Join(err, <-recorded)
	stop()
	err = errors.Join(err, group.Wait())
	s.forget()
	return errors.Join(err, s.closeStores(ctx))
}

// forget ends what is known, and what is told of it.
func (s *Service) forget() {
	s.end()
	s.cache.Close()
}

// introduce says at the start what is given to whom, and by whom.
func (s *Service) introduce(ctx context.Context) {
	switch now := s.rules.Load(); {
	case now.Len() == 0 && len(now.Callers()) == 0:
		s.log.InfoContext(ctx, "no secret may be asked for (SECRETD_CONFIG, or SECRETD_ALLOW); every request is denied")
	default:
		s.log.InfoContext(ctx, "giving out secrets", "secrets", now.Len(), "callers", now.Callers(), "stores", now.Stores())
	}
	s.log.InfoContext(ctx, "what is given out is signed", "signer_key", s.signer.Public(), "made_at_this_start", s.madeKey())
}

// madeKey reports whether the key to sign with was made at this start, and is not the operator's.
func (s *Service) madeKey() bool { return s.cfg.SigningKey.IsZero() && s.cfg.SigningKeyFile == "" }

// publishKey writes the operator's key down for callers to find, as soon as it can. One that was made at the start is not: of
// replicas each would have its own, and callers would refuse what the others sign. That they know another key already, and refuse
// all that this secretd signs, is said then: only the operator can know which of both is wrong.
func (s *Service) publishKey(ctx context.Context) {
	publish := s.ledger.Publish
	if s.madeKey() {
		publish = func(ctx context.Context, _ string) (string, error) { return s.ledger.Published(ctx) }
	}
	ticker := time.NewTicker(publishEvery)
	defer ticker.Stop()
	for said := false; ; said = true {
		before, err := publish(ctx, s.signer.Public())
		switch {
		case err == nil && (before == "" || before == s.signer.Public()):
			return
		case err == nil && s.madeKey():
			s.log.ErrorContext(ctx, "callers know secretd by another key, and refuse what this one signs: set SECRETD_SIGNING_KEY to the seed of that key, or delete the key signer of the bucket of secrets and start them again",
				"known", before, "signer_key", s.signer.Public())
			return
		case err == nil:
			s.log.WarnContext(ctx, "callers are told another key to know secretd by than before; replicas need the same (SECRETD_SIGNING_KEY)", "before", before)
			return
		case !said && ctx.Err() == nil:
			s.log.WarnContext(ctx, "the public key by which callers know secretd could not be read or written down; trying until it can", "err", err)
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// closeStores gives back what stores have lent.
func (s *Service) closeStores(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTimeout)
	defer cancel()
	for _, store := range s.stores {
		if err := store.close(ctx); err != nil { // it ends by itself
			s.log.WarnContext(ctx, "what a store has lent could not be given back", "provider", store.name, "err", err)
		}
	}
	return nil
}
