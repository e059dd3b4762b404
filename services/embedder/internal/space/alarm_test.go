package space_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/embedder/internal/space"
)

// told returns the events that are stored.
func told(t *testing.T, b *bus.Bus) []events.EmbeddingSpaceChanged {
	t.Helper()
	var all []events.EmbeddingSpaceChanged
	require.NoError(t, b.Scan(t.Context(), bus.ScanConfig{Stream: "MLSDM_EVENTS"}, func(m *bus.Message) (bool, error) {
		ev, err := events.FromMessage(events.Subjects{}, m.Subject, m.Header, m.Body, events.Stored{})
		require.NoError(t, err)
		require.Equal(t, "/mlsdm/embedder", ev.Source)
		payload, err := events.Decode[events.EmbeddingSpaceChanged](ev)
		require.NoError(t, err)
		require.Equal(t, payload.Model, ev.Subject)
		all = append(all, payload)
		return true, nil
	}))
	return all
}

// However often an answer is refused, and by however many replicas, it is told once.
func TestRefusalsAreTold(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t)
	one, stopOne := run(t, s, "one")
	two, stopTwo := run(t, s, "two")
	waitReady(t, one)
	waitReady(t, two)
	require.NoError(t, one.Check(t.Context(), "a/m", "r", "a/m", 3))
	before := time.Now().Truncate(time.Hour)
	for range 100 {
		for _, pins := range []*space.Pins{one, two} {
			require.Equal(t, events.CodeFailedPrecondition, code(pins.Check(t.Context(), "a/m", "r", "b/m", 4)))
		}
	}
	require.Equal(t, events.CodeFailedPrecondition, code(two.Check(t.Context(), "a/m", "r", "b/m", 5)))
	stopOne() // which publishes what is left
	stopTwo()
	all := told(t, s.Connect(t, "reader"))
	if time.Now().Truncate(time.Hour).Equal(before) {
		require.ElementsMatch(t, []events.EmbeddingSpaceChanged{
			{Model: "a/m@r", Provider: "b/m", Pinned: 3, Seen: 4}, {Model: "a/m@r", Provider: "b/m", Pinned: 3, Seen: 5},
		}, all)
	}
}

// A broker that was away is told later.
func TestRefusalsAreToldLater(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t)
	pins := ready(t, s, "one")
	require.NoError(t, pins.Check(t.Context(), "a/m", "", "a/m", 3))
	until(t, pins, "a/m", "", 3)
	s.Shutdown()
	s.WaitForShutdown()
	require.Equal(t, events.CodeFailedPrecondition, code(pins.Check(t.Context(), "a/m", "", "a/m", 4)))
	s.Restart(t)
	reader := s.Connect(t, "reader")
	require.Eventually(t, func() bool {
		require.Equal(t, events.CodeFailedPrecondition, code(pins.Check(t.Context(), "a/m", "", "a/m", 4)))
		return len(told(t, reader)) == 1
	}, 2*patience, 50*time.Millisecond)
}

// A model that answers another length every time does not fill the stream.
func TestNotEverythingIsTold(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t)
	pins, stop := run(t, s, "one")
	waitReady(t, pins)
	require.NoError(t, pins.Check(t.Context(), "a/m", "", "a/m", 1))
	until(t, pins, "a/m", "", 1)
	for dimensions := 2; dimensions < 5000; dimensions++ {
		require.Equal(t, events.CodeFailedPrecondition, code(pins.Check(t.Context(), "a/m", "", "a/m", dimensions)))
	}
	stop()
	n := len(told(t, s.Connect(t, "reader")))
	require.Positive(t, n)
	require.LessOrEqual(t, n, 2*128, "two hours, at most")
}

func TestEventID(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 15, 10, 0, 0, time.UTC)
	id := space.EventID("a/m", "1", 3, 4, now)
	require.NoError(t, events.CheckID("id", id))
	require.Equal(t, id, space.EventID("a/m", "1", 3, 4, now.Add(49*time.Minute)))
	require.NotEqual(t, id, space.EventID("a/m", "1", 3, 4, now.Add(50*time.Minute)))
	require.NotEqual(t, id, space.EventID("a/m", "", 3, 4, now))
	require.NotEqual(t, id, space.EventID("a/m", "1", 4, 3, now))
}
