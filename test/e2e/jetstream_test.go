package e2e_test

import (
	"context"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// user is a plain NATS client, as someone has it who knows nothing of this project's code.
type user struct {
	nc *nats.Conn
	js jetstream.JetStream
}

// connect connects a user, who comes back whenever the server does.
func connect(t *testing.T, url string) user {
	t.Helper()
	nc, err := nats.Connect(url, nats.RetryOnFailedConnect(true), nats.MaxReconnects(-1), nats.ReconnectWait(20*time.Millisecond),
		nats.ReconnectJitter(0, 0), nats.ReconnectBufSize(-1))
	require.NoError(t, err)
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	require.NoError(t, err)
	return user{nc: nc, js: js}
}

// within is the test's context with a bound.
func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// ask asks until somebody answers: who is asked may be starting.
func (u user) ask(t *testing.T, subject, body string) *nats.Msg {
	t.Helper()
	var answer *nats.Msg
	eventually(t, "an answer on "+subject, func() bool {
		var err error
		answer, err = u.nc.Request(subject, []byte(body), 2*time.Second)
		return err == nil
	})
	return answer
}

// hurry shortens the time after which the server hands out again what a killed process held. It is 30 s for operators, who do
// not watch.
func (u user) hurry(t *testing.T, ackWait time.Duration) {
	t.Helper()
	for _, c := range events.Consumers() {
		eventually(t, "the consumer "+c.Name, func() bool {
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second) // what was sent to a dead server is not answered
			defer cancel()
			consumer, err := u.js.Consumer(ctx, events.Subjects{}.StreamName(c.Stream), c.Name)
			if err != nil {
				return false
			}
			cfg := consumer.CachedInfo().Config
			cfg.AckWait = ackWait
			_, err = u.js.UpdateConsumer(ctx, consumer.CachedInfo().Stream, cfg)
			return err == nil
		})
	}
}

// count returns how many messages a stream holds.
func (u user) count(t *testing.T, stream string) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	s, err := u.js.Stream(ctx, stream)
	require.NoError(t, err)
	return int(s.CachedInfo().State.Msgs)
}

// settled waits until every event is routed and every delivery made or given up, so that nothing more can come, and checks that
// nothing was given up.
func (u user) settled(t *testing.T) {
	t.Helper()
	ctx := within(t)
	eventually(t, "the end of all deliveries", func() bool {
		stream, err := u.js.Stream(ctx, "MLSDM_EVENTS")
		require.NoError(t, err)
		router, err := stream.Consumer(ctx, events.ConsumerRouter)
		require.NoError(t, err)
		// A consumer's count of pending messages lags behind the stream.
		info := router.CachedInfo()
		return info.Delivered.Stream >= stream.CachedInfo().State.LastSeq && info.NumAckPending == 0 && u.count(t, "MLSDM_DELIVERIES") == 0 && u.count(t, "MLSDM_WAITING") == 0
	})
	require.Zero(t, u.count(t, "MLSDM_DEADLETTERS"), "nothing was given up")
}

// events reads all that the events stream holds.
func (u user) events(t *testing.T) []events.Event {
	t.Helper()
	ctx := within(t)
	stream, err := u.js.Stream(ctx, "MLSDM_EVENTS")
	require.NoError(t, err)
	var all []events.Event
	for sequence := uint64(1); sequence <= stream.CachedInfo().State.LastSeq; sequence++ {
		m, err := stream.GetMsg(ctx, sequence)
		require.NoError(t, err)
		ev, err := events.FromMessage(events.Subjects{}, m.Subject, m.Header, m.Data, events.Stored{Stream: "MLSDM_EVENTS", Sequence: sequence, Time: m.Time})
		require.NoError(t, err)
		all = append(all, ev)
	}
	return all
}

// ofType returns those events that are of a type.
func ofType(all []events.Event, eventType string) []events.Event {
	var some []events.Event
	for _, ev := range all {
		if ev.Type == eventType {
			some = append(some, ev)
		}
	}
	return some
}

// tally counts events by their type.
func tally(all []events.Event) map[string]int {
	counts := map[string]int{}
	for _, ev := range all {
		counts[ev.Type]++
	}
	return counts
}

// eventually waits until something is true, looking often.
func eventually(t *testing.T, what string, happened func() bool) {
	t.Helper()
	tick, timeout := time.NewTicker(10*time.Millisecond), time.After(patience)
	defer tick.Stop()
	for !happened() {
		select {
		case <-tick.C:
		case <-timeout:
			require.Fail(t, "it does not happen", what)
		}
	}
}
