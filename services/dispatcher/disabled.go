package dispatcher

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/delivery"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/gate"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/sender"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/target"
)

// typeTest is the type of the webhook that tests an endpoint. It is never published as an event.
const typeTest = "webhook.test"

const (
	// probeEvery is how often a disabled endpoint is tested.
	probeEvery = 24 * time.Hour
	// tellEvery is how often a replica looks for disabled endpoints of which nobody told, because who disabled them died.
	tellEvery = 10 * time.Second
)

// disabled wakes whoever tells of disabled endpoints.
func (s *Service) disabled(ctx context.Context, id string) {
	s.log.ErrorContext(ctx, "a webhook endpoint is disabled", "endpoint", id, "reason", s.gates.Health(id).Reason)
	select {
	case s.untold <- struct{}{}:
	default: // already awake
	}
}

// tellOfDisabled tells of disabled endpoints and sets out to probe them, until ctx ends. That an endpoint is disabled is
// written first, and that it was told last; so what a crash cuts short is done again, under the same ids.
func (s *Service) tellOfDisabled(ctx context.Context) error {
	ticker := time.NewTicker(tellEvery)
	defer ticker.Stop()
	for {
		for id, health := range s.gates.Disabled() {
			if health.Told {
				continue
			}
			if err := s.tellDisabled(ctx, id, health); err != nil && ctx.Err() == nil {
				s.log.ErrorContext(ctx, "that an endpoint is disabled could not be told; trying again", "endpoint", id, "err", err)
			}
		}
		select {
		case <-ticker.C:
		case <-s.untold:
		case <-ctx.Done():
			return nil
		}
	}
}

// tellDisabled publishes endpoint.disabled and the first probe.
func (s *Service) tellDisabled(ctx context.Context, id string, health gate.Health) error {
	if err := s.tell(ctx, id, health.Generation, events.EndpointDisabled{EndpointID: id, Reason: health.Reason, LastStatus: health.Status}); err != nil {
		return err
	}
	if err := s.probeLater(ctx, id, health.Generation, 1); err != nil {
		return err
	}
	return s.gates.Told(ctx, id, health.Generation)
}

// tell publishes an event about an endpoint, whose id is made from its disabling, so that telling it twice is telling it once.
func (s *Service) tell(ctx context.Context, id string, generation uint64, payload events.Payload) error {
	ev, err := events.New(source, payload)
	if err != nil {
		return err
	}
	ev.ID = ev.Type + "-" + id + "-" + strconv.FormatUint(generation, 10)
	ev.Subject = id
	_, err = s.bus.PublishEvent(ctx, ev)
	return err
}

// testEvent returns what an endpoint is tested with.
func testEvent(id string) (events.Event, error) {
	data, err := json.Marshal(map[string]string{"endpoint_id": id, "message": "This is a test of your webhook endpoint."})
	if err != nil {
		return events.Event{}, fmt.Errorf("writing a test event: %w", err)
	}
	return events.Event{
		ID: events.NewID(), Source: source, Type: typeTest, Time: time.Now().UTC(), DataContentType: events.ContentTypeJSON, Data: data,
	}, nil
}

// probeLater has a disabled endpoint tested in a day, the n-th time since it was disabled.
func (s *Service) probeLater(ctx context.Context, id string, generation uint64, n int) error {
	ev, err := testEvent(id)
	if err != nil {
		return err
	}
	d := delivery.New(ev, id, time.Time{})
	d.Probe, d.Attempt = generation, n
	header, body, err := d.Message()
	if err != nil {
		return err
	}
	token := fmt.Sprintf("probe-%s-%d-%d", id, generation, n)
	header[events.HeaderSchedule] = []string{"@at " + time.Now().Add(s.probeEvery).UTC().Format(time.RFC3339Nano)}
	header[events.HeaderScheduleTarget] = []string{s.bus.Subjects().DeliveryAgain(id)}
	_, err = s.bus.Publish(ctx, bus.Msg{Subject: s.bus.Subjects().DeliveryLater(token), ID: token, Header: header, Body: body})
	return err
}

// probe tests a disabled endpoint. If it works, it gets what is published from then on.
func (s *Service) probe(ctx context.Context, d delivery.Delivery) error {
	to, ok := s.registry.Set().Get(d.EndpointID)
	health := s.gates.Health(d.EndpointID)
	if !ok || to.Disabled() || !health.Disabled || health.Generation != d.Probe {
		return nil // it is gone, its operator disabled it too, or it works again
	}
	result, span := s.attempt(ctx, to, d)
	span.end(result, plainOutcome(result))
	d.Trace = span.trace
	switch result.Verdict {
	case sender.Interrupted:
		return result.Err
	case sender.Delivered:
		if err := s.tell(ctx, to.ID(), d.Probe, events.EndpointRecovered{EndpointID: to.ID(), DownSince: health.FailingSince}); err != nil {
			return err
		}
		if err := s.gates.Enable(ctx, to.ID()); err != nil {
			return err
		}
		s.log.InfoContext(ctx, "a disabled webhook endpoint works again", "endpoint", to.ID())
	case sender.Retry, sender.Refused, sender.Gone, sender.Disable, sender.Abort, sender.Misconfigured:
		if err := s.probeLater(ctx, to.ID(), d.Probe, d.Attempt+1); err != nil {
			return err
		}
	}
	s.record(d, result, end{}, time.Time{})
	return nil
}

// test posts a test webhook now, whatever state the endpoint is in.
func (s *Service) test(ctx context.Context, to *target.Endpoint) (events.DeliveryAttempt, error) {
	ev, err := testEvent(to.ID())
	if err != nil {
		return events.DeliveryAttempt{}, err
	}
	d := delivery.New(ev, to.ID(), time.Time{})
	result, span := s.attempt(ctx, to, d)
	span.end(result, plainOutcome(result))
	if ctx.Err() != nil {
		return events.DeliveryAttempt{}, result.Err
	}
	record := attemptOf(d, result, end{}, time.Time{})
	record.Request = make(map[string]string, len(result.Sent))
	for _, f := range result.Sent {
		record.Request[f.Name] = f.Value
	}
	return record, nil
}
