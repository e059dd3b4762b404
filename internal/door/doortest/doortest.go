// Package doortest stands where callers stand: outside of both doors of a service, on a real bus.
package doortest

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Patience is how long a test waits for something that must come.
const Patience = 20 * time.Second

// Silence is how long a test listens for something that must not come.
const Silence = 300 * time.Millisecond

// Street is a bus of the test's own, with ears at the subjects where services answer.
type Street struct {
	// Server is the NATS server.
	Server *bustest.Server
	// Bus is the caller's connection.
	Bus *bus.Bus

	results, dead, processed *Ear
}

// Message is what was heard.
type Message struct {
	Subject string
	Header  map[string][]string
	Body    []byte
}

// Value returns the first value of a header.
func (m Message) Value(header string) string { return events.HeaderValue(m.Header, header) }

// Err returns the error that the message carries, or nil.
func (m Message) Err() *events.Error { return events.DecodeError(m.Header, m.Body) }

// Ear hears what is published on a subject.
type Ear struct {
	subject string
	next    func(time.Duration) (Message, error)
}

// Start starts a server and connects to it.
func Start(t testing.TB) *Street {
	t.Helper()
	server := bustest.Start(t)
	s := &Street{Server: server, Bus: server.Connect(t, "caller")}
	s.results = s.Listen(t, "mlsdm.results.>")
	s.dead = s.Listen(t, "mlsdm.deadletters.>")
	s.processed = s.Listen(t, "mlsdm.events."+events.TypeRequestProcessed)
	return s
}

// Listen returns an ear at a subject.
func (s *Street) Listen(t testing.TB, subject string) *Ear {
	t.Helper()
	conn := s.Server.Conn(t)
	sub, err := conn.SubscribeSync(subject)
	require.NoError(t, err)
	require.NoError(t, conn.Flush())
	return &Ear{subject: subject, next: func(d time.Duration) (Message, error) {
		msg, err := sub.NextMsg(d)
		if err != nil {
			return Message{}, err
		}
		return Message{Subject: msg.Subject, Header: msg.Header, Body: msg.Data}, nil
	}}
}

// Next returns the next message.
func (e *Ear) Next(t testing.TB) Message {
	t.Helper()
	m, err := e.next(Patience)
	require.NoError(t, err, "nothing came on %s", e.subject)
	return m
}

// Nothing checks that no message comes.
func (e *Ear) Nothing(t testing.TB) {
	t.Helper()
	m, err := e.next(Silence)
	require.Error(t, err, "this came on %s: %s", m.Subject, m.Body)
}

// Results hears the results of durable requests.
func (s *Street) Results() *Ear { return s.results }

// Dead hears dead letters.
func (s *Street) Dead() *Ear { return s.dead }

// Processed returns the payload of the next request.processed event.
func (s *Street) Processed(t testing.TB) events.RequestProcessed {
	t.Helper()
	m := s.processed.Next(t)
	ev, err := events.FromMessage(s.Bus.Subjects(), m.Subject, m.Header, m.Body, events.Stored{})
	require.NoError(t, err)
	payload, err := events.Decode[events.RequestProcessed](ev)
	require.NoError(t, err)
	return payload
}

// Runner is a service, or its doors.
type Runner interface {
	Run(ctx context.Context) error
}

// Run runs a service until the test ends, or until stop is called; both wait until it has drained.
func (s *Street) Run(t testing.TB, name string, r Runner) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	stopped := false
	stop = func() {
		cancel()
		if !stopped {
			stopped = true
			require.NoError(t, <-done)
		}
	}
	t.Cleanup(stop)
	conn := s.Server.Conn(t)
	require.Eventually(t, func() bool {
		_, err := conn.Request("$SRV.PING."+events.MicroName(name), nil, time.Second)
		return err == nil
	}, Patience, time.Millisecond)
	return stop
}

// Ask asks on an interactive subject and returns the first message of the answer.
func (s *Street) Ask(t testing.TB, subject string, body []byte) Message {
	t.Helper()
	return s.AskWith(t, subject, nil, body)
}

// AskWith is Ask with headers.
func (s *Street) AskWith(t testing.TB, subject string, header map[string][]string, body []byte) Message {
	t.Helper()
	msg, err := s.Server.Conn(t).RequestMsg(bustest.Message(subject, "", header, body), Patience)
	require.NoError(t, err)
	return Message{Subject: msg.Subject, Header: msg.Header, Body: msg.Data}
}

// Stream asks on an interactive subject and returns every message of the answer: until an empty one, which is not
// returned, or an error, which is.
func (s *Street) Stream(t testing.TB, subject string, body []byte) []Message {
	t.Helper()
	list, end := s.StreamWith(t, subject, nil, body)
	if end.Err() != nil {
		list = append(list, end)
	}
	return list
}

// StreamWith is Stream with headers, which returns the end of the stream separately.
func (s *Street) StreamWith(t testing.TB, subject string, header map[string][]string, body []byte) (list []Message, end Message) {
	t.Helper()
	conn := s.Server.Conn(t)
	inbox := conn.NewInbox()
	sub, err := conn.SubscribeSync(inbox)
	require.NoError(t, err)
	require.NoError(t, conn.PublishMsg(bustest.Message(subject, inbox, header, body)))
	for {
		msg, err := sub.NextMsg(Patience)
		require.NoError(t, err)
		m := Message{Subject: msg.Subject, Header: msg.Header, Body: msg.Data}
		if m.Err() != nil || len(m.Body) == 0 {
			return list, m
		}
		list = append(list, m)
	}
}

// Publish stores a durable request; headers are name and value in turn.
func (s *Street) Publish(t testing.TB, subject, id string, body []byte, headers ...string) bus.Ack {
	t.Helper()
	header := make(map[string][]string)
	for i := 0; i+1 < len(headers); i += 2 {
		header[headers[i]] = []string{headers[i+1]}
	}
	ack, err := s.Bus.Publish(t.Context(), bus.Msg{Subject: subject, ID: id, Header: header, Body: body})
	require.NoError(t, err)
	return ack
}

// Quick shortens the time after which a request is taken from a worker that shows no sign of life.
func (s *Street) Quick(t testing.TB, consumer string, wait time.Duration) {
	t.Helper()
	stream := s.Bus.Subjects().StreamName(events.StreamRequests)
	spec, found, err := s.Bus.Consumer(t.Context(), stream, consumer)
	require.NoError(t, err)
	require.True(t, found)
	spec.AckWait = wait
	require.NoError(t, s.Bus.ApplyConsumer(t.Context(), spec))
}

// JSON decodes a body.
func JSON[T any](t testing.TB, m Message) T {
	t.Helper()
	var v T
	require.NoError(t, json.Unmarshal(m.Body, &v), string(m.Body))
	return v
}
