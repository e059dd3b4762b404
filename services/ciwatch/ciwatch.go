// Package ciwatch watches the CI of many repositories: it counts runs, publishes when health changes, and recovers what is broken where a rule
// says so.
package ciwatch

import (
	"context"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/health"
	"github.com/neuron7x/mlsdm-integrations/internal/service"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/hooks"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/watch"
)

// Source is the CloudEvents source of ciwatch's events.
const Source = watch.Source

// Service is a ciwatch. Make one with [New].
type Service struct {
	cfg     Config
	watch   *watch.Watch
	wanted  int
	bus     *bus.Bus
	log     *slog.Logger
	version string
	drain   time.Duration
	door    *hooks.Door // nil without a secret that signs webhooks
}

// New checks cfg and returns a service that is ready to run. It asks no forge.
func New(cfg Config, deps service.Deps) (*Service, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	made, err := cfg.setup(deps.Version)
	if err != nil {
		return nil, err
	}
	made.watch.Drain, made.watch.Tracer = deps.DrainTimeout, deps.Tracer
	w, err := watch.New(made.watch, deps.Bus, deps.Logger, deps.Metrics)
	if err != nil {
		return nil, err
	}
	s := &Service{
		cfg: cfg, watch: w, wanted: len(made.watch.Repositories), bus: deps.Bus, log: deps.Logger, version: deps.Version, drain: deps.DrainTimeout,
	}
	if s.wanted > 0 && len(made.sources) > 0 {
		s.door, err = hooks.New(hooks.Config{
			Addr: cfg.WebhookAddr, Sources: made.sources, Publish: w.Tell, Accepts: w.Watches, Drain: deps.DrainTimeout,
			Metrics: deps.Metrics, Tracer: deps.Tracer, Logger: deps.Logger,
		})
		if err != nil {
			return nil, err
		}
	}
	if s.wanted > 0 && deps.Health != nil {
		deps.Health.Register("forges", s.checkForges)
		if s.door != nil {
			deps.Health.Register("webhooks", s.door.Check)
		}
	}
	return s, nil
}

// Run watches, and answers questions, until ctx ends; then it finishes what it has begun and returns nil.
func (s *Service) Run(ctx context.Context) error {
	group, running := errgroup.WithContext(ctx)
	group.Go(func() error { return s.serve(running) })
	if s.wanted == 0 {
		s.log.InfoContext(ctx, "no repository is configured (GITHUB_REPOSITORY); no CI is watched")
	} else {
		s.log.InfoContext(ctx, "watching CI", "repositories", s.cfg.Repositories, "workflow", s.cfg.Workflow, "branch", s.cfg.Branch,
			"poll_interval", s.cfg.PollInterval, "authenticated", !s.cfg.Token.IsZero(), "recovery", s.cfg.Recovery, "dry_run", s.cfg.RecoveryDryRun)
		if s.cfg.exposesToken() {
			s.log.WarnContext(ctx, "the token is sent without encryption: GITHUB_API_URL is http")
		}
		group.Go(func() error { return s.watch.Run(running) })
		if s.door != nil {
			group.Go(func() error { return s.door.Run(running) })
		}
	}
	return group.Wait()
}

// checkForges says that a forge could not be asked. Requests are answered all the same, with what was seen last.
func (s *Service) checkForges(context.Context) error {
	if err := s.watch.Health(); err != nil {
		return health.Degraded("the last poll failed: %w", err)
	}
	return nil
}
