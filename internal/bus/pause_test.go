package bus_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
)

// Whoever must not take in more work asks for none, and goes on with it later; a consumer that begins meanwhile keeps to that too.
func TestPause(t *testing.T) {
	t.Parallel()
	for name, early := range map[string]bool{"paused while it runs": true, "paused before it begins": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := bustest.Start(t)
			b := s.Connect(t, "test")
			const n = 20
			handled := make(chan struct{}, n)
			run := func() {
				start(t, b, embedConsumer(b), func(context.Context, *bus.Message) error {
					handled <- struct{}{}
					return nil
				})
			}
			if early {
				run()
				require.Eventually(t, func() bool { return consumerInfo(t, s).NumWaiting > 0 }, patience, time.Millisecond)
			}
			b.Pause()
			if !early {
				run()
			}
			// What was asked for before has come to its end.
			require.Eventually(t, func() bool { return consumerInfo(t, s).NumWaiting == 0 }, patience, 10*time.Millisecond)
			publishN(t, b, n)
			require.Never(t, func() bool { return consumerInfo(t, s).NumWaiting > 0 }, 2*time.Second, 50*time.Millisecond)
			require.Empty(t, handled)

			b.Resume()
			for range n {
				select {
				case <-handled:
				case <-time.After(patience):
					require.Fail(t, "not all is handled")
				}
			}
		})
	}
}

func TestHeldBytes(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t)
	b := s.Connect(t, "test")
	require.Zero(t, b.HeldBytes())
	hold := make(chan struct{})
	stop := start(t, b, embedConsumer(b), func(context.Context, *bus.Message) error {
		<-hold
		return nil
	})
	publishN(t, b, 3) // of two bytes each
	require.Eventually(t, func() bool { return b.HeldBytes() == 6 }, patience, time.Millisecond)
	close(hold)
	require.Eventually(t, func() bool { return b.HeldBytes() == 0 }, patience, time.Millisecond)
	stop()
	require.Zero(t, b.HeldBytes())
}
