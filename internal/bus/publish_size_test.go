package bus_test

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// TestTracingMakesNothingTooLarge: what is as large as the server, or a stream, takes without tracing is taken with it too.
func TestTracingMakesNothingTooLarge(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t)
	tracer := bustest.Tracer(t)
	b := s.ConnectTraced(t, "test", tracer)
	ctx, span := tracer.Tracer("test").Start(t.Context(), "outer")
	t.Cleanup(func() { span.End() })
	spec, _, err := b.Stream(ctx, eventsStream)
	require.NoError(t, err)
	overhead := len("NATS/1.0\r\nNats-Msg-Id: x\r\n\r\n")
	untraced := func(t *testing.T, subject string) {
		t.Helper()
		stream := eventsStream
		if subject == b.Subjects().Attempts("end") {
			stream = "MLSDM_ATTEMPTS"
		}
		last, err := b.LastOn(ctx, stream, subject)
		require.NoError(t, err)
		require.Empty(t, events.HeaderValue(last.Header, events.HeaderTraceParent))
	}
	for name, c := range map[string]struct {
		subject string
		most    int64
	}{
		"stream": {b.Subjects().Event("custom.stream"), int64(spec.MaxMsgSize)},
		"server": {b.Subjects().Attempts("end"), b.MaxPayload()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := b.Publish(ctx, bus.Msg{Subject: c.subject, ID: "x", Body: make([]byte, c.most-int64(overhead))})
			require.NoError(t, err)
			untraced(t, c.subject)
			_, err = b.Publish(ctx, bus.Msg{Subject: c.subject, ID: "y", Body: make([]byte, c.most-int64(overhead)+1)})
			require.Equal(t, events.CodeInvalidArgument, events.CodeOf(err), "what is too large for it is so without tracing")
			require.NoError(t, b.PublishAll(ctx, []bus.Msg{
				{Subject: c.subject, ID: "1", Body: make([]byte, c.most-int64(overhead))}, {Subject: c.subject, ID: "2"},
			}))
		})
	}
}

// TestTracingMakesNoEventTooLarge: the extension of an event for its trace is left out when there is no room for it.
func TestTracingMakesNoEventTooLarge(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t, bustest.Configure(func(o *server.Options) { o.MaxPayload = 256 << 10 }))
	tracer := bustest.Tracer(t)
	b := s.ConnectTraced(t, "test", tracer)
	ctx, span := tracer.Tracer("test").Start(t.Context(), "outer")
	defer span.End()
	spec, _, err := b.Stream(ctx, eventsStream)
	require.NoError(t, err)
	ev := events.Event{
		ID: "x", Type: "custom.large", Source: "/test", Time: time.Now().UTC(), DataContentType: events.ContentTypeText, Data: []byte("x"),
	}
	_, header, body, err := ev.Message(b.Subjects())
	require.NoError(t, err)
	const room = 40 // enough for the id, and not for a trace
	ev.Data = bytes.Repeat(ev.Data, int(spec.MaxMsgSize)-bustest.Message("", "", header, body).Size()-room)
	_, err = s.Connect(t, "plain").PublishEvent(t.Context(), ev)
	require.NoError(t, err, "without tracing there is room")
	ev.ID = "y"
	_, err = b.PublishEvent(ctx, ev)
	require.NoError(t, err)
}

// TestTracingMakesNoRequestTooLarge: a request is sent without its trace before it is refused.
func TestTracingMakesNoRequestTooLarge(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t)
	tracer := bustest.Tracer(t)
	b := s.ConnectTraced(t, "test", tracer)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	ctx, span := tracer.Tracer("test").Start(ctx, "outer")
	defer span.End()
	subject := b.Subjects().Below("nobody.here")
	overhead := len("NATS/1.0\r\nMlsdm-Timeout-Ms: 15000\r\n\r\n")
	body := make([]byte, b.MaxPayload()-int64(overhead))
	_, err := b.Request(ctx, bus.Msg{Subject: subject, Body: body})
	require.Equal(t, events.CodeUnavailable, events.CodeOf(err), "nobody answers: it was sent")
	_, err = b.Request(ctx, bus.Msg{Subject: subject, Body: append(body, make([]byte, overhead+1)...)})
	require.Equal(t, events.CodeInvalidArgument, events.CodeOf(err))
	require.NoError(t, b.Tell(ctx, bus.Msg{Subject: subject, Body: make([]byte, b.MaxPayload()-20)}))
}
