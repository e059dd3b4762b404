package top

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Bus is what a sample is read from; [bus.Bus] is one.
type Bus interface {
	// Subjects are those of the installation.
	Subjects() events.Subjects
	// Gather asks all replicas, and Request one.
	Gather(ctx context.Context, m bus.Msg, pause time.Duration) ([]bus.Reply, error)
	Request(ctx context.Context, m bus.Msg) (bus.Reply, error)
	// StreamState, ConsumerState, Peek and Scan read what lies in streams.
	StreamState(ctx context.Context, name string) (bus.StreamState, bool, error)
	ConsumerState(ctx context.Context, stream, name string) (bus.ConsumerState, bool, error)
	Peek(ctx context.Context, cfg bus.PeekConfig, visit func(*bus.Message) (bool, error)) error
	Scan(ctx context.Context, cfg bus.ScanConfig, visit func(*bus.Message) (bool, error)) error
}

// Sample is what was counted at one moment.
type Sample struct {
	at        time.Time
	replicas  map[string]replica // by the id of the instance
	streams   map[string]bus.StreamState
	consumers map[string]consumer
	endpoints []events.Endpoint
	attempts  map[string]map[string]int // by endpoint and outcome, since the sample before
	cut       bool                      // not all attempts were counted
	through   uint64                    // the last of the attempts stream that was counted
	notes     []string
}

// consumer is how far one has come, and since when its oldest message waits.
type consumer struct {
	bus.ConsumerState

	oldest time.Time
}

// replica is one running instance of a service.
type replica struct {
	Name      string           `json:"name"`
	ID        string           `json:"id"`
	Version   string           `json:"version"`
	Started   time.Time        `json:"started"`
	Endpoints []operationStats `json:"endpoints"`
}

// operationStats is what a replica counts of an operation (NATS micro protocol, ADR-32).
type operationStats struct {
	Name       string        `json:"name"`
	Subject    string        `json:"subject"`
	Requests   uint64        `json:"num_requests"`
	Errors     uint64        `json:"num_errors"`
	Processing time.Duration `json:"processing_time"`
	LastError  string        `json:"last_error"`
}

// Bounds of a sample.
const (
	answerPause = 300 * time.Millisecond // after which no other replica answers
	patience    = 5 * time.Second        // for one answer
	maxRecords  = 5000                   // messages of attempts
)

// Take takes a sample for a caller, who may be nobody; last is the one before, nil at first. What cannot be read is missing, and noted; an error is ctx's.
func Take(ctx context.Context, b Bus, caller string, last *Sample) (*Sample, error) {
	s := &Sample{
		at: time.Now(), replicas: map[string]replica{}, streams: map[string]bus.StreamState{}, consumers: map[string]consumer{},
		attempts: map[string]map[string]int{},
	}
	s.takeServices(ctx, b)
	s.takeStreams(ctx, b)
	s.takeConsumers(ctx, b)
	s.takeEndpoints(ctx, b, caller)
	s.takeAttempts(ctx, b, last)
	return s, ctx.Err()
}

// note says once what is missing.
func (s *Sample) note(text string) {
	if !slices.Contains(s.notes, text) {
		s.notes = append(s.notes, text)
	}
}

// takeServices asks every replica for what it counts.
func (s *Sample) takeServices(ctx context.Context, b Bus) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	replies, err := b.Gather(ctx, bus.Msg{Subject: "$SRV.STATS"}, answerPause)
	if err != nil {
		if events.CodeOf(err) != events.CodeUnavailable {
			s.note("services: " + events.AsError(err).Message)
		}
		return
	}
	for _, reply := range replies {
		var r replica
		if json.Unmarshal(reply.Body, &r) != nil || r.ID == "" || !strings.HasPrefix(r.Name, events.MicroName("")) {
			continue // others may use the protocol on this bus, too
		}
		r.Name = strings.TrimPrefix(r.Name, events.MicroName(""))
		s.replicas[r.ID] = r
	}
}

// takeStreams asks how much the streams hold.
func (s *Sample) takeStreams(ctx context.Context, b Bus) {
	for _, stream := range events.Streams() {
		state, found, err := b.StreamState(ctx, b.Subjects().StreamName(stream.Name))
		switch {
		case err != nil: // the others would not be told of either, and each costs as long
			s.note("streams: " + events.AsError(err).Message + "; on a closed bus only the administrator sees them")
			return
		case found:
			s.streams[stream.Name] = state
		}
	}
	if len(s.streams) == 0 {
		s.note("there are no streams yet: `mlsdmctl provision` makes them, and `mlsdmctl up` all that is needed")
	}
}

// takeConsumers asks how far the consumers have come.
func (s *Sample) takeConsumers(ctx context.Context, b Bus) {
	if len(s.streams) == 0 {
		return
	}
	for _, c := range events.Consumers() {
		stream := b.Subjects().StreamName(c.Stream)
		state, found, err := b.ConsumerState(ctx, stream, c.Name)
		if err != nil {
			s.note("consumers: " + events.AsError(err).Message)
			return
		}
		if !found {
			continue
		}
		known := consumer{ConsumerState: state}
		if state.Pending > 0 || state.Unacked > 0 {
			known.oldest = oldest(ctx, b, stream, c.Filters, state.Settled+1)
		}
		s.consumers[c.Name] = known
	}
}

// oldest is when the first message from a sequence on was stored that a consumer sees; zero when there is none.
func oldest(ctx context.Context, b Bus, stream string, filters []string, from uint64) time.Time {
	var first time.Time
	subjects := []string{""}
	if len(filters) > 0 {
		subjects = nil
	}
	for _, f := range filters {
		subjects = append(subjects, b.Subjects().Below(f))
	}
	for _, subject := range subjects {
		err := b.Peek(ctx, bus.PeekConfig{Stream: stream, Subject: subject, FromSequence: from, Most: 1}, func(m *bus.Message) (bool, error) {
			if first.IsZero() || m.Time.Before(first) {
				first = m.Time
			}
			return false, nil
		})
		if err != nil { // that its age is not known is shown
			return time.Time{}
		}
	}
	return first
}

// takeEndpoints lists the webhook endpoints, if there is somebody who knows them.
func (s *Sample) takeEndpoints(ctx context.Context, b Bus, caller string) {
	running := false
	for _, r := range s.replicas {
		running = running || r.Name == events.ServiceDispatcher
	}
	if !running {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	reply, err := b.Request(ctx, bus.Msg{Subject: b.Subjects().Interactive(caller, events.OpEndpointsList), Body: []byte("{}")})
	var page events.EndpointsList
	if err == nil {
		err = json.Unmarshal(reply.Body, &page)
	}
	if err != nil {
		s.note("endpoints: " + events.AsError(err).Message)
		return
	}
	if s.endpoints = page.Endpoints; page.Next != "" {
		s.note("only the first endpoints are shown: there are more than a thousand")
	}
}

// takeAttempts counts the attempts that were recorded since the sample before.
func (s *Sample) takeAttempts(ctx context.Context, b Bus, last *Sample) {
	state, found := s.streams[events.StreamAttempts]
	if !found {
		return
	}
	if s.through = state.Last; last == nil || last.through >= state.Last {
		return
	}
	seen := 0
	err := b.Scan(ctx, bus.ScanConfig{Stream: b.Subjects().StreamName(events.StreamAttempts), FromSequence: last.through + 1}, func(m *bus.Message) (bool, error) {
		if m.Sequence > state.Last {
			return false, nil
		}
		var records []struct {
			EndpointID string `json:"endpoint_id"`
			Outcome    string `json:"outcome"`
		}
		if json.Unmarshal(m.Body, &records) == nil {
			for _, r := range records {
				if s.attempts[r.EndpointID] == nil {
					s.attempts[r.EndpointID] = make(map[string]int)
				}
				s.attempts[r.EndpointID][r.Outcome]++
			}
		}
		seen++
		s.cut = seen >= maxRecords
		return !s.cut && m.Sequence < state.Last, nil
	})
	if err != nil {
		s.note("attempts: " + events.AsError(err).Message)
	}
	if s.cut {
		s.note("there are more attempts than can be counted: their rates are too low")
	}
}
