// Package embedder turns texts into vectors: one API, OpenAI's, over all providers and the models in the process.
//
// It answers mlsdm.embed at once and mlsdm.requests.embed durably, and keeps vectors that were paid for in a cache.
package embedder

import (
	"context"
	"errors"

	"github.com/neuron7x/mlsdm-integrations/internal/cache"
	"github.com/neuron7x/mlsdm-integrations/internal/door"
	"github.com/neuron7x/mlsdm-integrations/internal/health"
	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/service"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/embedder/internal/job"
)

// Summary says in one line what the service does.
const Summary = "turns texts into vectors: OpenAI's embeddings API over several providers and a local model"

// Service is an embedder. Make one with [New].
type Service struct {
	doors *door.Doors
	cache *cache.Cache
}

// New checks cfg and returns a service that is ready to run. It connects to no provider.
func New(cfg Config, deps service.Deps) (*Service, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	models, err := cfg.models(llm.NewHTTPClient())
	if err != nil {
		return nil, err
	}
	vectors, err := cache.New(cfg.Cache, deps.Logger, deps.Metrics)
	if err != nil {
		return nil, err
	}
	space, err := vectors.Namespace("emb", cache.Options{})
	if err != nil {
		return nil, errors.Join(err, vectors.Close())
	}
	w := &worker{models: models, defaultModel: cfg.DefaultModel, cache: space, log: deps.Logger}
	jobs := job.New(deps.Bus, job.Options{Logger: deps.Logger})
	doors, err := door.New(deps.Bus, door.Options{
		Kind: events.KindEmbed, Service: events.ServiceEmbedder, Version: deps.Version, Description: Summary,
		Workers: cfg.Workers, Timeout: cfg.Timeout, MaxAttempts: cfg.MaxAttempts, DrainTimeout: deps.DrainTimeout,
		Operations: jobs.Operations(), Settled: jobs.Settled, Progress: jobs.Progress,
		Metrics: deps.Metrics, Logger: deps.Logger,
	}, w.work)
	if err != nil {
		return nil, errors.Join(err, vectors.Close())
	}
	deps.Health.Register("cache", func(ctx context.Context) error {
		if err := vectors.Check(ctx); err != nil {
			return health.Degraded("%w", err)
		}
		return nil
	})
	return &Service{doors: doors, cache: vectors}, nil
}

// Run answers requests until ctx ends, then finishes those in hand and returns nil.
func (s *Service) Run(ctx context.Context) error {
	return errors.Join(s.doors.Run(ctx), s.cache.Close())
}
