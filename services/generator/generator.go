// Package generator answers conversations: one API, OpenAI's chat completions, over all providers and an echo in the
// process.
//
// It answers mlsdm.generate at once, in chunks if asked, and mlsdm.requests.generate durably.
package generator

import (
	"context"

	"github.com/neuron7x/mlsdm-integrations/internal/door"
	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/service"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Summary says in one line what the service does.
const Summary = "answers conversations: OpenAI's chat completions API over several providers, with streaming"

// Service is a generator. Make one with [New].
type Service struct {
	doors *door.Doors
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
	w := &worker{models: models, defaultModel: cfg.defaultModel()}
	doors, err := door.New(deps.Bus, door.Options{
		Kind: events.KindGenerate, Service: events.ServiceGenerator, Version: deps.Version, Description: Summary,
		Workers: cfg.Workers, Timeout: cfg.Timeout, MaxAttempts: cfg.MaxAttempts, DrainTimeout: deps.DrainTimeout,
		Metrics: deps.Metrics, Logger: deps.Logger,
	}, w.work)
	if err != nil {
		return nil, err
	}
	return &Service{doors: doors}, nil
}

// Run answers requests until ctx ends, then finishes those in hand and returns nil.
func (s *Service) Run(ctx context.Context) error { return s.doors.Run(ctx) }
