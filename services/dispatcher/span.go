package dispatcher

import (
	"context"
	"net/http"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/telemetry/httpspan"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/delivery"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/sender"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/target"
)

// All attempts of a delivery belong to the trace of its event, however late they are: the message of a delivery carries its trace
// context from one attempt to the next, and what is known of the head of a lane has that of the attempt before. A delivery whose
// event had no trace keeps the one that it got when it was routed. A delivery that waits has no span of its own; the one of its
// handling says so.

// attemptSpan is the span of an attempt: that of an HTTP client, as the conventions have it, and what we know besides.
type attemptSpan struct {
	span  trace.Span // nil when nobody looks at it
	sc    trace.SpanContext
	trace string // as a traceparent; only if span is not nil
}

// beginSpan begins the span of an attempt.
func (s *Service) beginSpan(ctx context.Context, to *target.Endpoint, d delivery.Delivery) attemptSpan {
	if !s.tracing {
		return attemptSpan{sc: trace.SpanContextFromContext(ctx)}
	}
	u := to.URL()
	name, kind := http.MethodPost, trace.SpanKindClient
	if u == nil { // a broken endpoint, to which nothing is sent
		name, kind = "attempt", trace.SpanKindInternal
	}
	options := append(make([]trace.SpanStartOption, 0, 2), trace.WithSpanKind(kind))
	if before := spanOf(d.Trace); before.IsValid() {
		options = append(options, trace.WithLinks(trace.Link{SpanContext: before}))
	}
	_, span := s.tracer.Start(ctx, name, options...)
	if span.IsRecording() {
		span.SetAttributes(
			attribute.String("mlsdm.endpoint.id", to.ID()), attribute.String("mlsdm.delivery.id", d.ID), attribute.Int("mlsdm.delivery.attempt", d.Attempt),
			attribute.String("mlsdm.event.type", d.Event.Type), attribute.String("mlsdm.event.id", d.Event.ID),
		)
		if u != nil {
			span.SetAttributes(attribute.String("http.request.method", http.MethodPost))
			httpspan.SetServer(span, u, "")
			if d.Attempt > 1 {
				span.SetAttributes(attribute.Int("http.request.resend_count", d.Attempt-1))
			}
		}
	}
	return attemptSpan{span: span, sc: span.SpanContext(), trace: httpspan.TraceParent(span.SpanContext())}
}

// end ends the span of an attempt at the time when the attempt was over. What the error says is not told, it may quote others; its
// class is.
func (a attemptSpan) end(result sender.Result, outcome string) {
	if a.span == nil {
		return
	}
	if a.span.IsRecording() {
		a.span.SetAttributes(attribute.String("mlsdm.delivery.outcome", outcome))
		if result.Err != nil {
			a.span.SetAttributes(attribute.String("error.type", result.Class))
			a.span.SetStatus(codes.Error, "")
		}
		if result.Status != 0 {
			httpspan.SetStatus(a.span, result.Status) // which is the type of the error, if it is one
		}
	}
	over := time.Now()
	if result.Latency > 0 {
		over = result.At.Add(result.Latency)
	}
	a.span.End(trace.WithTimestamp(over))
}

// plainOutcome is the outcome of an attempt that there is no other after.
func plainOutcome(result sender.Result) string {
	switch {
	case result.Verdict == sender.Interrupted:
		return outcomeInterrupted
	case result.Err != nil:
		return events.AttemptDead
	default:
		return events.AttemptDelivered
	}
}

// continued returns what the receiver may continue: the attempt, or, without any trace here, that of the event.
func (a attemptSpan) continued(ev events.Event) traceContext {
	if a.sc.IsValid() {
		parent := a.trace
		if parent == "" {
			parent = httpspan.TraceParent(a.sc)
		}
		return traceContext{parent: parent, state: a.sc.TraceState().String()}
	}
	return checkedTrace(ev.TraceParent, ev.TraceState)
}

// tellHeld says on the span of handling a delivery that it has to wait before it is attempted.
func (s *Service) tellHeld(ctx context.Context, d delivery.Delivery, until time.Time) {
	if !s.tracing {
		return
	}
	span := trace.SpanFromContext(ctx)
	if !span.IsRecording() {
		return
	}
	span.SetAttributes(
		attribute.String("mlsdm.delivery.outcome", outcomeHeld), attribute.String("mlsdm.delivery.id", d.ID),
		attribute.String("mlsdm.endpoint.id", d.EndpointID), attribute.Int("mlsdm.delivery.attempt", d.Attempt),
		attribute.Float64("mlsdm.retry.delay", max(time.Until(until), 0).Seconds()),
	)
}

// outcomeHeld is what the span of handling a delivery tells that was not attempted, because its endpoint is held back.
const outcomeHeld = "held"

// traceOf returns the trace context of ctx as a traceparent, if somebody looks at spans.
func (s *Service) traceOf(ctx context.Context) string {
	if !s.tracing {
		return ""
	}
	return httpspan.TraceParent(trace.SpanContextFromContext(ctx))
}

// inTraceOf returns ctx in the trace of the attempt before, should it be in another: an event without a trace gets a new one each
// time that it is handed out. The span of its handling stays where it is, and links to the attempt before.
func (s *Service) inTraceOf(ctx context.Context, d delivery.Delivery) context.Context {
	before := spanOf(d.Trace)
	if !s.tracing || !before.IsValid() || before.TraceID() == trace.SpanContextFromContext(ctx).TraceID() {
		return ctx
	}
	trace.SpanFromContext(ctx).AddLink(trace.Link{SpanContext: before})
	return trace.ContextWithRemoteSpanContext(ctx, before)
}

// spanOf reads a traceparent; one that is none is an invalid span context.
func spanOf(traceParent string) trace.SpanContext {
	if !isTraceParent(traceParent) {
		return trace.SpanContext{}
	}
	ctx := bus.ContextFromHeader(context.Background(), map[string][]string{events.HeaderTraceParent: {traceParent}})
	return trace.SpanContextFromContext(ctx)
}

// traced adds to the headers of a delivery the trace that it belongs to: that of ctx, or else that of the message that it is made
// of, or else that of its event.
func traced(ctx context.Context, header, of map[string][]string, ev events.Event) map[string][]string {
	if trace.SpanContextFromContext(ctx).IsValid() {
		bus.InjectTrace(ctx, header)
		return header
	}
	parent, state := events.TraceContext(of, nil)
	if parent == "" {
		parent, state = ev.TraceParent, ev.TraceState
	}
	if parent != "" {
		header[events.HeaderTraceParent] = []string{parent}
		if state != "" {
			header[events.HeaderTraceState] = []string{state}
		}
	}
	return header
}
