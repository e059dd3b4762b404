package history_test

import (
	"encoding/json"
	"errors"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/delivery"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/history"
)

// setup is a history on a server of its own. The endpoints a, b and c are there; off is disabled.
type setup struct {
	t     *testing.T
	srv   *bustest.Server
	bus   *bus.Bus
	h     *history.History
	given atomic.Uint64 // sequences of messages that were given up
}

func newSetup(t *testing.T) *setup {
	t.Helper()
	srv := bustest.Start(t)
	b := srv.Connect(t, "test")
	return &setup{t: t, srv: srv, bus: b, h: history.New(b, deliverable)}
}

func deliverable(id string) error {
	switch id {
	case "a", "b", "c":
		return nil
	case "off":
		return events.Errorf(events.CodeFailedPrecondition, "endpoint %q is disabled", id)
	default:
		return events.Errorf(events.CodeNotFound, "there is no endpoint %q", id)
	}
}

// event makes an event.
func event(id, eventType string) events.Event {
	return events.Event{
		ID: id, Source: "/test", Type: eventType, Time: time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC),
		DataContentType: events.ContentTypeJSON, Data: []byte(`{"n":1}`),
	}
}

// dead stores the dead letter of a delivery as the dispatcher does and returns the delivery.
func (s *setup) dead(fault, endpoint string, ev events.Event) delivery.Delivery {
	s.t.Helper()
	d := delivery.New(ev, endpoint, time.Date(2026, 1, 31, 12, 0, 1, 0, time.UTC))
	d.Attempt = 3
	d.FirstAttemptAt, d.Slot, d.Probe, d.ReplayID = time.Now(), time.Now(), 3, "a-former-one"
	header, body, err := d.Message()
	require.NoError(s.t, err)
	s.deadMessage(fault, endpoint, s.bus.Subjects().DeliveryReady(endpoint), header, body)
	return d
}

// deadMessage stores any message as a dead letter.
func (s *setup) deadMessage(fault, endpoint, subject string, header map[string][]string, body []byte) {
	s.t.Helper()
	if header == nil {
		header = map[string][]string{}
	}
	header[events.HeaderDeadFault] = []string{fault}
	m := &bus.Message{Subject: subject, Header: header, Body: body, Stream: "MLSDM_DELIVERIES", Sequence: s.given.Add(1), Time: time.Now(), Attempt: 1}
	require.NoError(s.t, s.bus.DeadLetter(s.t.Context(), s.bus.Subjects().DeadDelivery(fault, endpoint), m, errors.New("the receiver answered 500")))
}

// record stores a batch of records of attempts.
func (s *setup) record(endpoint string, records ...events.DeliveryAttempt) {
	s.t.Helper()
	body, err := json.Marshal(records)
	require.NoError(s.t, err)
	s.store(s.bus.Subjects().Attempts(endpoint), body)
}

// store stores anything.
func (s *setup) store(subject string, body []byte) {
	s.t.Helper()
	_, err := s.bus.Publish(s.t.Context(), bus.Msg{Subject: subject, Body: body})
	require.NoError(s.t, err)
}

// attempt is a record.
func attempt(id, endpoint string, n int, outcome string) events.DeliveryAttempt {
	return events.DeliveryAttempt{
		DeliveryID: id, EndpointID: endpoint, EventID: "event-" + id, EventType: "custom.x", Attempt: n,
		At: time.Now().UTC().Truncate(time.Millisecond), LatencyMS: 1.5, Status: 500, Outcome: outcome, Error: "500", ErrorClass: events.ErrorClassStatus,
	}
}

// listAll lists all pages and returns the ids with their attempts, as "id/attempt".
func (s *setup) listAll(r events.DeliveriesListRequest) (ids []string, pages int) {
	s.t.Helper()
	for {
		list, err := s.h.List(s.t.Context(), r)
		require.NoError(s.t, err)
		require.NotNil(s.t, list.Deliveries, "an empty list is [] in JSON")
		pages++
		for _, d := range list.Deliveries {
			ids = append(ids, d.ID+"/"+strconv.Itoa(d.Attempt))
		}
		if r.Cursor = list.Cursor; r.Cursor == "" {
			return ids, pages
		}
	}
}

// replayAll replays all pages and returns the sum.
func (s *setup) replayAll(r events.ReplayRequest) (sum events.ReplayReply, pages int) {
	s.t.Helper()
	for {
		reply, err := s.h.Replay(s.t.Context(), r)
		require.NoError(s.t, err)
		pages++
		sum.Matched, sum.Replayed, sum.Skipped, sum.Scanned = sum.Matched+reply.Matched, sum.Replayed+reply.Replayed, sum.Skipped+reply.Skipped, sum.Scanned+reply.Scanned
		require.Equal(s.t, reply.Done, reply.Cursor == "")
		if r.Cursor = reply.Cursor; reply.Done {
			return sum, pages
		}
	}
}

// message is what a test sees of the bus.
type message struct {
	subject string
	header  map[string][]string
	body    []byte
}

// limited takes messages up to a size only, as a server does that is set so.
type limited struct {
	*bus.Bus

	most int64
}

func (l limited) MaxPayload() int64 { return l.most }

// limit makes the history one on a server that takes messages up to a size only.
func (s *setup) limit(most int64) { s.h = history.New(limited{s.bus, most}, deliverable) }

// deliveries listens to what is put on its way from now on; the function returns the next.
func (s *setup) deliveries() func() message {
	s.t.Helper()
	nc := s.srv.Conn(s.t)
	sub, err := nc.SubscribeSync("mlsdm.deliveries.>")
	require.NoError(s.t, err)
	require.NoError(s.t, nc.Flush())
	return func() message {
		s.t.Helper()
		m, err := sub.NextMsg(10 * time.Second)
		require.NoError(s.t, err)
		return message{subject: m.Subject, header: m.Header, body: m.Data}
	}
}

// stored is how many messages a stream has.
func (s *setup) stored(stream string) int {
	s.t.Helper()
	n, err := s.bus.StreamMessages(s.t.Context(), stream)
	require.NoError(s.t, err)
	return int(n)
}

func code(t *testing.T, err error) events.Code {
	t.Helper()
	require.Error(t, err)
	return events.CodeOf(err)
}
