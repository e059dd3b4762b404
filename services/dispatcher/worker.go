package dispatcher

import (
	"context"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/retry"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/delivery"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/endpoint"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/sender"
)

// deliverOne makes one attempt. It returns nil, which acks the message, only when the receiver has the webhook, the next
// attempt is stored with the scheduler, or the dead letter is stored.
func (s *Service) deliverOne(ctx context.Context, m *bus.Message) error {
	d, err := delivery.Read(endpointOf(m.Subject), m.Header, m.Body)
	if err != nil {
		return retry.Permanent(err)
	}
	to, ok := s.endpoints.Get(d.EndpointID)
	if !ok {
		return s.giveUp(ctx, m, d, sender.Result{Err: events.Errorf(events.CodeNotFound, "there is no endpoint %q", d.EndpointID)})
	}
	result := s.attempt(ctx, to, d)
	if d.FirstAttemptAt.IsZero() {
		d.FirstAttemptAt = result.At
	}
	switch {
	case result.Err == nil:
		s.record(d, result, events.AttemptDelivered, time.Time{})
		return nil
	case ctx.Err() != nil: // the shutdown cut it short, so it does not count; another replica may have it at once
		return result.Err
	case retry.IsPermanent(result.Err), d.Attempt >= s.cfg.MaxAttempts:
		if err := s.giveUp(ctx, m, d, result); err != nil {
			return err
		}
		s.record(d, result, events.AttemptDead, time.Time{})
		return nil
	default:
		at, err := s.tryLater(ctx, m, d, result)
		if err != nil {
			return err
		}
		s.record(d, result, events.AttemptRetry, at)
		return nil
	}
}

// attempt posts the webhook.
func (s *Service) attempt(ctx context.Context, to endpoint.Endpoint, d delivery.Delivery) sender.Result {
	s.metrics.inFlight.Inc()
	defer s.metrics.inFlight.Dec()
	ctx, span := s.tracer.Start(ctx, "POST", trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
		attribute.String("http.request.method", "POST"), attribute.String("server.address", to.URL.Hostname()),
		attribute.String("mlsdm.endpoint.id", to.ID), attribute.String("mlsdm.event.type", d.Event.Type),
		attribute.Int("http.request.resend_count", d.Attempt-1),
	))
	defer span.End()
	header := traced(ctx, make(map[string][]string, 2), d.Event)
	result := s.sender.Send(ctx, to, d, events.HeaderValue(header, events.HeaderTraceParent))
	if result.Status != 0 {
		span.SetAttributes(attribute.Int("http.response.status_code", result.Status))
	}
	if result.Err != nil {
		span.SetStatus(codes.Error, result.Err.Error())
	}
	return result
}

// tryLater hands the delivery to JetStream's scheduler, which releases it to the workers at its time, and returns that.
func (s *Service) tryLater(ctx context.Context, m *bus.Message, d delivery.Delivery, result sender.Result) (time.Time, error) {
	wait := s.cfg.backoff().Delay(d.Attempt-1, nil)
	if asked, ok := retry.Delay(result.Err); ok {
		wait = max(wait, asked)
	}
	wait += time.Duration(rand.Float64() * float64(s.cfg.BackoffJitter)) //nolint:gosec // spreads load, hides nothing
	at := time.Now().Add(wait)
	next := d.Next()
	header := traced(ctx, next.Header(), d.Event)
	header[events.HeaderSchedule] = []string{"@at " + at.UTC().Format(time.RFC3339Nano)}
	header[events.HeaderScheduleTarget] = []string{s.bus.Subjects().DeliveryReady(d.EndpointID)}
	_, err := s.bus.Publish(ctx, bus.Msg{
		// The sequence tells apart this attempt, handed out twice, and the same attempt of a delivery that was put back after
		// it had been given up: that one has its own retries, and the server must not drop them as copies.
		Subject: s.bus.Subjects().DeliveryLater(d.ID), ID: next.MessageID() + "-" + strconv.FormatUint(m.Sequence, 10),
		Header: header, Body: m.Body,
	})
	if err != nil {
		return time.Time{}, err
	}
	s.log.InfoContext(ctx, "a webhook was not taken; it is tried again", logAttrs(d, result, "next_at", at)...)
	return at, nil
}

// giveUp stores the dead letter, and then tells of it. The news of a lost delivery of such news is not worth another.
func (s *Service) giveUp(ctx context.Context, m *bus.Message, d delivery.Delivery, result sender.Result) error {
	if err := s.bus.DeadLetter(ctx, s.bus.Subjects().DeadDelivery(events.FaultReceiver, d.EndpointID), m, result.Err); err != nil {
		return err
	}
	if entry, known := events.FindType(d.Event.Type); !known || !entry.NoEcho {
		if err := s.tellFailed(ctx, m, d, result); err != nil {
			return err
		}
	}
	s.log.WarnContext(ctx, "a webhook was given up; it is in dead letters", logAttrs(d, result)...)
	return nil
}

// tellFailed publishes delivery.failed. Its id is made from where the delivery was stored, so that giving up the same
// message twice tells of it once.
func (s *Service) tellFailed(ctx context.Context, m *bus.Message, d delivery.Delivery, result sender.Result) error {
	ev, err := events.New(source, events.DeliveryFailed{
		DeliveryID: d.ID, EndpointID: d.EndpointID, FailedEventID: d.Event.ID, FailedEventType: d.Event.Type,
		Attempts: d.Attempt, FirstAttemptAt: d.FirstAttemptAt, LastStatus: result.Status, Reason: result.Err.Error(),
	})
	if err != nil {
		return err
	}
	ev.ID = events.StoredID(events.Stored{Stream: m.Stream, Sequence: m.Sequence, Time: m.Time})
	ev.Subject = d.EndpointID
	_, err = s.bus.PublishEvent(ctx, ev)
	return err
}

// record counts an attempt and writes it down.
func (s *Service) record(d delivery.Delivery, result sender.Result, outcome string, next time.Time) {
	s.metrics.observe(d, result, outcome)
	record := events.DeliveryAttempt{
		DeliveryID: d.ID, EndpointID: d.EndpointID, EventID: d.Event.ID, EventType: d.Event.Type, Attempt: d.Attempt,
		At: result.At.UTC(), LatencyMS: float64(result.Latency.Microseconds()) / 1000, Status: result.Status,
		Outcome: outcome, Response: result.Response,
	}
	if result.Err != nil {
		record.Error = result.Err.Error()
	}
	if !next.IsZero() {
		record.NextAt = next.UTC()
	}
	s.attempts.Add(record)
}

// logAttrs names the attempt that a line is about.
func logAttrs(d delivery.Delivery, result sender.Result, more ...any) []any {
	return append([]any{
		"endpoint", d.EndpointID, "delivery", d.ID, "event_id", d.Event.ID, "event_type", d.Event.Type,
		"attempt", d.Attempt, "status", result.Status, "err", result.Err,
	}, more...)
}

// endpointOf reads the endpoint out of the subject of a delivery, its last token.
func endpointOf(subject string) string { return subject[strings.LastIndexByte(subject, '.')+1:] }
