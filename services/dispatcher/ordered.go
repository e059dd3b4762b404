package dispatcher

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/retry"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/delivery"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/filter"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/target"
)

// A strictly ordered endpoint reads the events itself, through a durable consumer of its own that hands out one event at a
// time, to whichever replica asks: so one webhook is in flight, in the order of the stream, whatever dies. An event that has
// to wait for its next attempt stays handed out, at the server, and nothing passes it.

const (
	// laneAckWait is how long an event of a lane is taken for being worked on without a sign of life: how long the lane of a
	// replica that died stands still.
	laneAckWait = 10 * time.Second
	// laneRetry is the pause before a lane that failed is opened again.
	laneRetry = 2 * time.Second
	// lanesEvery is how often the lanes are compared with the endpoints.
	lanesEvery = 25 * time.Millisecond
)

// headSuffix ends the key, in the bucket of states, that tells of the event at the head of a lane.
const headSuffix = ".head"

// head is what is known of the event at the head of a lane, between its attempts.
type head struct {
	Sequence       uint64    `json:"sequence"`
	Attempt        int       `json:"attempt"`
	FirstAttemptAt time.Time `json:"first_attempt_at,omitzero"`
	NextAt         time.Time `json:"next_at,omitzero"`
	Slot           time.Time `json:"slot,omitzero"`
	// Trace is the trace context of the attempt before, as a traceparent.
	Trace string `json:"trace,omitempty"`
}

// errWaits is what a lane tells the bus when the event at its head has to wait. It is no failure.
var errWaits = errors.New("the event at the head of an ordered endpoint waits for its next attempt")

// openLane is a lane as it was opened.
type openLane struct {
	events    []string // the patterns of the endpoint
	closeLane context.CancelFunc
}

// deliverOrdered keeps a lane for each strictly ordered endpoint, until ctx ends and all are empty. It is the one who sees the
// endpoints change, so it forgets the metrics of those that are gone too.
func (s *Service) deliverOrdered(ctx context.Context) error {
	ticker := time.NewTicker(lanesEvery)
	defer ticker.Stop()
	lanes := make(map[string]openLane)
	var open sync.WaitGroup
	defer open.Wait()
	var known target.Set
	for first := true; ; first = false {
		if now := s.registry.Set(); first || now != known {
			known = now
			s.metrics.retain(now)
			s.openLanes(ctx, lanes, strictOf(now), &open)
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// openLanes opens the lanes that are not, and closes those that are no longer wanted. One whose endpoint wants other events is
// opened anew, because it makes its consumer by the endpoint that it was opened for. All end with ctx.
func (s *Service) openLanes(ctx context.Context, lanes map[string]openLane, strict []*target.Endpoint, open *sync.WaitGroup) {
	wanted := make(map[string]*target.Endpoint, len(strict))
	for _, e := range strict {
		wanted[e.ID()] = e
	}
	for id, lane := range lanes {
		if e := wanted[id]; e == nil || !slices.Equal(e.Spec().Events, lane.events) {
			lane.closeLane()
			delete(lanes, id)
		}
	}
	for id, e := range wanted {
		if _, is := lanes[id]; !is {
			lane, closeLane := context.WithCancel(ctx)
			lanes[id] = openLane{events: e.Spec().Events, closeLane: closeLane}
			open.Go(func() { s.lane(lane, e) })
		}
	}
}

// lane delivers the events of one endpoint until ctx ends.
func (s *Service) lane(ctx context.Context, e *target.Endpoint) {
	for ctx.Err() == nil {
		if _, ok := s.registry.Set().Get(e.ID()); !ok {
			return // it was removed, and its consumer with it
		}
		err := s.prepare(ctx, e)
		if err == nil {
			err = s.bus.Consume(ctx, bus.ConsumeConfig{
				Stream: s.stream(events.StreamEvents), Durable: events.OrderedConsumer(e.ID()), Workers: 1,
				MaxAttempts:  -1, // attempts are counted here
				DrainTimeout: s.drain,
			}, func(ctx context.Context, m *bus.Message) error { return s.deliverHead(ctx, e.ID(), m) })
		}
		if ctx.Err() != nil || err == nil {
			return
		}
		s.log.WarnContext(ctx, "an ordered endpoint cannot read its events; trying again", "endpoint", e.ID(), "err", err)
		select {
		case <-ctx.Done():
		case <-time.After(laneRetry):
		}
	}
}

// deliverHead makes an attempt of the event at the head of a lane.
func (s *Service) deliverHead(ctx context.Context, id string, m *bus.Message) error {
	ev, err := readEvent(s.bus.Subjects(), m)
	if err != nil {
		return nil //nolint:nilerr // the router writes the dead letter
	}
	to, ok := s.registry.Set().Get(id)
	if !ok {
		return retry.After(errWaits, laneRetry) // it is being removed
	}
	d := delivery.New(ev, id, m.Time)
	if m.Attempt > 1 {
		if d, err = s.recall(ctx, d, m.Sequence); err != nil {
			return err
		}
	}
	switch health := s.gates.Health(id); {
	case !d.FirstAttemptAt.IsZero() && (health.Disabled || to.Disabled()): // it waits for an attempt that there will not be
	case !to.Wants(filter.NewFacts(ev)), health.Disabled && !m.Time.Before(health.Since):
		return nil
	}
	stored := *m // as a delivery, which it becomes if it is given up
	stored.Subject = s.bus.Subjects().DeliveryReady(id)
	if stored.Header, stored.Body, err = d.Message(); err != nil {
		return err
	}
	ctx = s.inTraceOf(ctx, d)
	var back time.Duration
	later := func(w wait) error {
		back = max(time.Until(w.at), time.Millisecond)
		return s.remember(ctx, w, m.Sequence)
	}
	if wait := time.Until(d.NextAt); wait > 0 { // the server restarted, and hands it out too soon
		return retry.After(errWaits, wait)
	}
	if err := s.pass(ctx, &stored, to, d, later); err != nil {
		return err
	}
	if back > 0 {
		return retry.After(errWaits, back)
	}
	return nil
}

// remember writes down what is known of the head of a lane.
func (s *Service) remember(ctx context.Context, w wait, sequence uint64) error {
	d := w.delivery
	if d.Trace == "" { // it was not attempted yet: its next attempts belong to where it was held back first
		d.Trace = s.traceOf(ctx)
	}
	body, err := json.Marshal(head{
		Sequence: sequence, Attempt: d.Attempt, FirstAttemptAt: d.FirstAttemptAt, NextAt: w.at, Slot: d.Slot, Trace: d.Trace,
	})
	if err != nil {
		return fmt.Errorf("writing what is known of the head of a lane: %w", err)
	}
	_, err = s.state.Put(ctx, d.EndpointID+headSuffix, body)
	return err
}

// recall adds to a delivery what was written down of it, if it was.
func (s *Service) recall(ctx context.Context, d delivery.Delivery, sequence uint64) (delivery.Delivery, error) {
	body, _, err := s.state.Get(ctx, d.EndpointID+headSuffix)
	if errors.Is(err, bus.ErrNotFound) {
		return d, nil // its first attempt did not come to an end
	}
	if err != nil {
		return d, err
	}
	var h head
	if err := json.Unmarshal(body, &h); err != nil || h.Sequence != sequence || h.Attempt < 1 {
		return d, nil //nolint:nilerr // of another event, or written by hand: then it begins anew
	}
	d.Attempt, d.FirstAttemptAt, d.NextAt, d.Slot, d.Trace = h.Attempt, h.FirstAttemptAt, h.NextAt, h.Slot, h.Trace
	return d, nil
}

// prepare makes the consumer of a strictly ordered endpoint, or changes what it reads. It begins with what is published from
// now on.
func (s *Service) prepare(ctx context.Context, e *target.Endpoint) error {
	if !e.Strict() {
		return nil
	}
	subjects := s.bus.Subjects()
	patterns := filtersOf(slices.Clone(e.Spec().Events))
	filters := make([]string, len(patterns))
	for i, p := range patterns {
		filters[i] = subjects.Event(p)
	}
	return s.bus.ApplyConsumer(ctx, bus.ConsumerSpec{
		Stream: s.stream(events.StreamEvents), Name: events.OrderedConsumer(e.ID()), Filters: filters, AckWait: laneAckWait,
		MaxAckPending: 1, MaxDeliver: -1, AckPolicy: bus.AckExplicit, DeliverNew: true,
		Description: "events of the strictly ordered webhook endpoint " + e.ID(),
	})
}

// forget removes what the bus keeps for an endpoint that is gone.
func (s *Service) forget(ctx context.Context, id string) error {
	err := s.bus.DeleteConsumer(ctx, s.stream(events.StreamEvents), events.OrderedConsumer(id))
	return errors.Join(err, s.state.Delete(ctx, id+headSuffix, 0), s.gates.Forget(ctx, id))
}

// strictOf returns the strictly ordered ones of a set.
func strictOf(set target.Set) []*target.Endpoint {
	var strict []*target.Endpoint
	for _, e := range set.All() {
		if e.Strict() {
			strict = append(strict, e)
		}
	}
	return strict
}

// filtersOf returns patterns of event types that cover those of an endpoint and of which no two can match the same type, as
// JetStream wants the filters of a consumer. They may cover more; the endpoint's own patterns decide.
func filtersOf(patterns []string) []string {
	all := []string{">"}
	if len(patterns) == 0 {
		return all
	}
	for i, p := range patterns {
		for _, other := range patterns[:i] {
			if p != other && overlap(p, other) {
				return all
			}
		}
	}
	slices.Sort(patterns)
	return slices.Compact(patterns)
}

// overlap reports whether an event type can match both patterns.
func overlap(a, b string) bool {
	as, bs := strings.Split(a, "."), strings.Split(b, ".")
	for i := range min(len(as), len(bs)) {
		if as[i] == ">" || bs[i] == ">" {
			return true
		}
		if as[i] != bs[i] && as[i] != "*" && bs[i] != "*" {
			return false
		}
	}
	return len(as) == len(bs)
}
