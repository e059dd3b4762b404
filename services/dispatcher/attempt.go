package dispatcher

import (
	"context"
	"math/rand/v2"
	"net/http"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/egress"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/delivery"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/gate"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/keyring"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/sender"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/target"
)

// attempt posts the webhook.
func (s *Service) attempt(ctx context.Context, to *target.Endpoint, d delivery.Delivery) sender.Result {
	s.metrics.inFlight.Inc()
	defer s.metrics.inFlight.Dec()
	traceParent, end := s.span(ctx, to, d)
	result := s.send(ctx, to, d, traceParent)
	end(result)
	return result
}

// span begins the span of an attempt. It returns what the receiver may continue, and what ends it.
func (s *Service) span(ctx context.Context, to *target.Endpoint, d delivery.Delivery) (traceParent string, end func(sender.Result)) {
	ctx, span := s.tracer.Start(ctx, "POST", trace.WithSpanKind(trace.SpanKindClient))
	if span.IsRecording() {
		span.SetAttributes(
			attribute.String("http.request.method", http.MethodPost),
			attribute.String("mlsdm.endpoint.id", to.ID()), attribute.String("mlsdm.event.type", d.Event.Type),
			attribute.Int("http.request.resend_count", d.Attempt-1),
		)
		if u := to.URL(); u != nil { // a broken endpoint has none
			span.SetAttributes(attribute.String("server.address", u.Hostname()))
		}
	}
	traceParent = d.Event.TraceParent
	if span.SpanContext().IsValid() {
		header := make(map[string][]string, 2)
		bus.InjectTrace(ctx, header)
		traceParent = events.HeaderValue(header, events.HeaderTraceParent)
	}
	return traceParent, func(result sender.Result) {
		defer span.End()
		if result.Status != 0 {
			span.SetAttributes(attribute.Int("http.response.status_code", result.Status))
		}
		if result.Err != nil {
			span.SetStatus(codes.Error, result.Err.Error())
		}
	}
}

// send renders, signs and posts.
func (s *Service) send(ctx context.Context, to *target.Endpoint, d delivery.Delivery, traceParent string) sender.Result {
	at := time.Now()
	if err := to.Broken(); err != nil {
		return sender.Result{At: at, Verdict: sender.Misconfigured, Class: events.ErrorClassEndpoint, Err: err}
	}
	body, contentType, err := to.Body(d.Event)
	if err != nil {
		return sender.Result{At: at, Verdict: sender.Abort, Class: events.ErrorClassProtocol, Err: err}
	}
	own := to.Fields()
	header := make([]egress.Field, 0, len(own)+7) // with room for ours
	header = append(append(header, own...),
		egress.Field{Name: "Content-Type", Value: contentType}, egress.Field{Name: "User-Agent", Value: s.userAgent})
	if isTraceParent(traceParent) { // it was the publisher's to choose: nothing else gets into our headers
		header = append(header, egress.Field{Name: "Traceparent", Value: traceParent})
	}
	if header, err = to.Sign(ctx, delivery.WebhookID(d.Event), at, body, header); err != nil {
		return sender.Result{At: at, Verdict: sender.Misconfigured, Class: events.ErrorClassEndpoint, Err: err}
	}
	return sender.Send(ctx, sender.Request{
		Client: to.Client(), URL: to.URL(), HideURL: keyring.IsReference(to.Spec().URL), Header: header, Hidden: to.Hidden(),
		Body: body, Timeout: to.Timeout(),
	})
}

// next returns the wait before the attempt that follows, and whether there is one.
func next(to *target.Endpoint, d delivery.Delivery, result sender.Result) (time.Duration, bool) {
	plan := to.Schedule()
	switch result.Verdict {
	case sender.Retry, sender.Misconfigured:
	case sender.Refused:
		plan = plan.Refusal()
	case sender.Delivered, sender.Interrupted, sender.Gone, sender.Disable, sender.Abort:
		return 0, false
	}
	wait, more := plan.Next(d.Attempt, rand.Float64)
	if result.RetryAfter > 0 { // the least that the receiver asked for; not all come back at that very moment
		const spread = 10
		wait = max(wait, result.RetryAfter+time.Duration(rand.Float64()*float64(result.RetryAfter)/spread)) //nolint:gosec // spreads load, hides nothing
	}
	return wait, more
}

// outcomeOf says what a result tells of the endpoint.
func outcomeOf(result sender.Result) gate.Outcome {
	o := gate.Outcome{Wait: result.RetryAfter, Status: result.Status}
	if result.Err != nil {
		o.Reason = result.Err.Error()
	}
	switch result.Verdict {
	case sender.Delivered:
		o.Result = gate.Worked
	case sender.Retry:
		o.Result = gate.Failed
	case sender.Refused, sender.Abort:
		o.Result = gate.Refused
	case sender.Gone, sender.Disable:
		o.Result = gate.Gone
	case sender.Misconfigured, sender.Interrupted:
		o.Result = gate.Neutral
	}
	return o
}

// faultOf says whose fault it is that a delivery is given up.
func faultOf(result sender.Result) string {
	switch {
	case result.Verdict == sender.Misconfigured:
		return events.FaultEndpoint
	case result.Verdict == sender.Abort && result.Status == 0: // it could not be rendered
		return events.FaultInternal
	default:
		return events.FaultReceiver
	}
}
