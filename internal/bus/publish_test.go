package bus_test

import (
	"context"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

func TestPublishStoresOncePerID(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t).Connect(t, "test")
	msg := bus.Msg{Subject: b.Subjects().Event("custom.x"), ID: "one", Body: []byte(`{}`)}
	first, err := b.Publish(t.Context(), msg)
	require.NoError(t, err)
	require.Equal(t, "MLSDM_EVENTS", first.Stream)
	require.False(t, first.Duplicate)
	second, err := b.Publish(t.Context(), msg)
	require.NoError(t, err)
	require.True(t, second.Duplicate)
	require.Equal(t, first.Sequence, second.Sequence)
}

func TestPublishSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t)
	b := s.Connect(t, "test")
	_, err := b.Publish(t.Context(), bus.Msg{Subject: "mlsdm.requests.dance"})
	require.Equal(t, events.CodeFailedPrecondition, events.CodeOf(err), "a request of no known kind is refused, not kept for ever")
	_, err = b.Publish(t.Context(), bus.Msg{Subject: b.Subjects().Event("custom.x"), Body: make([]byte, 9<<20)})
	require.Equal(t, events.CodeInvalidArgument, events.CodeOf(err))
	s.Shutdown()
	ctx, cancel := context.WithTimeout(t.Context(), 1)
	defer cancel()
	_, err = b.Publish(ctx, bus.Msg{Subject: b.Subjects().Event("custom.x")})
	require.Equal(t, events.CodeUnavailable, events.CodeOf(err))
	require.True(t, events.AsError(err).Retryable)
}

func TestPublishAllStoresMoreThanTheWindow(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t).Connect(t, "test")
	msgs := make([]bus.Msg, 6000)
	for i := range msgs {
		msgs[i] = bus.Msg{Subject: b.Subjects().Event("custom.x"), Body: []byte(`{}`)}
	}
	require.NoError(t, b.PublishAll(t.Context(), msgs))
	ack, err := b.Publish(t.Context(), msgs[0])
	require.NoError(t, err)
	require.Equal(t, uint64(6001), ack.Sequence)
	msgs[3].Subject = "mlsdm.nowhere"
	require.ErrorContains(t, b.PublishAll(t.Context(), msgs[:5]), "mlsdm.nowhere")
}

func TestTraceContextTravelsInLowerCase(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t)
	b := s.ConnectTraced(t, "test", nil)
	nc := s.Conn(t)
	sub, err := nc.SubscribeSync("mlsdm.events.>")
	require.NoError(t, err)
	require.NoError(t, nc.Flush())
	const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	for _, name := range []string{"traceparent", "Traceparent", "TRACEPARENT"} {
		ctx := bus.ContextFromHeader(t.Context(), map[string][]string{name: {parent}})
		require.True(t, trace.SpanContextFromContext(ctx).IsValid(), name)
		ev, err := events.New("/test", events.EndpointRecovered{EndpointID: "e"})
		require.NoError(t, err)
		_, err = b.PublishEvent(ctx, ev)
		require.NoError(t, err)
		msg, err := sub.NextMsgWithContext(t.Context())
		require.NoError(t, err)
		require.Equal(t, []string{parent}, msg.Header["traceparent"], "no SDK: the context is passed on as it came")
		require.NotContains(t, msg.Header, "Traceparent")
		got, err := events.ParseStructured(msg.Data)
		require.NoError(t, err)
		require.Equal(t, parent, got.TraceParent)
	}
}

func TestConnectRefusesWrongCredentials(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t, bustest.Bare(), bustest.Configure(withUser("ann", "right")))
	cfg := s.Config()
	cfg.User = "ann"
	require.NoError(t, cfg.Password.UnmarshalText([]byte("wrong-canary")))
	_, err := bus.Connect(t.Context(), cfg, "test", bus.Options{})
	require.ErrorContains(t, err, "refuses the credentials")
	require.NotContains(t, err.Error(), "canary")

	require.NoError(t, cfg.Password.UnmarshalText([]byte("right")))
	b, err := bus.Connect(t.Context(), cfg, "test", bus.Options{})
	require.NoError(t, err)
	require.NoError(t, b.Connected())
	require.NoError(t, b.Close(t.Context()))
	require.Error(t, b.Connected())
}

func TestConnectWaitsForTheServer(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	ctx, cancel := context.WithTimeout(t.Context(), 1200e6)
	defer cancel()
	_, err := bus.Connect(ctx, bus.Config{URLs: []string{"nats://u:canary@127.0.0.1:1"}}, "test", bus.Options{Logger: textLogger(&log)})
	require.ErrorContains(t, err, "could not be reached")
	require.Equal(t, 1, strings.Count(log.String(), "trying until it is"), "says so once")
	require.NotContains(t, log.String()+err.Error(), "canary")
}

func TestConfigValidate(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		cfg  bus.Config
		want string
	}{
		"two logins":        {bus.Config{URLs: []string{"x"}, Creds: "a", User: "b"}, "exclude each other"},
		"key without cert":  {bus.Config{URLs: []string{"x"}, TLSKey: "k"}, "belong together"},
		"no server":         {bus.Config{}, "nats-url is empty"},
		"prefix of two":     {bus.Config{URLs: []string{"x"}, Prefix: "a.b"}, "prefix"},
		"prefix with a gap": {bus.Config{URLs: []string{"x"}, Prefix: "a b"}, "prefix"},
	} {
		require.ErrorContains(t, tc.cfg.Validate(), tc.want, name)
	}
}

func TestPublishRefusesWhatIsNoSubject(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t).Connect(t, "test")
	for _, subject := range []string{"", "mlsdm.events.", "mlsdm.events.a b", "mlsdm.events.a\r\nPUB x 0", "mlsdm.events.*", "mlsdm.>", "mlsdm..x"} {
		_, err := b.Publish(t.Context(), bus.Msg{Subject: subject})
		require.Equal(t, events.CodeInvalidArgument, events.CodeOf(err), subject)
		_, err = b.Request(t.Context(), bus.Msg{Subject: subject})
		require.Equal(t, events.CodeInvalidArgument, events.CodeOf(err), subject)
		require.Error(t, b.PublishAll(t.Context(), []bus.Msg{{Subject: subject}, {Subject: b.Subjects().Event("custom.x")}}))
	}
}

func TestHeadersCannotSmuggleLines(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t)
	nc := s.Conn(t)
	sub, err := nc.SubscribeSync("mlsdm.events.>")
	require.NoError(t, err)
	require.NoError(t, nc.Flush())
	b := s.Connect(t, "test")
	_, err = b.Publish(t.Context(), bus.Msg{Subject: b.Subjects().Event("custom.x"), ID: "a\r\nNats-TTL: 1s", Header: map[string][]string{
		"X-Mine": {"one\r\nNats-TTL: 1s\r\n\r\nbody"},
	}})
	require.NoError(t, err)
	for _, name := range []string{"X\r\nNats-TTL", "X Y", "X:Y", ""} {
		_, err = b.Publish(t.Context(), bus.Msg{Subject: b.Subjects().Event("custom.x"), Header: map[string][]string{name: {"1s"}}})
		require.Equal(t, events.CodeInvalidArgument, events.CodeOf(err), name)
	}
	msg, err := sub.NextMsgWithContext(t.Context())
	require.NoError(t, err)
	require.Empty(t, msg.Header.Get("Nats-TTL"))
	require.Empty(t, msg.Data)
	require.NotContains(t, msg.Header.Get("X-Mine"), "\n")
}

func TestPublishAllHeedsItsContext(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t)
	b := s.Connect(t, "test")
	s.Shutdown()
	s.WaitForShutdown()
	require.Eventually(t, func() bool { return b.Connected() != nil }, 30*time.Second, time.Millisecond)
	msgs := make([]bus.Msg, 4200) // about a hundred more than may be under way
	for i := range msgs {
		msgs[i] = bus.Msg{Subject: b.Subjects().Event("custom.x"), Body: []byte(`{}`)}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	begun := time.Now()
	err := b.PublishAll(ctx, msgs)
	require.ErrorContains(t, err, "4200 of 4200 messages were not stored")
	require.Less(t, len(err.Error()), 2000)
	require.Equal(t, events.CodeUnavailable, events.CodeOf(err))
	require.Less(t, time.Since(begun), 15*time.Second)
}

func TestPublishAllKeepsTheOrderAndDropsRepeats(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t)
	b := s.Connect(t, "test")
	msgs := make([]bus.Msg, 300)
	for i := range msgs {
		msgs[i] = bus.Msg{Subject: b.Subjects().Event("custom.x"), ID: strconv.Itoa(i % 200), Body: []byte(strconv.Itoa(i))}
	}
	require.NoError(t, b.PublishAll(t.Context(), msgs))
	n, err := b.StreamMessages(t.Context(), "MLSDM_EVENTS")
	require.NoError(t, err)
	require.Equal(t, uint64(200), n)
	js, err := jetstream.New(s.Conn(t))
	require.NoError(t, err)
	stream, err := js.Stream(t.Context(), "MLSDM_EVENTS")
	require.NoError(t, err)
	for i := range 200 {
		msg, err := stream.GetMsg(t.Context(), uint64(i+1))
		require.NoError(t, err)
		require.Equal(t, strconv.Itoa(i), string(msg.Data))
	}
}
