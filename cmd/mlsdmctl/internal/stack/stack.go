// Package stack runs every service in one process, on a NATS server in that same process: the whole system for a laptop, a
// test or a demo.
//
// Nothing is different for a service: it has its own connection to the server, its own settings and its own place in the
// health report, and it can be killed and started again by itself.
package stack

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"go.opentelemetry.io/otel/trace"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/health"
	"github.com/neuron7x/mlsdm-integrations/internal/memory"
	"github.com/neuron7x/mlsdm-integrations/internal/provision"
	"github.com/neuron7x/mlsdm-integrations/internal/service"
	"github.com/neuron7x/mlsdm-integrations/internal/telemetry"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Options say what to run.
type Options struct {
	// Addr is where the embedded server listens: HOST:PORT on loopback, unless Insecure; port 0 picks a free one. Who connects
	// there needs no key, and may do everything. The services have keys, and may do what they may on any closed bus.
	Addr string
	// Insecure lets Addr be any address, where whoever reaches it may do everything.
	Insecure bool
	// DataDir keeps the streams; it is made if it is not there.
	DataDir string
	// AdminAddr is where /livez, /readyz and /metrics are served for all services together; "off" or empty for nowhere.
	AdminAddr string
	// Units are the services.
	Units []service.Unit
	// Source is where their settings come from.
	Source service.Source
	// Logger takes the stack's own log lines, LoggerFor makes that of a service.
	Logger    *slog.Logger
	LoggerFor func(service string) *slog.Logger
	// Tracer and CaptureContent are handed to the services.
	Tracer         trace.TracerProvider
	CaptureContent bool
	// Telemetry takes the metrics of all services; without it they are on /metrics as they are.
	Telemetry *telemetry.Telemetry
	// LevelFor returns what a service logs; nil is what nobody sees.
	LevelFor func(service string) *slog.LevelVar
	// Memory is how the memory of the process is watched; the zero value is not at all.
	Memory memory.Config
}

// Stack is a running stack. Make one with [Start].
type Stack struct {
	server   *server.Server
	users    users
	logger   *slog.Logger
	loggers  func(service string) *slog.Logger
	tracer   trace.TracerProvider
	content  bool
	options  Options
	instance string        // of all services: they are one process
	parts    memory.Parts  // what holds memory
	watched  chan struct{} // closed when memory is not watched any more; nil before it was
	checks   *health.Checks
	admin    *health.Server
	process  *prometheus.Registry
	failed   chan error
	stopping context.CancelFunc
	intake   context.Context //nolint:containedctx // the context of all services: it ends when the stack is told to stop

	life       sync.Mutex // one start or stop of a service at a time; held for as long as that takes
	stopped    bool       // guarded by life
	stopServer func()

	mu      sync.Mutex // for moments
	running map[string]*running
	order   []string
}

// abortTimeout bounds the stop of a stack that did not come up.
const abortTimeout = 10 * time.Second

// running is one service as it runs now.
type running struct {
	instance service.Instance
	cancel   context.CancelFunc
	bus      *bus.Bus
	registry *prometheus.Registry
	done     chan struct{}
	killed   bool // its end was asked for: not a failure
}

// Start starts the server, makes the streams, and starts every service. It returns when all of them have been started; use
// [Stack.Ready] to wait until they can work. On an error nothing is left running.
func Start(ctx context.Context, o Options) (*Stack, error) {
	users, err := newUsers()
	if err != nil {
		return nil, err
	}
	instances := make([]service.Instance, 0, len(o.Units))
	for _, u := range o.Units { // settings first: a mistake should cost nothing
		source := o.Source
		if source.Lookup, err = users.signer.lookup(u.Name, o.DataDir, o.Source.Lookup); err != nil {
			return nil, err
		}
		if u.Name == events.ServiceDispatcher {
			defaults, err := dispatcherDefaults(o.DataDir)
			if err != nil {
				return nil, err
			}
			source.Defaults = defaults
		}
		source.Defaults = withSpool(source.Defaults, o.DataDir)
		instance, err := u.Load(source)
		if err != nil {
			return nil, err
		}
		instances = append(instances, instance)
	}
	srv, stopServer, err := startServer(o, users)
	if err != nil {
		return nil, err
	}
	intake, stopping := context.WithCancel(context.WithoutCancel(ctx))
	s := &Stack{
		server: srv, users: users, logger: o.Logger, loggers: o.LoggerFor, tracer: o.Tracer, content: o.CaptureContent, options: o, instance: service.NewInstance(), checks: health.NewChecks(),
		failed: make(chan error, len(o.Units)+1), intake: intake, stopping: stopping, running: map[string]*running{},
		stopServer: stopServer,
	}
	if err := s.start(ctx, o, instances); err != nil {
		stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortTimeout)
		defer cancel()
		return nil, errors.Join(err, s.Stop(stopCtx))
	}
	return s, nil
}

// dispatcherDefaults are the dispatcher's defaults here. On a laptop, webhook receivers on the same laptop are what people try
// first; nobody else can reach this stack, so nobody can make it post to them. And signing keys can be generated at once.
func dispatcherDefaults(dir string) (map[string]string, error) {
	key, err := keptKey(dir, sealKeyFile)
	if err != nil {
		return nil, err
	}
	return map[string]string{"webhook-allow-loopback": "true", "webhook-seal-keys": key}, nil
}

// start does what Start says, after the server.
func (s *Stack) start(ctx context.Context, o Options, instances []service.Instance) error {
	if err := s.provision(ctx); err != nil {
		return err
	}
	process, err := service.NewRegistry("up")
	if err != nil {
		return err
	}
	s.process = process
	var metrics prometheus.Gatherer = prometheus.GathererFunc(s.gather)
	if o.Telemetry != nil {
		if err := o.Telemetry.Register(s.process); err != nil {
			return err
		}
		if err := o.Telemetry.ExportMetrics(ctx, metrics); err != nil {
			return err
		}
		metrics = o.Telemetry.Metrics(metrics)
	}
	if o.AdminAddr != "" && o.AdminAddr != "off" {
		admin, err := health.Listen(ctx, o.AdminAddr, health.Handler(s.checks, metrics))
		if err != nil {
			return err
		}
		s.admin = admin
		go func() {
			if err := admin.Serve(); err != nil {
				s.fail(fmt.Errorf("the admin listener: %w", err))
			}
		}()
	}
	s.mu.Lock() // the admin listener may be asked already
	for _, instance := range instances {
		s.order = append(s.order, instance.Unit().Name)
	}
	s.mu.Unlock()
	for _, instance := range instances {
		if err := s.startService(ctx, instance); err != nil {
			return err
		}
	}
	return s.watchMemory(ctx)
}

// provision makes the streams, consumers and buckets of the catalogue.
func (s *Stack) provision(ctx context.Context) error {
	b, err := bus.Connect(ctx, bus.Config{}, "mlsdm-provision", bus.Options{Logger: s.logger, InProcess: s.server})
	if err != nil {
		return err
	}
	steps, err := provision.Plan(ctx, b, provision.Default())
	if err == nil {
		err = provision.Apply(ctx, steps, nil)
	}
	return errors.Join(err, b.Close(ctx))
}

// startService connects a service to the server and runs it until it is stopped or killed.
func (s *Stack) startService(ctx context.Context, instance service.Instance) error {
	name := instance.Unit().Name
	logger := s.loggers(name)
	registry := prometheus.NewRegistry()
	labelled := prometheus.WrapRegistererWith(prometheus.Labels{"service": name}, registry)
	b, err := bus.Connect(ctx, bus.Config{}, "mlsdm-"+name, bus.Options{
		Logger: logger, Metrics: labelled, Tracer: s.tracer, InProcess: s.server, Key: s.users.keys[name],
	})
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	checks := s.checks.Sub(name)
	checks.Register("bus", func(context.Context) error { return b.Connected() })
	checks.Register("streams", func(context.Context) error { return errors.New("not looked for yet") }) // until it runs
	parts := s.parts.Sub(name)
	service.HoldMemory(parts, b)
	intake, cancel := context.WithCancel(s.intake)
	r := &running{instance: instance, cancel: cancel, bus: b, registry: registry, done: make(chan struct{})}
	s.mu.Lock()
	s.running[name] = r
	s.mu.Unlock()
	go func() {
		defer close(r.done)
		err := instance.Run(intake, service.Deps{
			Bus: b, Logger: logger, Metrics: labelled, Tracer: s.tracer, Health: checks, CaptureContent: s.content,
			Level: s.level(name), Memory: parts, Emergency: s.line(b, name, logger), Others: s.others(name),
		})
		s.mu.Lock()
		killed := r.killed
		s.mu.Unlock()
		switch {
		case killed || s.intake.Err() != nil && err == nil:
		case err == nil:
			s.fail(fmt.Errorf("%s ended by itself", name))
		default:
			s.fail(fmt.Errorf("%s: %w", name, err))
		}
	}()
	return nil
}

// fail reports that a part of the stack cannot go on. There is room for one report of each part.
func (s *Stack) fail(err error) {
	select {
	case s.failed <- err:
	default:
		s.logger.Error("a part of the stack failed", "err", err)
	}
}

// Failed yields why the stack cannot go on.
func (s *Stack) Failed() <-chan error { return s.failed }

// URL is where NATS clients connect.
func (s *Stack) URL() string { return s.server.ClientURL() }

// AdminURL is where the admin listener answers, or empty.
func (s *Stack) AdminURL() string {
	if s.admin == nil {
		return ""
	}
	return "http://" + s.admin.Addr()
}

// Services returns the names of the services, in the order of their start.
func (s *Stack) Services() []string { return s.order }

// Report runs the health checks of all services.
func (s *Stack) Report(ctx context.Context) health.Report { return s.checks.Run(ctx) }

// Ready waits until every service can work and answers on the bus, or until ctx ends.
func (s *Stack) Ready(ctx context.Context) error {
	b, err := bus.Connect(ctx, bus.Config{}, "mlsdm-up", bus.Options{InProcess: s.server})
	if err != nil {
		return err
	}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		err := s.readyNow(ctx, b)
		if err == nil {
			return b.Close(ctx)
		}
		select {
		case failure := <-s.failed:
			return errors.Join(failure, b.Close(ctx))
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("not ready in time: %w", err), b.Close(ctx))
		case <-tick.C:
		}
	}
}

// readyNow asks the health checks, and every service under its name in the micro protocol.
func (s *Stack) readyNow(ctx context.Context, b *bus.Bus) error {
	if report := s.checks.Run(ctx); report.Status == health.StatusNotReady {
		return errors.New(report.String())
	}
	for _, name := range s.order {
		if _, err := b.Request(ctx, bus.Msg{Subject: "$SRV.PING." + events.MicroName(name)}); err != nil {
			return fmt.Errorf("%s does not answer yet: %w", name, err)
		}
	}
	return nil
}

// Restart kills a service as kill -9 would, as far as that can be done inside of one process: its connection breaks in the
// middle of whatever it does. Then it starts it again. A stack that has been stopped refuses.
func (s *Stack) Restart(ctx context.Context, name string) error {
	s.life.Lock()
	defer s.life.Unlock()
	s.mu.Lock()
	r, ok := s.running[name]
	if ok {
		r.killed = true
	}
	s.mu.Unlock()
	if !ok {
		return fmt.Errorf("there is no service %q", name)
	}
	if s.stopped || s.intake.Err() != nil {
		return errors.New("the stack is being stopped")
	}
	gone, cancel := context.WithCancel(ctx)
	cancel()
	if err := r.bus.Close(gone); err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("%s: %w", name, err)
	}
	r.cancel()
	select {
	case <-r.done:
	case <-ctx.Done():
		return fmt.Errorf("%s does not end: %w", name, ctx.Err())
	}
	return s.startService(ctx, r.instance)
}

// Stop stops the services, then the server, and returns what went wrong on the way. The stack is gone afterwards; a second
// call does nothing.
func (s *Stack) Stop(ctx context.Context) error {
	s.checks.Stop()
	s.stopping() // a Restart that is under way sees it too
	s.life.Lock()
	defer s.life.Unlock()
	if s.stopped {
		return nil
	}
	s.stopped = true
	var errs []error
	for _, r := range s.all() {
		errs = append(errs, r.stop(ctx))
	}
	if s.watched != nil {
		<-s.watched
	}
	if s.admin != nil {
		if err := s.admin.Shutdown(ctx); err != nil {
			errs = append(errs, fmt.Errorf("the admin listener: %w", err))
		}
	}
	s.stopServer()
	return errors.Join(errs...)
}

// all returns the services as they run now, in the order of their start.
func (s *Stack) all() []*running {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*running, 0, len(s.running))
	for _, name := range s.order {
		if r := s.running[name]; r != nil {
			all = append(all, r)
		}
	}
	return all
}

// stop waits for a service that has been told to stop, and closes its connection.
func (r *running) stop(ctx context.Context) error {
	name := r.instance.Unit().Name
	var errs []error
	select {
	case <-r.done:
	case <-ctx.Done():
		errs = append(errs, fmt.Errorf("%s did not stop in time", name))
	}
	r.cancel()
	if err := r.bus.Close(ctx); err != nil {
		errs = append(errs, fmt.Errorf("%s: %w", name, err))
	}
	return errors.Join(errs...)
}

// gather collects the metrics of the process and of every service as it runs now.
func (s *Stack) gather() ([]*dto.MetricFamily, error) {
	all := prometheus.Gatherers{s.process}
	for _, r := range s.all() {
		all = append(all, r.registry)
	}
	return all.Gather()
}
