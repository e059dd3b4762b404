package telemetry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
	"golang.org/x/time/rate"
)

const (
	// flushTimeout bounds what a stop waits for a collector.
	flushTimeout = 2 * time.Second
	// complainEvery is how often a collector that does not work is worth a line in the log.
	complainEvery = time.Minute
	// serviceKey is the key of the log that names the service.
	serviceKey = "service"
)

// Telemetry is the logger and the tracer of one process.
type Telemetry struct {
	// Logger writes to what [New] was given.
	Logger *slog.Logger
	// Tracer sends to the collector, or is a no-op if there is none.
	Tracer trace.TracerProvider

	handler  slog.Handler // of all levels, without the name of a service
	levels   levels
	provider *sdktrace.TracerProvider // nil if nothing is traced
}

// LoggerFor returns a logger like Logger that names another service, for a process that runs several. It logs what is not
// below that service's own level, see [Telemetry.Level].
func (t *Telemetry) LoggerFor(service string) *slog.Logger {
	return slog.New(levelHandler{t.handler, t.Level(service)}).With(serviceKey, service)
}

// Level returns the least level that the loggers of a service have logged, to be read or changed at any time. It is the one of the
// settings at first.
func (t *Telemetry) Level(service string) *slog.LevelVar { return t.levels.level(service) }

// New makes the logger, which writes to stderr, and the tracer. A collector need not be there: traces that it does not
// take are lost, and the log says so now and then. service is the short name; traces carry it as mlsdm-<service>.
func New(ctx context.Context, c Config, service, version string, stderr io.Writer) (*Telemetry, error) {
	t := &Telemetry{Tracer: noop.NewTracerProvider(), handler: newHandler(c, stderr), levels: levels{of: map[string]*slog.LevelVar{}}}
	if err := t.levels.initial.UnmarshalText([]byte(c.LogLevel)); err != nil {
		return nil, fmt.Errorf("log-level: %w", err)
	}
	t.Logger = t.LoggerFor(service)
	target, err := c.target()
	if err != nil {
		return nil, fmt.Errorf("otlp-endpoint: %w", err)
	}
	if target == "" {
		return t, nil
	}
	exporter, err := newExporter(ctx, c.Protocol, target)
	if err != nil {
		return nil, fmt.Errorf("traces to %s: %w", target, err)
	}
	res, err := resource.New(ctx,
		resource.WithTelemetrySDK(),
		resource.WithAttributes(attribute.String("service.name", "mlsdm-"+service), attribute.String("service.version", version)),
		resource.WithFromEnv(), // last, so that the operator has the last word
	)
	if err != nil && !errors.Is(err, resource.ErrPartialResource) {
		return nil, fmt.Errorf("trace resource: %w", err)
	}
	t.provider = sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(res))
	t.Tracer = t.provider
	// The SDK reports failed exports here and nowhere else.
	otel.SetErrorHandler(&complainer{log: t.Logger, sometimes: rate.Sometimes{First: 1, Interval: complainEvery}})
	return t, nil
}

func newExporter(ctx context.Context, protocol, target string) (*otlptrace.Exporter, error) {
	if protocol == ProtocolGRPC {
		return otlptracegrpc.New(ctx, otlptracegrpc.WithEndpointURL(target))
	}
	return otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(target), otlptracehttp.WithProxy(proxy))
}

// errRedirect ends a request that the collector sends elsewhere: the headers of the operator, such as an API key, would go along.
var errRedirect = errors.New("the collector answers with a redirect, which is not followed")

// proxy says by which proxy a request goes. It is also where a request that follows a redirect is seen before it leaves; the
// exporter takes an HTTP client of ours only at the price of its own settings of TLS.
func proxy(req *http.Request) (*url.URL, error) {
	if req.Response != nil {
		return nil, errRedirect
	}
	return http.ProxyFromEnvironment(req)
}

// Close sends what is left, for two seconds at most. That a collector does not take it is logged and no error: a
// process that stops cleanly has stopped cleanly.
func (t *Telemetry) Close(ctx context.Context) {
	if t.provider == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, flushTimeout)
	defer cancel()
	if err := t.provider.Shutdown(ctx); err != nil {
		t.Logger.WarnContext(ctx, "the last traces are lost", "err", err)
	}
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
