// Package generator answers conversations: one API, OpenAI's chat completions, over all providers and an echo in the
// process.
//
// It answers mlsdm.generate at once, in chunks if asked, and mlsdm.requests.generate durably. A request goes through the moral filter,
// the cache of answers if it wants to, and the engine, which asks one model after the other until one has answered; limits that all
// replicas share are reserved before each attempt and settled after it.
package generator

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
	"github.com/neuron7x/mlsdm-integrations/internal/retry"
	"github.com/neuron7x/mlsdm-integrations/internal/service"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/generator/internal/answers"
	"github.com/neuron7x/mlsdm-integrations/services/generator/internal/engine"
	"github.com/neuron7x/mlsdm-integrations/services/generator/internal/limits"
	"github.com/neuron7x/mlsdm-integrations/services/generator/internal/moral"
)

// Summary says in one line what the service does.
const Summary = "answers conversations: OpenAI's chat completions API over several providers, with streaming"

// Service is a generator. Make one with [New].
type Service struct {
	doors   *door.Doors
	filter  *moral.Filter
	limiter *limits.Limiter
	cache   *cache.Cache
	deps    service.Deps
}

// New checks cfg and returns a service that is ready to run. It connects to no provider.
func New(cfg Config, deps service.Deps) (*Service, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	doc, err := cfg.document()
	if err != nil {
		return nil, err
	}
	by := genai.NewClients(llm.NewHTTPClient(), deps.Tracer)
	recorder, err := genai.New(genai.Config{Tracer: deps.Tracer, Content: deps.CaptureContent, Metrics: deps.Metrics})
	if err != nil {
		return nil, err
	}
	providers, err := adapters(doc.table, by)
	if err != nil {
		return nil, fmt.Errorf("generator-config: %w", err)
	}
	s := &Service{deps: deps}
	if s.filter, err = moral.New(doc.moral, moral.Deps{
		Bus: deps.Bus, HTTP: by.Quiet, Source: "/mlsdm/" + events.ServiceGenerator, Metrics: deps.Metrics, Logger: deps.Logger,
	}); err != nil {
		return nil, err
	}
	s.limiter = limits.New(doc.limits, deps.Bus, limits.Options{Logger: deps.Logger})
	settings := engine.Config{
		Answer: cfg.Answer, FirstToken: cfg.FirstChunk, Idle: cfg.Idle, Retries: cfg.Retries,
		Backoff: retry.Backoff{}, Metrics: deps.Metrics, GenAI: recorder, Logger: deps.Logger,
	}
	if s.limiter != nil {
		settings.Gate = &gate{limiter: s.limiter, prices: doc.prices}
	}
	made, err := engine.New(settings, providers)
	if err != nil {
		return nil, err
	}
	if s.cache, err = cache.New(cfg.Cache, deps.Logger, deps.Metrics); err != nil {
		return nil, err
	}
	s.cache.Register(deps.Memory)
	w := &worker{table: doc.table, defaultModel: cfg.defaultModel(doc), engine: made, filter: s.filter, prices: doc.prices}
	if s.cache != nil {
		space, err := s.cache.Namespace("chat", cache.Options{})
		if err != nil {
			return nil, errors.Join(err, s.cache.Close())
		}
		w.answers = answers.New(space, deps.Logger)
		deps.Health.Register("cache", func(ctx context.Context) error {
			if err := s.cache.Check(ctx); err != nil {
				return health.Degraded("%w", err)
			}
			return nil
		})
	}
	list := &models{worker: w, limiter: s.limiter, providers: providers, log: deps.Logger}
	s.doors, err = door.New(deps.Bus, door.Options{
		Kind: events.KindGenerate, Service: events.ServiceGenerator, Version: deps.Version, Description: Summary,
		Workers: cfg.Workers, Timeout: cfg.Timeout, MaxAttempts: cfg.MaxAttempts, DrainTimeout: deps.DrainTimeout, KeepChunks: true,
		Operations: []bus.Operation{{Name: events.OpModels, Handler: list.handle}}, Reported: &cfg.Reported, Data: cacheline.Tell(s.cache),
		Metrics: deps.Metrics, Logger: deps.Logger,
	}, w.work)
	if err != nil {
		return nil, err
	}
	return s, nil
}

// Run answers requests until ctx ends, then finishes those in hand, writes down what the limits and the filter have to remember, and
// returns nil.
func (s *Service) Run(ctx context.Context) error {
	// What the doors leave behind is written when they are closed.
	after, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	if err := cacheline.Join(ctx, s.deps.Bus, events.ServiceGenerator, s.cache); err != nil {
		return errors.Join(err, s.cache.Close())
	}
	var group errgroup.Group
	group.Go(func() error {
		defer stop() // after a failure it is never ready
		return s.filter.Run(after)
	})
	group.Go(func() error {
		defer stop()
		select {
		case <-s.filter.Ready():
		case <-after.Done():
			return nil
		case <-ctx.Done():
			return nil
		}
		err := s.doors.Run(ctx)
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), bus.DefaultDrainTimeout)
		defer cancel()
		if lost := s.limiter.Close(closing); lost != nil {
			s.deps.Logger.WarnContext(closing, "what the last requests used is not counted in the limits", "err", lost)
		}
		return err
	})
	err := group.Wait()
	if s.cache != nil {
		if lost := s.cache.Close(); lost != nil {
			s.deps.Logger.WarnContext(ctx, "the cache could not be closed", "err", lost)
		}
	}
	return err
}
