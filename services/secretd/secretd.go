// Package secretd gives secrets to those who may have them: one place that holds the credentials of the stores, keeps to
// a list of names, and writes down who asked for what.
//
// There is one operation, mlsdm.as.<caller>.secrets.get, and no plain form of it: a value leaves only sealed to a key that
// its caller made for the one request.
package secretd

import (
	"context"
	"log/slog"
	"os"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/internal/service"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Summary says in one line what the service does.
const Summary = "Gives secrets to who may have them, sealed on the way."

// description is the same for who lists the services of a bus.
const description = "gives secrets to who may have them, sealed on the way"

// operationTimeout bounds the work on one request.
const operationTimeout = 10 * time.Second

// Service is a secretd. Make one with [New].
type Service struct {
	cfg     Config
	store   secret.Chain
	bus     *bus.Bus
	log     *slog.Logger
	version string
	drain   time.Duration
	metrics *metrics
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
	m, err := newMetrics(deps.Metrics)
	if err != nil {
		return nil, err
	}
	stores, err := cfg.open(lookup, deps.Health)
	if err != nil {
		return nil, err
	}
	return &Service{
		cfg: cfg, store: stores, bus: deps.Bus, log: deps.Logger, version: deps.Version, drain: deps.DrainTimeout,
		metrics: m,
	}, nil
}

// Run answers requests until ctx ends, then finishes those in hand and returns nil.
func (s *Service) Run(ctx context.Context) error {
	if len(s.cfg.Allow) == 0 {
		s.log.InfoContext(ctx, "no secret may be asked for (SECRETD_ALLOW); every request is denied")
	} else {
		s.log.InfoContext(ctx, "giving out secrets", "secrets", s.cfg.Allow, "callers", s.cfg.Callers, "stores", s.cfg.order())
	}
	return s.bus.Serve(ctx, bus.Service{
		Name: events.MicroName(events.ServiceSecretd), Version: s.version, Description: description, DrainTimeout: s.drain,
		Operations: []bus.Operation{{Name: events.OpSecretsGet, Timeout: operationTimeout, Handler: s.get}},
	})
}
