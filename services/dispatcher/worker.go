package dispatcher

import (
	"context"
	"strings"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/retry"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/delivery"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/gate"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/sender"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/target"
)

// unknownFor is how often a delivery for an endpoint that is not there is handed out before that is believed. A replica that
// knows the endpoint already may have routed it.
const unknownFor = 3

// deliverOne makes one attempt. It returns nil, which acks the message, only when the receiver has the webhook, the next
// attempt is stored with the scheduler, or the dead letter is stored.
func (s *Service) deliverOne(ctx context.Context, m *bus.Message) error {
	d, err := delivery.Read(endpointOf(m.Subject), m.Header, m.Body)
	if err != nil {
		return retry.Permanent(err)
	}
	if d.Probe != 0 {
		return s.probe(ctx, d)
	}
	to, ok := s.registry.Set().Get(d.EndpointID)
	switch {
	case !ok && m.Attempt < unknownFor:
		return retry.After(events.Errorf(events.CodeNotFound, "there is no endpoint %q yet", d.EndpointID), time.Second)
	case !ok:
		return s.giveUp(ctx, m, d, end{fault: events.FaultEndpoint, err: events.Errorf(events.CodeNotFound, "there is no endpoint %q", d.EndpointID)})
	}
	if isLate(m.Subject) && s.gates.Health(to.ID()).HeldBack(time.Now()) {
		s.pace.wait(ctx)
	}
	do := func(w wait) error { return s.later(ctx, m, w) }
	return s.pass(ctx, m, to, d, do)
}

// wait is a delivery that has to wait.
type wait struct {
	delivery delivery.Delivery
	at       time.Time
	// attempted says that this is the wait for the next attempt, and not for this one.
	attempted bool
}

// pass makes an attempt if the endpoint's gate lets it, and does with the delivery what comes of it. What has to wait is given
// to later.
func (s *Service) pass(ctx context.Context, m *bus.Message, to *target.Endpoint, d delivery.Delivery, later func(wait) error) error {
	if to.Disabled() {
		return s.giveUp(ctx, m, d, end{fault: events.FaultEndpoint, err: events.Errorf(events.CodeFailedPrecondition, "the endpoint %q is disabled by its operator", to.ID())})
	}
	decision, err := s.gates.Enter(ctx, to.ID(), limitsOf(to, isLate(m.Subject)), d.Slot)
	switch {
	case err != nil:
		return err
	case decision.Disabled:
		return s.giveUp(ctx, m, d, end{
			fault: events.FaultReceiver, status: decision.Status,
			err: events.Errorf(events.CodeFailedPrecondition, "the endpoint %q is disabled: %s", to.ID(), decision.Reason),
		})
	case decision.Ticket == nil:
		d.Slot = time.Time{}
		if decision.Paid {
			d.Slot = decision.At
		}
		s.metrics.of(to.ID()).held.Inc()
		s.tellHeld(ctx, d, decision.At)
		return later(wait{delivery: d, at: decision.At})
	}
	defer decision.Ticket.Leave() // should it not come to an outcome
	result, span := s.attempt(ctx, to, d)
	disabled, err := decision.Ticket.Done(context.WithoutCancel(ctx), outcomeOf(result))
	if err != nil { // the next attempts find out the same
		s.log.WarnContext(ctx, "what came of an attempt could not be written down for its endpoint", "endpoint", to.ID(), "err", err)
	}
	if disabled {
		s.disabled(ctx, to.ID())
	}
	d.Trace = span.trace
	outcome, err := s.settle(ctx, m, to, d, result, later)
	span.end(result, outcome)
	return err
}

// outcomeInterrupted is what the span of an attempt tells that does not count: it is made again. The other outcomes are those of
// [events.DeliveryAttempt].
const outcomeInterrupted = "interrupted"

// settle does with a delivery what the result of its attempt asks for, and says what that was.
func (s *Service) settle(
	ctx context.Context, m *bus.Message, to *target.Endpoint, d delivery.Delivery, result sender.Result, later func(wait) error,
) (outcome string, err error) {
	if d.FirstAttemptAt.IsZero() {
		d.FirstAttemptAt = result.At
	}
	switch result.Verdict {
	case sender.Delivered:
		s.record(d, result, end{}, time.Time{})
		return events.AttemptDelivered, nil
	case sender.Interrupted: // the shutdown cut it short, so it does not count; another replica may have it at once
		return outcomeInterrupted, result.Err
	case sender.Retry, sender.Refused, sender.Misconfigured, sender.Gone, sender.Disable, sender.Abort:
	}
	again, more := next(to, d, result)
	if !more {
		last := end{fault: faultOf(result), status: result.Status, class: result.Class, err: result.Err}
		if err := s.giveUp(ctx, m, d, last); err != nil {
			return outcomeInterrupted, err
		}
		s.record(d, result, last, time.Time{})
		return events.AttemptDead, nil
	}
	at := time.Now().Add(again)
	if err := later(wait{delivery: d.Next(), at: at, attempted: true}); err != nil {
		return outcomeInterrupted, err
	}
	s.log.InfoContext(ctx, "a webhook was not taken; it is tried again", logAttrs(d, result, "next_at", at)...)
	s.record(d, result, end{}, at)
	return events.AttemptRetry, nil
}

// limitsOf returns what an endpoint's gate goes by.
func limitsOf(to *target.Endpoint, late bool) gate.Limits {
	spec := to.Spec()
	limits := gate.Limits{Concurrency: spec.Concurrency, Timeout: to.Timeout(), Late: late}
	if to.Strict() { // its consumer gives out one event at a time
		limits.Concurrency = 0
	}
	if spec.RateLimit != nil {
		limits.Rate, limits.Burst = spec.RateLimit.PerSecond, spec.RateLimit.Burst
	}
	return limits
}

// isLate reports whether a delivery lies where the scheduler releases what had to wait, as [events.Subjects.DeliveryAgain] says.
func isLate(subject string) bool {
	return strings.HasSuffix(subject[:strings.LastIndexByte(subject, '.')+1], ".again.")
}

// endpointOf reads the endpoint out of the subject of a delivery, its last token.
func endpointOf(subject string) string { return subject[strings.LastIndexByte(subject, '.')+1:] }
