package dispatcher_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher"
)

// routeToNobody takes an event off the router's consumer, as a replica does that has not yet heard of any endpoint.
func routeToNobody(t *testing.T, b *bus.Bus) {
	t.Helper()
	ctx, taken := context.WithCancel(t.Context())
	require.NoError(t, b.Consume(ctx, bus.ConsumeConfig{
		Stream: "MLSDM_EVENTS", Durable: events.ConsumerRouter, Workers: 1, DrainTimeout: patience,
		DeadSubject: func(*bus.Message) string { return b.Subjects().DeadEvent() },
	}, func(context.Context, *bus.Message) error {
		taken()
		return nil
	}))
}

// An event that was published after its endpoint was created is delivered, even if the replica that routed it had not heard of
// the endpoint yet and died before it did. What was published before the endpoint was created is not.
func TestEventsRightAfterTheirEndpoint(t *testing.T) {
	t.Parallel()
	srv := bustest.Start(t)
	to := newReceiver(t, nil)
	hand := srv.Connect(t, "hand")
	first := run(t, srv, onlyBus())
	publish(t, hand, "custom.deploy", "too-early")
	require.Eventually(t, func() bool {
		pending, unacked, err := hand.Backlog(t.Context(), "MLSDM_EVENTS", events.ConsumerRouter)
		return err == nil && pending == 0 && unacked == 0
	}, patience, 10*time.Millisecond)
	create(t, first, spec("shop", to.url))
	first.stop()
	publish(t, hand, "custom.deploy", "missed")
	routeToNobody(t, hand)

	run(t, srv, onlyBus(), func(s *dispatcher.Service) { s.LookBack(time.Hour) })
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
