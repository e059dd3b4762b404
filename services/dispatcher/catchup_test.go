package dispatcher_test

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// router returns the consumer of events.
func router(t *testing.T, srv *bustest.Server) jetstream.Consumer {
	t.Helper()
	js, err := jetstream.New(srv.Conn(t))
	require.NoError(t, err)
	consumer, err := js.Consumer(t.Context(), "MLSDM_EVENTS", events.ConsumerRouter)
	require.NoError(t, err)
	return consumer
}

// routeToNobody takes an event off the router's consumer, as a replica does that has not yet heard of any endpoint.
func routeToNobody(t *testing.T, srv *bustest.Server) {
	t.Helper()
	m, err := router(t, srv).Next(jetstream.FetchMaxWait(patience))
	require.NoError(t, err)
	require.NoError(t, m.DoubleAck(t.Context()))
}

// An event that was published after its endpoint was created is delivered, even if the replica that routed it had not heard of
// the endpoint yet and died before it did. What was published before the endpoint was created is not.
func TestEventsRightAfterTheirEndpoint(t *testing.T) {
	t.Parallel()
	srv := bustest.Start(t)
	to := newReceiver(t, nil)
	first := run(t, srv, onlyBus())
	publish(t, first.bus, "custom.deploy", "too-early")
	require.Eventually(t, func() bool {
		info, err := router(t, srv).Info(t.Context())
		return err == nil && info.AckFloor.Stream > 0
	}, patience, 10*time.Millisecond)
	create(t, first, spec("shop", to.url))
	first.stop()
	hand := srv.Connect(t, "hand")
	publish(t, hand, "custom.deploy", "missed")
	routeToNobody(t, srv)

	run(t, srv, onlyBus())
	require.Equal(t, "missed", to.next(t).id)
	publish(t, hand, "custom.deploy", "later")
	require.Equal(t, "later", to.next(t).id)
	settled(t, srv)
	require.Empty(t, to.hits)
}

// Every replica that hears of an endpoint looks back for all. What was routed already is not delivered again.
func TestEventsAreCaughtUpWithOnce(t *testing.T) {
	t.Parallel()
	srv := bustest.Start(t)
	to := newReceiver(t, nil)
	first := run(t, srv, onlyBus())
	create(t, first, spec("shop", to.url))
	publish(t, first.bus, "custom.deploy", "event-1")
	require.Equal(t, "event-1", to.next(t).id)
	settled(t, srv)

	run(t, srv, onlyBus()) // which looks back
	call[events.EndpointChanged](t, first, events.OpEndpointsUpdate, events.EndpointUpdateRequest{
		ID: "shop", Endpoint: []byte(`{"events":["custom.>"],"headers":{"X-Team":"a"}}`),
	})
	publish(t, first.bus, "custom.deploy", "event-2")
	require.Equal(t, "event-2", to.next(t).id)
	settled(t, srv)
	require.Never(t, func() bool { return len(to.hits) > 0 }, time.Second, 50*time.Millisecond)
}
