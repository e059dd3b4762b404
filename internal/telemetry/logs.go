package telemetry

import (
	"context"
	"log/slog"

	"go.opentelemetry.io/contrib/bridges/otelslog"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploggrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploghttp"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	"go.opentelemetry.io/otel/sdk/resource"
)

// scope is the name of the instrumentation scope of what is no instrumentation of anything else.
const scope = "github.com/neuron7x/mlsdm-integrations"

// newLogExporter returns what sends the log to a collector.
func newLogExporter(ctx context.Context, to target) (sdklog.Exporter, error) {
	if to.protocol == ProtocolGRPC {
		return otlploggrpc.New(ctx, otlploggrpc.WithEndpointURL(to.url))
	}
	return otlploghttp.New(ctx, otlploghttp.WithEndpointURL(to.url), otlploghttp.WithProxy(proxy))
}

// logProcessor is what the SDK hands records of the log to.
type logProcessor struct{ queue *queue[sdklog.Record] }

// newLogHandler returns a handler that puts records of the log into a queue.
func newLogHandler(queue *queue[sdklog.Record], res *resource.Resource) slog.Handler {
	provider := sdklog.NewLoggerProvider(sdklog.WithResource(res), sdklog.WithProcessor(logProcessor{queue}))
	return otelslog.NewHandler(scope, otelslog.WithLoggerProvider(provider))
}

// Enabled implements [sdklog.Processor].
func (logProcessor) Enabled(context.Context, sdklog.EnabledParameters) bool { return true }

// OnEmit implements [sdklog.Processor].
func (p logProcessor) OnEmit(_ context.Context, r *sdklog.Record) error {
	p.queue.add(r.Clone())
	return nil
}

// Shutdown implements [sdklog.Processor]; the queue is closed by [Telemetry.Close].
func (logProcessor) Shutdown(context.Context) error { return nil }

// ForceFlush implements [sdklog.Processor].
func (logProcessor) ForceFlush(context.Context) error { return nil }
