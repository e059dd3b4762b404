package bus_test

import (
	"context"
	"strings"
	"testing"

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
	b := s.Connect(t, "test")
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
