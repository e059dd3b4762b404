package bus_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// TestPublishOutlivesTheServer: nobody who publishes notices that the server restarts, and nothing is stored twice.
func TestPublishOutlivesTheServer(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t)
	b := s.Connect(t, "test")
	const publishers = 16
	var stored atomic.Int64
	restarted := make(chan struct{})
	var publishing sync.WaitGroup
	for p := range publishers {
		publishing.Go(func() {
			for n, after := 0, 0; after < 20; n++ {
				select {
				case <-restarted:
					after++
				default:
				}
				_, err := b.Publish(t.Context(), bus.Msg{Subject: b.Subjects().Event("custom.x"), ID: fmt.Sprint(p, "-", n)})
				if err != nil {
					t.Error(err)
					return
				}
				stored.Add(1)
			}
		})
	}
	require.Eventually(t, func() bool { return stored.Load() > 100 }, patience, time.Millisecond)
	s.Restart(t)
	close(restarted)
	publishing.Wait()
	n, err := b.StreamMessages(t.Context(), eventsStream)
	require.NoError(t, err)
	require.Equal(t, uint64(stored.Load()), n)
}

// TestCloseWaitsForAcks: what was on its way when Close was called is stored, and its publisher is told.
func TestCloseWaitsForAcks(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t)
	b := s.Connect(t, "test")
	msgs := make([]bus.Msg, 2000)
	for i := range msgs {
		msgs[i] = bus.Msg{Subject: b.Subjects().Event("custom.x"), Body: make([]byte, 1<<10)}
	}
	published := make(chan error, 1)
	go func() { published <- b.PublishAll(t.Context(), msgs) }()
	other := s.Connect(t, "other")
	stored := func() uint64 {
		n, err := other.StreamMessages(t.Context(), eventsStream)
		require.NoError(t, err)
		return n
	}
	require.Eventually(t, func() bool { return stored() > 0 }, patience, time.Millisecond)
	require.NoError(t, b.Close(t.Context()))
	select {
	case err := <-published:
		if err == nil {
			require.Equal(t, uint64(len(msgs)), stored())
		} else { // some were not sent yet
			require.Equal(t, events.CodeUnavailable, events.CodeOf(err))
		}
	case <-time.After(patience):
		t.Fatal("it waits for an ack that cannot come")
	}
	_, err := b.Publish(t.Context(), msgs[0])
	require.Equal(t, events.CodeUnavailable, events.CodeOf(err))
}

// TestPublishSentToNobodyIsTriedAgain: a stream may be about to have a leader.
func TestPublishSentToNobodyIsTriedAgain(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t, bustest.Bare())
	b := s.Connect(t, "test")
	published := make(chan error, 1)
	go func() {
		_, err := b.Publish(t.Context(), bus.Msg{Subject: b.Subjects().Event("custom.x"), ID: "1"})
		published <- err
	}()
	require.NoError(t, b.ApplyStream(t.Context(), bus.StreamSpec{
		Name: eventsStream, Subjects: []string{"mlsdm.events.>"}, Replicas: 1, Storage: bus.StorageMemory, Duplicates: time.Minute,
	}))
	require.NoError(t, <-published, "the stream was there at the second try")
}
