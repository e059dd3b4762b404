package bus_test

import (
	"context"
	"errors"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

func TestPeekLooksIntoAWorkQueueAndTakesNothing(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t).Connect(t, "test")
	const many = 600 // more than two batches
	for i := range many {
		subject := b.Subjects().DeliveryReady("e" + strconv.Itoa(i%2))
		_, err := b.Publish(t.Context(), bus.Msg{
			Subject: subject, ID: strconv.Itoa(i), Body: []byte("body " + strconv.Itoa(i)), Header: map[string][]string{"X": {"y"}, "Nats-Subject": {"lie"}},
		})
		require.NoError(t, err)
	}
	stream := b.Subjects().StreamName(events.StreamDeliveries)
	look := func(cfg bus.PeekConfig, most int) (bodies []string) {
		t.Helper()
		cfg.Stream = stream
		require.NoError(t, b.Peek(t.Context(), cfg, func(m *bus.Message) (bool, error) {
			require.Equal(t, "y", events.HeaderValue(m.Header, "X"))
			require.NotZero(t, m.Time)
			require.Equal(t, stream, m.Stream)
			require.Contains(t, []string{b.Subjects().DeliveryReady("e0"), b.Subjects().DeliveryReady("e1")}, m.Subject)
			bodies = append(bodies, string(m.Body))
			return len(bodies) < most, nil
		}))
		return bodies
	}
	all := look(bus.PeekConfig{}, many+1)
	require.Len(t, all, many)
	require.Equal(t, "body 0", all[0])
	require.Equal(t, "body 599", all[many-1])
	require.Len(t, look(bus.PeekConfig{Subject: b.Subjects().DeliveryReady("e1")}, many+1), many/2)
	require.Equal(t, []string{"body 9"}, look(bus.PeekConfig{FromSequence: 10}, 1))
	require.Empty(t, look(bus.PeekConfig{FromSequence: many + 1}, 1))
	require.Len(t, look(bus.PeekConfig{Most: 3}, many), 3)

	state, found, err := b.StreamState(t.Context(), stream)
	require.NoError(t, err)
	require.True(t, found)
	require.EqualValues(t, many, state.Messages)
	require.EqualValues(t, many, state.Last)
	require.NotZero(t, state.Bytes)
	require.False(t, state.FirstTime.IsZero())
	consumer, found, err := b.ConsumerState(t.Context(), stream, events.ConsumerWorkers)
	require.NoError(t, err)
	require.True(t, found)
	require.Equal(t, bus.ConsumerState{Pending: many}, consumer)
}

func TestPeekFailures(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t).Connect(t, "test")
	none := func(*bus.Message) (bool, error) { return true, nil }
	err := b.Peek(t.Context(), bus.PeekConfig{Stream: "NONE"}, none)
	require.Equal(t, events.CodeFailedPrecondition, events.CodeOf(err), err)

	_, err = b.Publish(t.Context(), bus.Msg{Subject: b.Subjects().DeliveryReady("e"), Body: []byte("x")})
	require.NoError(t, err)
	stream := b.Subjects().StreamName(events.StreamDeliveries)
	own := errors.New("enough")
	err = b.Peek(t.Context(), bus.PeekConfig{Stream: stream}, func(*bus.Message) (bool, error) { return true, own })
	require.ErrorIs(t, err, own)
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, b.Peek(canceled, bus.PeekConfig{Stream: stream}, none), context.Canceled)

	_, found, err := b.StreamState(t.Context(), "NONE")
	require.NoError(t, err)
	require.False(t, found)
	_, found, err = b.ConsumerState(t.Context(), "NONE", "x")
	require.NoError(t, err)
	require.False(t, found)
}
