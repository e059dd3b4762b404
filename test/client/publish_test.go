package client_test

import (
	"context"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/pkg/client"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

func TestPublish(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t)
	sub := listen(t, s, "mlsdm.events.>")
	c := connect(t, s, client.Caller("check/out"))
	ctx := within(t)
	next := func() events.Event {
		t.Helper()
		msg, err := sub.NextMsgWithContext(ctx)
		require.NoError(t, err)
		ev, err := events.FromMessage(c.Subjects(), msg.Subject, msg.Header, msg.Data, events.Stored{})
		require.NoError(t, err)
		require.Equal(t, ev.ID, msg.Header.Get(events.HeaderMsgID))
		return ev
	}

	done, err := c.Publish(ctx, events.SecretRotated{Name: "openai_api_key", Store: "vault"})
	require.NoError(t, err)
	ev := next()
	require.Equal(t, client.Published{ID: ev.ID, Sequence: 1}, done)
	require.Equal(t, events.TypeSecretRotated, ev.Type)
	require.Equal(t, "/mlsdm/client/check%2Fout", ev.Source)
	require.Equal(t, events.SchemaURI(events.TypeSecretRotated), ev.DataSchema)
	require.WithinDuration(t, time.Now(), ev.Time, patience)

	_, err = c.Publish(ctx, events.SecretRotated{})
	requireCode(t, events.CodeInvalidArgument, err)

	for data, contentType := range map[string]string{
		`{"version":"1.2.3"}`: "application/json", "it works": "text/plain", "\xff\x00": "application/octet-stream",
	} {
		_, err = c.PublishData(ctx, "custom.deploy", []byte(data))
		require.NoError(t, err)
		ev = next()
		require.Equal(t, contentType, ev.DataContentType)
		require.Equal(t, data, string(ev.Data))
	}
	_, err = c.PublishData(ctx, "custom.*", nil)
	requireCode(t, events.CodeInvalidArgument, err)

	own := events.Event{
		ID: "deploy-7", Source: "/ci", Type: "custom.deploy", Time: time.Unix(1, 0).UTC(),
		TraceParent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", TraceState: "a=b",
	}
	done, err = c.PublishEvent(ctx, own)
	require.NoError(t, err)
	require.False(t, done.Duplicate)
	require.Equal(t, own, next())
	done, err = c.PublishEvent(ctx, own)
	require.NoError(t, err)
	require.True(t, done.Duplicate)
}

func TestPublishTraceHeaders(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t)
	sub := listen(t, s, "mlsdm.events.>")
	trace := "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	_, err := connect(t, s).PublishEvent(within(t), events.Event{Type: "custom.x", TraceParent: trace})
	require.NoError(t, err)
	msg, err := sub.NextMsgWithContext(within(t))
	require.NoError(t, err)
	require.Equal(t, []string{trace}, msg.Header["traceparent"], "in the lower case that other languages look for")
}

func TestPublishWithoutAStream(t *testing.T) {
	t.Parallel()
	_, err := connect(t, bustest.Start(t, bustest.Bare())).PublishData(within(t), "custom.x", []byte("{}"))
	requireCode(t, events.CodeFailedPrecondition, err)
	require.ErrorContains(t, err, "mlsdmctl provision")
}

// A server that can do nothing without others neither keeps its callers waiting nor says that they were too slow.
func TestPublishInAMinority(t *testing.T) {
	t.Parallel()
	trio := bustest.StartCluster(t, 3)
	last := trio.Servers[2]
	js, err := jetstream.New(last.Conn(t))
	require.NoError(t, err)
	_, err = js.CreateStream(within(t), jetstream.StreamConfig{Name: "MLSDM_EVENTS", Subjects: []string{"mlsdm.events.>"}, Replicas: 3})
	require.NoError(t, err)
	c := connect(t, last, client.Timeout(2*time.Second))
	_, err = c.PublishData(within(t), "custom.x", []byte("{}"))
	require.NoError(t, err)

	for _, s := range trio.Servers[:2] {
		s.Shutdown()
	}
	short, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	for whose, ctx := range map[string]context.Context{"the client's patience": t.Context(), "the caller's": short} {
		began := time.Now()
		_, err = c.PublishData(ctx, "custom.x", []byte("{}"))
		requireCode(t, events.CodeUnavailable, err)
		require.Less(t, time.Since(began), patience, whose)
	}
}

// Neither does a stream that says nothing.
func TestPublishWithoutAnAck(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t, bustest.Bare())
	sub := listen(t, s, "mlsdm.events.>") // it is heard, and not answered
	_, err := connect(t, s, client.Timeout(100*time.Millisecond)).PublishData(t.Context(), "custom.x", []byte("{}"))
	requireCode(t, events.CodeUnavailable, err)
	require.ErrorContains(t, err, "did not ack in time")
	_, err = sub.NextMsg(patience)
	require.NoError(t, err)
}
