package dispatcher

import (
	"context"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel/trace"
	"golang.org/x/sync/errgroup"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/egress"
	"github.com/neuron7x/mlsdm-integrations/internal/service"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/attemptlog"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/endpoint"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/sender"
)

// source is the CloudEvents source of the events that the dispatcher publishes.
const source = "/mlsdm/dispatcher"

// Service is a dispatcher. Make one with [New].
type Service struct {
	cfg       Config
	bus       *bus.Bus
	log       *slog.Logger
	version   string
	drain     time.Duration
	endpoints endpoint.Set
	sender    *sender.Sender
	attempts  *attemptlog.Log
	metrics   *metrics
	tracer    trace.Tracer
}

// New checks the configuration and makes a Service; it dials nothing.
func New(cfg Config, deps service.Deps) (*Service, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	endpoints, err := cfg.endpoints()
	if err != nil {
		return nil, err
	}
	networks, err := cfg.networks()
	if err != nil {
		return nil, err
	}
	m, err := newMetrics(deps.Metrics)
	if err != nil {
		return nil, err
	}
	guard, err := egress.NewGuard(egress.Policy{Setting: allowSetting, Networks: networks, AllowHTTP: true})
	if err != nil {
		return nil, err
	}
	client := guard.Client(egress.ClientOptions{MaxIdle: cfg.Workers})
	return &Service{
		cfg: cfg, bus: deps.Bus, log: deps.Logger, version: deps.Version, drain: deps.DrainTimeout, endpoints: endpoints,
		sender: sender.New(client, cfg.Timeout, "mlsdm-webhooks/"+deps.Version),
		attempts: attemptlog.New(deps.Bus, deps.Bus.Subjects(), deps.Logger, func(n int) {
			m.lost.Add(float64(n))
		}),
		metrics: m, tracer: deps.Tracer.Tracer("github.com/neuron7x/mlsdm-integrations/services/dispatcher"),
	}, nil
}

// Run delivers until ctx ends. Then it takes nothing new, finishes the attempts in flight or gives them back when the
// drain timeout is over, and returns nil. An error means that the bus is not usable.
func (s *Service) Run(ctx context.Context) error {
	finished := make(chan struct{}) // nobody adds records any more
	recorded := make(chan struct{})
	go func() {
		defer close(recorded)
		s.attempts.Run(context.WithoutCancel(ctx), finished)
	}()

	group, running := errgroup.WithContext(ctx)
	group.Go(func() error { return s.route(running) })
	group.Go(func() error { return s.serve(running) })
	if s.endpoints.Len() > 0 {
		group.Go(func() error { return s.deliver(running) })
	}
	s.announce(ctx)
	err := group.Wait()
	close(finished)
	<-recorded
	return err
}

// announce says once where webhooks go. Without an endpoint the workers stay idle, so that what an earlier
// configuration left behind is kept for the next one.
func (s *Service) announce(ctx context.Context) {
	if s.endpoints.Len() == 0 {
		s.log.InfoContext(ctx, "no webhook endpoint is configured (WEBHOOK_URL); events are not delivered")
	}
	for _, e := range s.endpoints.All() {
		s.log.InfoContext(ctx, "delivering webhooks", "endpoint", e.ID, "host", e.URL.Host, "events", e.Patterns)
	}
}

// stream returns the real name of a stream of the catalogue.
func (s *Service) stream(name string) string { return s.bus.Subjects().StreamName(name) }

// maxHandlings bounds how often the bus hands one message out while our own work on it fails: publishing, not
// delivering, whose attempts are counted in the delivery. After some fifteen minutes it goes to dead letters.
const maxHandlings = 20

// prefetch is how many events wait in the process beside those being routed, which takes no time. Deliveries are not
// prefetched: one that waits behind slow receivers would time out here, and be made twice.
const prefetch = 128

// route makes deliveries of events.
func (s *Service) route(ctx context.Context) error {
	return s.bus.Consume(ctx, bus.ConsumeConfig{
		Stream: s.stream(events.StreamEvents), Durable: events.ConsumerRouter, Workers: s.cfg.Workers, Prefetch: prefetch,
		MaxAttempts: maxHandlings, DrainTimeout: s.drain,
		DeadSubject: func(*bus.Message) string { return s.bus.Subjects().DeadEvent() },
	}, s.routeOne)
}

// deliver makes attempts of deliveries.
func (s *Service) deliver(ctx context.Context) error {
	return s.bus.Consume(ctx, bus.ConsumeConfig{
		Stream: s.stream(events.StreamDeliveries), Durable: events.ConsumerWorkers, Workers: s.cfg.Workers,
		MaxAttempts: maxHandlings, DrainTimeout: s.drain,
		DeadSubject: func(m *bus.Message) string { return s.bus.Subjects().DeadDelivery(events.FaultInternal, endpointOf(m.Subject)) },
	}, s.deliverOne)
}
