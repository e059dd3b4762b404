package dispatcher

import (
	"context"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/retry"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/delivery"
)

// routeOne publishes one delivery for each endpoint that wants the event. The event is acked when all of them are stored;
// if only some are, the event comes again and the stored ones are recognised by their id.
func (s *Service) routeOne(ctx context.Context, m *bus.Message) error {
	subjects := s.bus.Subjects()
	ev, err := events.FromMessage(subjects, m.Subject, m.Header, m.Body, events.Stored{Stream: m.Stream, Sequence: m.Sequence, Time: m.Time})
	if err != nil {
		return retry.Permanent(err)
	}
	wanting := s.endpoints.For(ev)
	if len(wanting) == 0 {
		return nil
	}
	body, err := ev.MarshalJSON()
	if err != nil {
		return retry.Permanent(err)
	}
	msgs := make([]bus.Msg, len(wanting))
	for i, e := range wanting {
		d := delivery.New(ev, e.ID, m.Time)
		msgs[i] = bus.Msg{Subject: subjects.DeliveryReady(e.ID), ID: d.MessageID(), Header: traced(ctx, d.Header(), ev), Body: body}
	}
	if err := s.bus.PublishAll(ctx, msgs); err != nil {
		return err
	}
	for _, e := range wanting {
		s.metrics.routed.WithLabelValues(e.ID).Inc()
	}
	return nil
}

// traced adds the trace of the event to the headers of its delivery, unless the bus knows of a span to continue.
func traced(ctx context.Context, header map[string][]string, ev events.Event) map[string][]string {
	bus.InjectTrace(ctx, header)
	if events.HeaderValue(header, events.HeaderTraceParent) == "" && ev.TraceParent != "" {
		header[events.HeaderTraceParent] = []string{ev.TraceParent}
		if ev.TraceState != "" {
			header[events.HeaderTraceState] = []string{ev.TraceState}
		}
	}
	return header
}
