package dispatcher

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"sync"
	"time"

	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
	"golang.org/x/sync/errgroup"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/egress"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/remote"
	"github.com/neuron7x/mlsdm-integrations/internal/service"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/attemptlog"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/gate"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/history"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/keyring"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/registry"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/target"
)

// source is the CloudEvents source of the events that the dispatcher publishes.
const source = "/mlsdm/dispatcher"

// Service is a dispatcher. Make one with [New].
type Service struct {
	cfg     Config
	policy  gate.Policy
	bus     *bus.Bus
	log     *slog.Logger
	version string
	// userAgent is the value of the header of that name.
	userAgent string
	drain     time.Duration
	outlet    *outlet
	client    *http.Client     // of static
	static    *target.Endpoint // as it was at the start; nil when the configuration describes none
	keys      []target.Key     // of static, as it is now; whoever follows the settings has it
	sealer    *keyring.Sealer  // as it was at the start
	following *following       // nil when no setting refers to anything

	attempts *attemptlog.Log
	history  *history.History
	metrics  *metrics
	tracer   trace.Tracer
	tracing  bool // somebody looks at the spans
	secrets  *remote.Client

	pace       pace          // of what comes back to endpoints that are held back
	missed     *missed       // endpoints that may have missed events
	untold     chan struct{} // wakes whoever tells of disabled endpoints
	probeEvery time.Duration

	// Made by Run, which needs the bus for them.
	state    *bus.KV
	registry *registry.Registry
	gates    *gate.Gates
}

// New checks the configuration and makes a Service; it dials nothing.
func New(cfg Config, deps service.Deps) (*Service, error) {
	used, err := cfg.asTheyAre()
	if err != nil {
		return nil, err
	}
	if err := used.Validate(); err != nil {
		return nil, err
	}
	guard, err := used.guard()
	if err != nil {
		return nil, err
	}
	m, err := newMetrics(deps.Metrics)
	if err != nil {
		return nil, err
	}
	s := &Service{
		cfg: cfg, policy: gate.DefaultPolicy(), bus: deps.Bus, log: deps.Logger, version: deps.Version, userAgent: "mlsdm-webhooks/" + deps.Version, drain: deps.DrainTimeout,
		outlet: newOutlet(guard), metrics: m, secrets: deps.Secrets, missed: newMissed(), untold: make(chan struct{}, 1), probeEvery: probeEvery,
		attempts: attemptlog.New(deps.Bus, deps.Bus.Subjects(), deps.Logger, func(n int) { m.lost.Add(float64(n)) }),
		tracer:   deps.Tracer.Tracer("github.com/neuron7x/mlsdm-integrations/services/dispatcher"),
	}
	_, untraced := deps.Tracer.(noop.TracerProvider)
	s.tracing = !untraced
	s.history = history.New(deps.Bus, s.deliverable)
	if s.sealer, err = keyring.NewSealer(used.SealKeys); err != nil {
		return nil, err
	}
	if err := s.newStatic(used); err != nil {
		return nil, err
	}
	if s.following = s.newFollowing(used); s.following != nil {
		deps.Health.Register("settings", s.following.check)
	}
	return s, nil
}

// newStatic makes the endpoint that a configuration describes, if any.
func (s *Service) newStatic(cfg Config) error {
	parts, err := cfg.static(s.outlet.guard.Load())
	if err != nil || parts == nil {
		return err
	}
	s.client = s.outlet.client(egress.ClientOptions{MaxIdle: cfg.Workers})
	s.keys, parts.Client = parts.Keys, s.client
	s.static, err = target.New(*parts)
	return err
}

// Run delivers until ctx ends. Then it takes nothing new, finishes the attempts in flight or gives them back when the
// drain timeout is over, and returns nil. An error means that the bus is not usable.
func (s *Service) Run(ctx context.Context) error {
	if err := s.open(ctx); err != nil {
		if ctx.Err() != nil {
			return nil // to be told to stop is no failure
		}
		return err
	}
	reserved := reserve()
	defer runtime.KeepAlive(reserved)
	// What the work needs goes on until the work is done.
	support, done := context.WithCancel(context.WithoutCancel(ctx))
	var supporting sync.WaitGroup
	defer func() {
		done()
		supporting.Wait()
	}()
	failed := make(chan error, 4)
	loaded := make(chan struct{})
	supporting.Go(func() { s.attempts.Run(context.WithoutCancel(ctx), support.Done()) })
	supporting.Go(func() { failed <- s.registry.Run(support) })
	supporting.Go(func() { failed <- s.followRotations(support) })
	supporting.Go(func() { failed <- s.gates.Run(support, func() { close(loaded) }) })
	for _, ready := range []<-chan struct{}{s.registry.Loaded(), loaded} {
		select {
		case <-ready:
		case err := <-failed:
			return err
		case <-ctx.Done():
			return nil
		}
	}
	s.announce(ctx)
	if s.following != nil {
		supporting.Go(func() { s.following.run(support) })
	}
	group, running := errgroup.WithContext(ctx)
	group.Go(func() error { return s.route(running) })
	group.Go(func() error { return s.catchUp(running) })
	group.Go(func() error { return s.serve(running) })
	group.Go(func() error {
		return s.deliver(running, events.StreamDeliveries, events.ConsumerWorkers, s.cfg.Workers)
	})
	group.Go(func() error {
		return s.deliver(running, events.StreamWaiting, events.ConsumerRetries, s.cfg.retryWorkers())
	})
	group.Go(func() error { return s.deliverOrdered(running) })
	group.Go(func() error { return s.tellOfDisabled(running) })
	group.Go(func() error {
		select {
		case err := <-failed:
			return err
		case <-running.Done():
			return nil
		}
	})
	return group.Wait()
}

// openRetry is the pause before the bus is asked again.
const openRetry = time.Second

// open makes what needs the bus.
func (s *Service) open(ctx context.Context) error {
	var err error
	for { // the bucket was there a moment ago; the server may be on its way back
		if s.state, err = s.bus.KV(ctx, events.BucketEndpointState); err == nil {
			break
		}
		if events.CodeOf(err) == events.CodeFailedPrecondition {
			return err
		}
		s.log.WarnContext(ctx, "the state of endpoints cannot be read yet; trying again", "err", err)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(openRetry):
		}
	}
	policy := s.policy
	policy.LateWorkers = s.cfg.retryWorkers()
	s.gates = gate.New(s.state, events.NewID(), s.cfg.Workers+s.cfg.retryWorkers(), policy, s.log)
	if s.registry, err = s.newRegistry(); err != nil {
		return fmt.Errorf("the endpoints: %w", err)
	}
	return nil
}

// announce says once where webhooks go.
func (s *Service) announce(ctx context.Context) {
	if s.static != nil {
		s.log.InfoContext(ctx, "delivering webhooks", "endpoint", s.static.ID(), "host", s.static.URL().Host, "events", s.static.Spec().Events)
	}
	s.log.InfoContext(ctx, "webhook endpoints are loaded", "endpoints", s.registry.Set().Len())
}

// stream returns the real name of a stream of the catalogue.
func (s *Service) stream(name string) string { return s.bus.Subjects().StreamName(name) }

// maxHandlings bounds how often the bus hands one message out while our own work on it fails: publishing, not
// delivering, whose attempts are counted in the delivery. After some fifteen minutes it goes to dead letters.
const maxHandlings = 20

// prefetch is how many events wait in the process beside those being routed, which takes no time. Deliveries are not
// prefetched: one that waits behind slow receivers would time out here, and be made twice.
const prefetch = 128

// maxHeld bounds the bytes of what is held of one consumer, so that many large events do not fill the memory.
const maxHeld = 32 << 20

// routers is how many events are routed at a time.
const routers = 64

// route makes deliveries of events.
func (s *Service) route(ctx context.Context) error {
	return s.bus.Consume(ctx, bus.ConsumeConfig{
		Stream: s.stream(events.StreamEvents), Durable: events.ConsumerRouter, Workers: routers, Prefetch: prefetch, MaxBytes: maxHeld,
		MaxAttempts: maxHandlings, DrainTimeout: s.drain,
		DeadSubject: func(*bus.Message) string { return s.bus.Subjects().DeadEvent() },
	}, s.routeOne)
}

// deliver makes attempts of deliveries.
func (s *Service) deliver(ctx context.Context, stream, consumer string, workers int) error {
	return s.bus.Consume(ctx, bus.ConsumeConfig{
		Stream: s.stream(stream), Durable: consumer, Workers: workers, MaxBytes: maxHeld,
		MaxAttempts: maxHandlings, DrainTimeout: s.drain,
		DeadSubject: func(m *bus.Message) string {
			return s.bus.Subjects().DeadDelivery(events.FaultInternal, endpointOf(m.Subject))
		},
	}, s.deliverOne)
}
