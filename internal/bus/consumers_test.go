package bus_test

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/internal/retry"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// orderedSpec is the consumer of a strictly ordered endpoint.
func orderedSpec() bus.ConsumerSpec {
	return bus.ConsumerSpec{
		Stream: eventsStream, Name: events.OrderedConsumer("shop"), Filters: []string{"mlsdm.events.custom.>"},
		AckWait: 30 * time.Second, MaxAckPending: 1, MaxDeliver: -1, AckPolicy: bus.AckExplicit, Description: "read by dispatcher",
	}
}

func orderedConfig() bus.ConsumeConfig {
	return bus.ConsumeConfig{Stream: eventsStream, Durable: events.OrderedConsumer("shop"), MaxAttempts: -1, Backoff: retry.Backoff{Base: time.Millisecond}}
}

func TestApplyConsumerBeginsWhereItIsTold(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		change func(*bus.ConsumerSpec)
		first  uint64
	}{
		{"start", func(*bus.ConsumerSpec) {}, 1},
		{"sequence", func(s *bus.ConsumerSpec) { s.StartSequence = 3 }, 3},
		{"new", func(s *bus.ConsumerSpec) { s.DeliverNew = true }, 5},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := bustest.Start(t).Connect(t, "test")
			publishEvents(t, b, 4, nil)
			spec := orderedSpec()
			tt.change(&spec)
			require.NoError(t, b.ApplyConsumer(t.Context(), spec))
			have, found, err := b.Consumer(t.Context(), spec.Stream, spec.Name)
			require.NoError(t, err)
			require.True(t, found)
			require.Equal(t, orderedSpec(), have)
			_, err = b.Publish(t.Context(), bus.Msg{Subject: b.Subjects().Event("custom.last")})
			require.NoError(t, err)
			// Another replica makes it too, and somebody changes it: it stays where it is.
			spec.StartSequence, spec.DeliverNew, spec.AckWait = 2, false, time.Minute
			require.NoError(t, b.ApplyConsumer(t.Context(), spec))
			have, _, err = b.Consumer(t.Context(), spec.Stream, spec.Name)
			require.NoError(t, err)
			require.Equal(t, time.Minute, have.AckWait)

			seen := make(chan uint64, 10)
			start(t, b, orderedConfig(), func(_ context.Context, m *bus.Message) error { seen <- m.Sequence; return nil })
			for seq := tt.first; seq <= 5; seq++ {
				require.Equal(t, seq, <-seen)
			}
		})
	}
}

// TestOneAtATimeKeepsTheOrder: with one place, a message that is handed out again is not passed by another one.
func TestOneAtATimeKeepsTheOrder(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t).Connect(t, "test")
	require.NoError(t, b.ApplyConsumer(t.Context(), orderedSpec()))
	publishEvents(t, b, 50, nil)
	seen := make(chan string, 200)
	cfg := orderedConfig()
	cfg.Workers = 4
	start(t, b, cfg, func(_ context.Context, m *bus.Message) error {
		seen <- strconv.FormatUint(m.Sequence, 10) + "/" + strconv.Itoa(m.Attempt)
		if m.Attempt < 3 {
			return context.DeadlineExceeded
		}
		return nil
	})
	for seq := 1; seq <= 50; seq++ {
		for attempt := 1; attempt <= 3; attempt++ {
			require.Equal(t, strconv.Itoa(seq)+"/"+strconv.Itoa(attempt), <-seen)
		}
	}
}

func TestConsumeEndsWithItsConsumer(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t).Connect(t, "test")
	require.NoError(t, b.DeleteConsumer(t.Context(), eventsStream, "none"))
	require.NoError(t, b.DeleteConsumer(t.Context(), "NONE", "none"))
	require.ErrorIs(t, b.Consume(t.Context(), orderedConfig(), nil), bus.ErrConsumerGone)

	require.NoError(t, b.ApplyConsumer(t.Context(), orderedSpec()))
	handled, ended := make(chan struct{}, 1), make(chan error, 1)
	go func() {
		ended <- b.Consume(t.Context(), orderedConfig(), func(context.Context, *bus.Message) error { handled <- struct{}{}; return nil })
	}()
	publishEvents(t, b, 1, nil)
	<-handled
	require.NoError(t, b.DeleteConsumer(t.Context(), eventsStream, events.OrderedConsumer("shop")))
	select {
	case err := <-ended:
		require.ErrorIs(t, err, bus.ErrConsumerGone)
		require.Equal(t, events.CodeFailedPrecondition, events.CodeOf(err))
	case <-time.After(patience):
		t.Fatal("it goes on for ever")
	}
}
