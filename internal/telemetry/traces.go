package telemetry

import (
	"context"
	"net/http"
	"net/url"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/embedded"
	"go.opentelemetry.io/otel/trace/noop"
)

func newExporter(ctx context.Context, protocol, target string) (*otlptrace.Exporter, error) {
	if protocol == ProtocolGRPC {
		return otlptracegrpc.New(ctx, otlptracegrpc.WithEndpointURL(target))
	}
	return otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(target), otlptracehttp.WithProxy(proxy))
}

// proxy says by which proxy a request goes. It is also where a request that follows a redirect is seen before it leaves; the
// exporter takes an HTTP client of ours only at the price of its own settings of TLS.
func proxy(req *http.Request) (*url.URL, error) {
	if req.Response != nil {
		return nil, errRedirect
	}
	return http.ProxyFromEnvironment(req)
}

// sampler returns what decides which spans are recorded.
func (c Config) sampler() (s sdktrace.Sampler, keeps bool, err error) {
	ratio, err := c.ratio()
	if err != nil {
		return nil, false, err
	}
	switch c.Sampler {
	case "always_on":
		return sdktrace.AlwaysSample(), false, nil
	case "always_off":
		return sdktrace.NeverSample(), false, nil
	case "parentbased_always_off":
		return sdktrace.ParentBased(sdktrace.NeverSample()), false, nil
	case "traceidratio":
		return recordAll{sdktrace.TraceIDRatioBased(ratio)}, true, nil
	case "parentbased_traceidratio":
		return recordAll{sdktrace.ParentBased(sdktrace.TraceIDRatioBased(ratio))}, true, nil
	default:
		return sdktrace.ParentBased(sdktrace.AlwaysSample()), false, nil
	}
}

// recordAll is a sampler that has recorded what another one drops. Whoever is called is told all the same that it is not sampled.
type recordAll struct{ sdktrace.Sampler }

// ShouldSample implements [sdktrace.Sampler].
func (r recordAll) ShouldSample(p sdktrace.SamplingParameters) sdktrace.SamplingResult {
	result := r.Sampler.ShouldSample(p)
	if result.Decision == sdktrace.Drop {
		result.Decision = sdktrace.RecordOnly
	}
	return result
}

// spanProcessor is what the SDK hands spans to.
type spanProcessor struct {
	out  []func(sdktrace.ReadOnlySpan) // takes a sampled span
	tail *tail                         // nil if no sampler drops anything
	show *traceBuffer                  // of what a person reads, nil without
	read func(spans []sdktrace.ReadOnlySpan)
}

// OnStart implements [sdktrace.SpanProcessor].
func (p *spanProcessor) OnStart(_ context.Context, s sdktrace.ReadWriteSpan) {
	switch {
	case s.SpanContext().IsSampled():
		if p.show != nil {
			if evicted := p.show.start(s); evicted != nil {
				p.read(evicted)
			}
		}
	case p.tail != nil:
		p.tail.buffer.start(s)
	}
}

// OnEnd implements [sdktrace.SpanProcessor].
func (p *spanProcessor) OnEnd(s sdktrace.ReadOnlySpan) {
	if !s.SpanContext().IsSampled() {
		if p.tail != nil {
			for _, kept := range p.tail.end(s) {
				p.take(kept)
			}
		}
		return
	}
	p.take(s)
	if p.show != nil {
		if spans := p.show.end(s); spans != nil {
			p.read(spans)
		}
	}
}

func (p *spanProcessor) take(s sdktrace.ReadOnlySpan) {
	for _, out := range p.out {
		out(s)
	}
}

// Shutdown implements [sdktrace.SpanProcessor]; the queues are closed by [Telemetry.Close].
func (p *spanProcessor) Shutdown(context.Context) error {
	if p.show != nil {
		for _, spans := range p.show.rest() {
			p.read(spans)
		}
	}
	return nil
}

// ForceFlush implements [sdktrace.SpanProcessor].
func (p *spanProcessor) ForceFlush(context.Context) error { return nil }

// gate is a provider of tracers that record nothing while nobody takes it. A span that is not recorded hands on the context of
// its caller, so that what comes after it belongs to the same trace.
type gate struct {
	embedded.TracerProvider
	on      trace.TracerProvider
	resting func() bool
	dropped func(n int)
}

// Tracer implements [trace.TracerProvider].
func (g *gate) Tracer(name string, o ...trace.TracerOption) trace.Tracer {
	return &gateTracer{on: g.on.Tracer(name, o...), gate: g}
}

type gateTracer struct {
	embedded.Tracer
	on   trace.Tracer
	gate *gate
}

// Start implements [trace.Tracer].
func (t *gateTracer) Start(ctx context.Context, name string, o ...trace.SpanStartOption) (context.Context, trace.Span) {
	if !t.gate.resting() {
		return t.on.Start(ctx, name, o...)
	}
	t.gate.dropped(1)
	return noop.Tracer{}.Start(ctx, name, o...)
}

// tail keeps the spans that are not sampled until their part of the trace, the one in this process, is over; then it keeps those
// of parts with an error and of slow ones.
type tail struct {
	buffer *traceBuffer
	keep   func(spans []sdktrace.ReadOnlySpan) bool
}

func (t *tail) end(s sdktrace.ReadOnlySpan) []sdktrace.ReadOnlySpan {
	if spans := t.buffer.end(s); t.keep(spans) {
		return spans
	}
	return nil
}
