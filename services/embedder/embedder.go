// Package embedder turns texts into vectors: one API, OpenAI's, over all providers and the models in the process.
//
// It answers mlsdm.embed at once and mlsdm.requests.embed durably. A text whose vector is not in the cache goes, with those of other
// requests, in one call to whoever serves the model. What is answered lies in the space of the model that was asked for, or is refused.
package embedder

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/cache"
	"github.com/neuron7x/mlsdm-integrations/internal/cacheline"
	"github.com/neuron7x/mlsdm-integrations/internal/door"
	"github.com/neuron7x/mlsdm-integrations/internal/health"
	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/genai"
	"github.com/neuron7x/mlsdm-integrations/internal/service"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/embedder/internal/batch"
	"github.com/neuron7x/mlsdm-integrations/services/embedder/internal/job"
	"github.com/neuron7x/mlsdm-integrations/services/embedder/internal/space"
	"github.com/neuron7x/mlsdm-integrations/services/embedder/internal/upstream"
)

// Summary says in one line what the service does.
const Summary = "turns texts into vectors: OpenAI's embeddings API over several providers and a local model"

// Service is an embedder. Make one with [New].
type Service struct {
	doors *door.Doors
	pins  *space.Pins
	cache *cache.Cache
	bus   *bus.Bus
}

// New checks cfg and returns a service that is ready to run. It connects to no provider.
func New(cfg Config, deps service.Deps) (*Service, error) {
	return build(cfg, deps, batch.Options{Logger: deps.Logger})
}

func build(cfg Config, deps service.Deps, patience batch.Options) (*Service, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	table, err := cfg.catalog()
	if err != nil {
		return nil, err
	}
	var metrics *upstream.Metrics
	if deps.Metrics != nil {
		if metrics, err = upstream.NewMetrics(deps.Metrics); err != nil {
			return nil, err
		}
	}
	recorder, err := genai.New(genai.Config{Tracer: deps.Tracer, Content: deps.CaptureContent, Metrics: deps.Metrics})
	if err != nil {
		return nil, err
	}
	patience.GenAI = recorder
	asked, err := upstreams(table, genai.NewClients(llm.NewHTTPClient(), deps.Tracer), upstream.Options{Metrics: metrics, GenAI: recorder, Logger: deps.Logger})
	if err != nil {
		return nil, fmt.Errorf("embedder-config: %w", err)
	}
	vectors, err := cache.New(cfg.Cache, deps.Logger, deps.Metrics)
	if err != nil {
		return nil, err
	}
	vectors.Register(deps.Memory)
	kept, err := vectors.Namespace("emb", cache.Options{})
	if err != nil {
		return nil, errors.Join(err, vectors.Close())
	}
	pins := space.New(deps.Bus, deps.Logger, "/mlsdm/"+events.ServiceEmbedder)
	c := &calls{table: table, upstreams: asked, pins: pins}
	w := &worker{
		table: table, sources: sources(table), calls: c, batcher: batch.New(c, patience), cache: kept, pins: pins,
		jobs: job.New(deps.Bus, job.Options{Logger: deps.Logger}),
	}
	doors, err := door.New(deps.Bus, door.Options{
		Kind: events.KindEmbed, Service: events.ServiceEmbedder, Version: deps.Version, Description: Summary,
		Workers: cfg.Workers, Timeout: cfg.Timeout, DurableTimeout: cfg.JobTimeout, MaxAttempts: cfg.MaxAttempts, DrainTimeout: deps.DrainTimeout,
		Operations: w.jobs.Operations(), Settled: w.jobs.Settled, Progress: w.jobs.Progress, Data: cacheline.Tell(vectors),
		Metrics: deps.Metrics, Logger: deps.Logger,
	}, w.work)
	if err != nil {
		return nil, errors.Join(err, vectors.Close())
	}
	s := &Service{bus: deps.Bus, doors: doors, pins: pins, cache: vectors}
	if deps.Health != nil {
		deps.Health.Register("cache", s.checkCache)
		deps.Health.Register("spaces", s.checkSpaces)
	}
	return s, nil
}

// checkCache says what is wrong with the cache, without which it goes on.
func (s *Service) checkCache(ctx context.Context) error {
	if err := s.cache.Check(ctx); err != nil {
		return health.Degraded("%w", err)
	}
	return nil
}

// checkSpaces says why nothing can be answered yet: it is not known which vectors go together.
func (s *Service) checkSpaces(ctx context.Context) error {
	select {
	case <-s.pins.Ready():
		return nil
	default:
	}
	if _, err := s.bus.KV(ctx, events.BucketSpaces); err != nil {
		return err
	}
	return errors.New("the pinned lengths of vectors have not been read yet")
}

// Run answers requests until ctx ends, then finishes those in hand and returns nil.
func (s *Service) Run(ctx context.Context) error {
	// What is in hand when ctx ends still has to know which vectors go together.
	after, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	ctx, finish := context.WithCancel(ctx)
	defer finish()
	if err := cacheline.Join(ctx, s.bus, events.ServiceEmbedder, s.cache); err != nil {
		return errors.Join(err, s.cache.Close())
	}
	var group errgroup.Group
	group.Go(func() error {
		defer finish() // who does not hear any longer which vectors go together, must not answer
		defer stop()   // and if he never did, is not waited for
		return s.pins.Run(after)
	})
	group.Go(func() error {
		defer stop()
		select {
		case <-s.pins.Ready():
			return s.doors.Run(ctx)
		case <-after.Done():
		case <-ctx.Done():
		}
		return nil
	})
	return errors.Join(group.Wait(), s.cache.Close())
}
