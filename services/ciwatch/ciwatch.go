// Package ciwatch watches the completed GitHub Actions runs of a repository, counts the failed ones in a row and
// publishes what happened: every run, degraded and recovered health, flaky commits, and the call for recovery.
//
// Each attempt of a run is counted once, whatever is polled, restarted or run beside it: what was counted is kept in the
// KV bucket mlsdm_ci, written by compare-and-set after the events were stored, and the events have ids that are made from
// what they tell. So a crash between the two repeats the same events with the same ids, which JetStream drops.
package ciwatch

import (
	"context"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/service"
	forge "github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/oldforge"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/oldforge/github"
)

// Source is the CloudEvents source of the events that ciwatch publishes.
const Source = "/mlsdm/ciwatch"

// clockSlack is how far GitHub's clock may be behind ours before a run that ends during the watch is taken for history.
const clockSlack = time.Minute

// Service is a ciwatch. Make one with [New].
type Service struct {
	cfg     Config
	source  forge.Source // nil when no repository is configured
	bus     *bus.Bus
	log     *slog.Logger
	version string
	drain   time.Duration
	metrics *metrics

	since time.Time     // what ended before is history to a workflow that was never seen
	turn  chan struct{} // holds one token while a poll is going on
	view  view

	// These belong to who has the turn.
	known     map[string]seen // by KV key
	toldEmpty bool
}

// New checks the configuration and makes a Service; it dials nothing.
func New(cfg Config, deps service.Deps) (*Service, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	m, err := newMetrics(deps.Metrics)
	if err != nil {
		return nil, err
	}
	s := &Service{
		cfg: cfg, bus: deps.Bus, log: deps.Logger, version: deps.Version, drain: deps.DrainTimeout, metrics: m,
		since: time.Now().Add(-clockSlack), turn: make(chan struct{}, 1), known: map[string]seen{},
	}
	if cfg.Repository == "" {
		return s, nil
	}
	forgeConfig := cfg.github("mlsdm-ciwatch/" + deps.Version)
	forgeConfig.OnNotModified = m.notModified.Inc
	if s.source, err = github.New(forgeConfig); err != nil {
		return nil, err
	}
	deps.Health.Register("github", s.checkHealth)
	return s, nil
}

// Run watches until ctx ends; a run that is being counted then is counted to its end. It returns nil on a clean stop. An
// error means that the bus is not usable. Without a repository it only answers requests, which say so.
func (s *Service) Run(ctx context.Context) error {
	group, running := errgroup.WithContext(ctx)
	group.Go(func() error { return s.serve(running) })
	if s.source == nil {
		s.log.InfoContext(ctx, "no repository is configured (GITHUB_REPOSITORY); no CI is watched")
	} else {
		s.log.InfoContext(ctx, "watching CI", "subject", s.cfg.Repository, "workflow", s.cfg.Workflow, "branch", s.cfg.Branch,
			"poll_interval", s.cfg.PollInterval, "authenticated", !s.cfg.Token.IsZero())
		if s.cfg.exposesToken() {
			s.log.WarnContext(ctx, "the token is sent without encryption: GITHUB_API_URL is http")
		}
		group.Go(func() error {
			s.watch(running)
			return nil
		})
	}
	return group.Wait()
}
