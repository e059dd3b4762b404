package dispatcher

import (
	"context"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/retry"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/delivery"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/filter"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/target"
)

// routeOne publishes one delivery for each endpoint that wants the event. The event is acked when all of them are stored;
// if only some are, the event comes again and the stored ones are recognised by their id.
func (s *Service) routeOne(ctx context.Context, m *bus.Message) error {
	subjects := s.bus.Subjects()
	ev, err := readEvent(subjects, m)
	if err != nil {
		return retry.Permanent(err)
	}
	wanting := s.wanting(ev)
	if len(wanting) == 0 {
		return nil
	}
	msgs, err := s.deliveries(ctx, m, ev, wanting)
	if err != nil {
		return retry.Permanent(err)
	}
	if err := s.bus.PublishAll(ctx, msgs); err != nil {
		return err
	}
	for _, e := range wanting {
		s.metrics.of(e.ID()).routed.Inc()
	}
	return nil
}

// deliveries returns the deliveries of the event in a message to endpoints.
func (s *Service) deliveries(ctx context.Context, m *bus.Message, ev events.Event, to []*target.Endpoint) ([]bus.Msg, error) {
	msgs := make([]bus.Msg, len(to))
	for i, e := range to {
		d := delivery.New(ev, e.ID(), m.Time)
		header, body, err := d.Message()
		if err != nil {
			return nil, err
		}
		msgs[i] = bus.Msg{
			Subject: s.bus.Subjects().DeliveryReady(e.ID()), ID: d.MessageID(), Header: traced(ctx, header, m.Header, ev), GiveHeader: true, Body: body,
		}
	}
	return msgs, nil
}

// readEvent reads an event of the events stream. Its data is the message's own, which nobody changes.
func readEvent(subjects events.Subjects, m *bus.Message) (events.Event, error) {
	return events.FromMessageShared(subjects, m.Subject, m.Header, m.Body, events.Stored{Stream: m.Stream, Sequence: m.Sequence, Time: m.Time})
}

// wanting returns the endpoints that get an event from here. Strictly ordered ones read the events themselves.
func (s *Service) wanting(ev events.Event) []*target.Endpoint {
	facts := filter.NewFacts(ev)
	all := s.registry.Set().For(facts)
	if n := facts.Unevaluated(); n > 0 {
		s.metrics.unevaluated.Add(float64(n))
	}
	wanting := all[:0:0]
	for _, e := range all {
		if !e.Strict() && !s.gates.Health(e.ID()).Disabled {
			wanting = append(wanting, e)
		}
	}
	return wanting
}
