package dispatcher

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/egress"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/delivery"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/gate"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/keyring"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/sender"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/target"
)

// attempt posts the webhook. Whoever asks for it ends its span, when it is known what becomes of the delivery.
func (s *Service) attempt(ctx context.Context, to *target.Endpoint, d delivery.Delivery) (sender.Result, attemptSpan) {
	s.metrics.inFlight.Inc()
	defer s.metrics.inFlight.Dec()
	span := s.beginSpan(ctx, to, d)
	result := s.send(ctx, to, d, span.continued(d.Event))
	return result, span
}

// send renders, signs and posts.
func (s *Service) send(ctx context.Context, to *target.Endpoint, d delivery.Delivery, trace traceContext) sender.Result {
	at := time.Now()
	if err := to.Broken(); err != nil {
		return sender.Result{At: at, Verdict: sender.Misconfigured, Class: events.ErrorClassEndpoint, Err: err}
	}
	body, contentType, err := to.Body(d.Event)
	if err != nil {
		return sender.Result{At: at, Verdict: sender.Abort, Class: events.ErrorClassProtocol, Err: err}
	}
	own := to.Fields()
	header := make([]egress.Field, 0, len(own)+8) // with room for ours
	header = append(append(header, own...),
		egress.Field{Name: "Content-Type", Value: contentType}, egress.Field{Name: "User-Agent", Value: s.userAgent})
	header = trace.append(header)
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
