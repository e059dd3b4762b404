package telemetry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
	"golang.org/x/time/rate"

	"github.com/neuron7x/mlsdm-integrations/internal/telemetry/scrub"
)

const (
	// flushTimeout bounds what a stop waits for collectors, all together.
	flushTimeout = 2 * time.Second
	// shutdownTimeout bounds what a connection may take to close, after that.
	shutdownTimeout = 100 * time.Millisecond
	// complainEvery is how often a collector that does not work is worth a line in the log.
	complainEvery = time.Minute
	// serviceKey is the key of the log that names the service.
	serviceKey = "service"
)

// errRedirect ends a request that the collector sends elsewhere: the headers of the operator, such as an API key, would go along.
var errRedirect = errors.New("the collector answers with a redirect, which is not followed")

// Telemetry is the logger and the tracer of one process.
type Telemetry struct {
	// Logger writes to what [New] was given, and to the collector if the log goes there too.
	Logger *slog.Logger
	// Tracer sends to the exporters, or is a no-op if there is none.
	Tracer trace.TracerProvider

	config    Config
	handler   slog.Handler // of all levels, without the name of a service
	levels    levels
	scrubber  *scrub.Scrubber
	resource  *resource.Resource
	dropped   *prometheus.CounterVec
	complain  *complainer
	closersMu sync.Mutex
	closers   []closer
}

// closer ends the sending of one signal.
type closer struct {
	signal string
	close  func(context.Context) error
}

// LoggerFor returns a logger like Logger that names another service, for a process that runs several. It logs what is not
// below that service's own level, see [Telemetry.Level].
func (t *Telemetry) LoggerFor(service string) *slog.Logger {
	return slog.New(levelHandler{t.handler, t.Level(service)}).With(serviceKey, service)
}

// Level returns the least level that the loggers of a service have logged, to be read or changed at any time. It is the one of the
// settings at first.
func (t *Telemetry) Level(service string) *slog.LevelVar { return t.levels.level(service) }

// New makes the logger, which writes to stderr, and the tracer. A collector need not be there: what it does not take is lost and
// counted, and the log says so now and then. service is the short name; traces carry it as mlsdm-<service>.
func New(ctx context.Context, c Config, service, version string, stderr io.Writer) (*Telemetry, error) {
	t := &Telemetry{Tracer: noop.NewTracerProvider(), config: c, levels: levels{of: map[string]*slog.LevelVar{}}, dropped: newDropped()}
	if err := t.levels.initial.UnmarshalText([]byte(c.LogLevel)); err != nil {
		return nil, fmt.Errorf("log-level: %w", err)
	}
	if err := t.describe(ctx, service, version); err != nil {
		return nil, err
	}
	local := newHandler(c, stderr)
	t.handler = scrub.Logs(t.scrubber, local)
	// What does not work is told on stderr alone: the collector of the log may be what does not work.
	t.complain = &complainer{log: slog.New(t.handler).With(serviceKey, service), sometimes: rate.Sometimes{First: 1, Interval: complainEvery}}
	if len(c.tracesTo()) > 0 || c.sends(c.LogsExporter) || c.sends(c.MetricsExporter) {
		otel.SetErrorHandler(t.complain) // the SDK reports here and nowhere else
	}
	if c.sends(c.LogsExporter) {
		if err := t.startLogs(ctx, local); err != nil {
			return nil, err
		}
	}
	t.Logger = t.LoggerFor(service)
	return t, t.startTraces(ctx, stderr)
}

// describe makes the resource and the scrubber.
func (t *Telemetry) describe(ctx context.Context, service, version string) error {
	operator, err := resource.New(ctx, resource.WithFromEnv())
	if err != nil && !errors.Is(err, resource.ErrPartialResource) {
		return fmt.Errorf("OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	var keys []string
	for _, a := range operator.Attributes() {
		keys = append(keys, string(a.Key))
	}
	t.scrubber = scrub.New(scrub.Options{Content: t.config.CaptureContent, ResourceKeys: keys})
	res, err := resource.New(ctx, resource.WithTelemetrySDK(), resource.WithAttributes(
		attribute.String("service.name", "mlsdm-"+service), attribute.String("service.version", version),
	), resource.WithFromEnv()) // last, so that the operator has the last word
	if err != nil && !errors.Is(err, resource.ErrPartialResource) {
		return fmt.Errorf("trace resource: %w", err)
	}
	if t.config.ServiceName != "" {
		if res, err = resource.Merge(res, resource.NewSchemaless(attribute.String("service.name", t.config.ServiceName))); err != nil {
			return fmt.Errorf("trace resource: %w", err)
		}
	}
	t.resource = t.scrubber.Resource(res)
	return nil
}

// startLogs sends the log to the collector too.
func (t *Telemetry) startLogs(ctx context.Context, local slog.Handler) error {
	to, err := t.config.targetOf(t.config.LogsEndpoint, t.config.LogsProtocol, "v1/logs")
	if err != nil {
		return fmt.Errorf("otlp-logs-endpoint: %w", err)
	}
	exporter, err := newLogExporter(ctx, to)
	if err != nil {
		return fmt.Errorf("logs to %s: %w", to.url, err)
	}
	q := newQueue(func(ctx context.Context, records []sdklog.Record) error { return exporter.Export(ctx, records) }, t.lose(signalLogs), t.complain.Handle)
	t.onClose(signalLogs, q.close, exporter.Shutdown)
	t.handler = scrub.Logs(t.scrubber, slog.NewMultiHandler(local, newLogHandler(q, t.resource)))
	return nil
}

// startTraces makes the tracer, if traces go anywhere.
func (t *Telemetry) startTraces(ctx context.Context, stderr io.Writer) error {
	to := t.config.tracesTo()
	if len(to) == 0 {
		return nil
	}
	sampler, keeps, err := t.config.sampler()
	if err != nil {
		return err
	}
	p := &spanProcessor{}
	if keeps {
		p.tail = &tail{buffer: newTraceBuffer(), keep: func(spans []sdktrace.ReadOnlySpan) bool { return worthKeeping(spans, t.config.Slow) }}
	}
	if slices.Contains(to, exporterConsole) {
		out := scrub.Spans(t.scrubber, console{stderr})
		q := newQueue(func(ctx context.Context, traces [][]sdktrace.ReadOnlySpan) error {
			for _, spans := range traces {
				if err := out.ExportSpans(ctx, spans); err != nil {
					return err
				}
			}
			return nil
		}, t.lose(signalTraces), t.complain.Handle)
		p.show, p.read = newTraceBuffer(), q.add
		t.onClose(signalTraces, p.Shutdown, q.close)
	}
	resting := func() bool { return false }
	if slices.Contains(to, exporterOTLP) {
		target, err := t.config.targetOf(t.config.TracesEndpoint, t.config.TracesProtocol, "v1/traces")
		if err != nil {
			return fmt.Errorf("otlp-endpoint: %w", err)
		}
		exporter, err := newExporter(ctx, target.protocol, target.url)
		if err != nil {
			return fmt.Errorf("traces to %s: %w", target.url, err)
		}
		q := newQueue(scrub.Spans(t.scrubber, exporter).ExportSpans, t.lose(signalTraces), t.complain.Handle)
		t.onClose(signalTraces, q.close, exporter.Shutdown)
		p.out = append(p.out, q.add)
		if p.show == nil { // else the person who reads wants them all the same
			resting = q.resting.Load
		}
	}
	provider := sdktrace.NewTracerProvider(sdktrace.WithSampler(sampler), sdktrace.WithSpanProcessor(p), sdktrace.WithResource(t.resource))
	t.Tracer = &gate{on: provider, resting: resting, dropped: t.lose(signalTraces)}
	return nil
}

// onClose has Close call these, one after the other.
func (t *Telemetry) onClose(signal string, steps ...func(context.Context) error) {
	t.closersMu.Lock()
	defer t.closersMu.Unlock()
	t.closers = append(t.closers, closer{signal, func(ctx context.Context) error {
		var errs []error
		for _, step := range steps {
			stepCtx, cancel := ctx, context.CancelFunc(func() {})
			if ctx.Err() != nil { // it did not get that far, and closes what is open
				stepCtx, cancel = context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
			}
			errs = append(errs, step(stepCtx))
			cancel()
		}
		return errors.Join(errs...)
	}})
}

// Close sends what is left, for two seconds at most. That a collector does not take it is logged and no error: a
// process that stops cleanly has stopped cleanly.
func (t *Telemetry) Close(ctx context.Context) {
	t.closersMu.Lock()
	closers := t.closers
	t.closers = nil
	t.closersMu.Unlock()
	// The last of it is for the connections.
	ctx, cancel := context.WithTimeout(ctx, flushTimeout-3*shutdownTimeout)
	defer cancel()
	var all sync.WaitGroup
	for _, c := range closers {
		all.Go(func() {
			if err := c.close(ctx); err != nil {
				t.complain.log.WarnContext(ctx, "the last of it is lost", "signal", c.signal, "err", err)
			}
		})
	}
	all.Wait()
}

// complainer is an [otel.ErrorHandler] that does not repeat itself.
type complainer struct {
	log       *slog.Logger
	sometimes rate.Sometimes
}

// Handle logs err unless it has logged one lately.
func (c *complainer) Handle(err error) {
	c.sometimes.Do(func() { c.log.Warn("telemetry does not work as it should", "err", err) })
}
