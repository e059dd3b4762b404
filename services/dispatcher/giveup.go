package dispatcher

import (
	"context"
	"maps"
	"strconv"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/delivery"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/sender"
)

// later hands a delivery to JetStream's scheduler, which releases it to the workers at its time.
func (s *Service) later(ctx context.Context, m *bus.Message, w wait) error {
	d := w.delivery
	header, body, err := d.Message()
	if err != nil {
		return err
	}
	header = traced(ctx, header, m.Header, d.Event)
	header[events.HeaderSchedule] = []string{"@at " + w.at.UTC().Format(time.RFC3339Nano)}
	header[events.HeaderScheduleTarget] = []string{s.bus.Subjects().DeliveryAgain(d.EndpointID)}
	// Where the message lies tells apart this attempt, handed out twice, and the same attempt of a delivery that was put back
	// after it had been given up, or has to wait once more: the server must not drop these as copies. It is part of the
	// subject too, on which the scheduler keeps one message.
	place := strconv.FormatUint(m.Sequence, 10)
	if m.Stream == s.stream(events.StreamWaiting) {
		place = "w" + place
	}
	_, err = s.bus.Publish(ctx, bus.Msg{
		Subject: s.bus.Subjects().DeliveryLater(d.ID + "-" + place), ID: d.MessageID() + "-" + place, Header: header, GiveHeader: true, Body: body,
		Unseen: !w.attempted, // what is held back, perhaps many times, is told of by the span of its handling
	})
	return err
}

// end is why a delivery is given up.
type end struct {
	fault  string
	status int
	class  string
	err    error
}

// giveUp stores the dead letter, and then tells of it. The news of a lost delivery of such news is not worth another.
func (s *Service) giveUp(ctx context.Context, m *bus.Message, d delivery.Delivery, why end) error {
	dead := *m
	dead.Header = maps.Clone(m.Header)
	if dead.Header == nil {
		dead.Header = make(map[string][]string)
	}
	maps.Copy(dead.Header, d.Header())
	dead.Header[events.HeaderDeadFault] = []string{why.fault}
	if why.status != 0 {
		dead.Header[events.HeaderDeadStatus] = []string{strconv.Itoa(why.status)}
	}
	if why.class != "" {
		dead.Header[events.HeaderDeadClass] = []string{why.class}
	}
	if err := s.bus.DeadLetter(ctx, s.bus.Subjects().DeadDelivery(why.fault, d.EndpointID), &dead, why.err); err != nil {
		return err
	}
	if entry, known := events.FindType(d.Event.Type); !known || !entry.NoEcho {
		if err := s.tellFailed(ctx, m, d, why); err != nil {
			return err
		}
	}
	s.log.WarnContext(ctx, "a webhook was given up; it is in dead letters", "endpoint", d.EndpointID, "delivery", d.ID,
		"event_id", d.Event.ID, "event_type", d.Event.Type, "attempt", d.Attempt, "fault", why.fault, "status", why.status, "err", why.err)
	return nil
}

// tellFailed publishes delivery.failed. Its id is made from where the delivery was stored, so that giving up the same
// message twice tells of it once.
func (s *Service) tellFailed(ctx context.Context, m *bus.Message, d delivery.Delivery, why end) error {
	ev, err := events.New(source, events.DeliveryFailed{
		DeliveryID: d.ID, EndpointID: d.EndpointID, FailedEventID: d.Event.ID, FailedEventType: d.Event.Type,
		Attempts: d.Attempt, FirstAttemptAt: d.FirstAttemptAt, LastStatus: why.status, Reason: why.err.Error(), Fault: why.fault,
	})
	if err != nil {
		return err
	}
	ev.ID = events.StoredID(events.Stored{Stream: m.Stream, Sequence: m.Sequence, Time: m.Time}) + "-" + d.EndpointID
	ev.Subject = d.EndpointID
	_, err = s.bus.PublishEvent(ctx, ev)
	return err
}

// record counts an attempt and writes it down.
func (s *Service) record(d delivery.Delivery, result sender.Result, last end, next time.Time) {
	record := attemptOf(d, result, last, next)
	s.metrics.observe(d, result, record.Outcome)
	s.attempts.Add(record, result.Sent)
}

// attemptOf tells of an attempt, but for its headers: last is why the delivery was given up after it, if it was, and next when
// the one that follows is due, if one does.
func attemptOf(d delivery.Delivery, result sender.Result, last end, next time.Time) events.DeliveryAttempt {
	record := events.DeliveryAttempt{
		DeliveryID: d.ID, EndpointID: d.EndpointID, EventID: d.Event.ID, EventType: d.Event.Type, Attempt: d.Attempt,
		At: result.At.UTC(), LatencyMS: float64(result.Latency.Microseconds()) / 1000, Status: result.Status,
		Outcome: events.AttemptDelivered, Response: result.Response, ReplayID: d.ReplayID,
		ErrorClass: result.Class, Fault: last.fault,
	}
	if result.Timing != (events.AttemptTiming{}) {
		timing := result.Timing
		record.Timing = &timing
	}
	switch {
	case result.Err == nil:
		return record
	case next.IsZero():
		record.Outcome = events.AttemptDead
	default:
		record.Outcome, record.NextAt = events.AttemptRetry, next.UTC()
	}
	record.Error = result.Err.Error()
	return record
}

// logAttrs names the attempt that a line is about.
func logAttrs(d delivery.Delivery, result sender.Result, more ...any) []any {
	return append([]any{
		"endpoint", d.EndpointID, "delivery", d.ID, "event_id", d.Event.ID, "event_type", d.Event.Type,
		"attempt", d.Attempt, "status", result.Status, "err", result.Err,
	}, more...)
}
