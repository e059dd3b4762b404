package bus_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
)

func TestListen(t *testing.T) {
	t.Parallel()
	server := bustest.Start(t, bustest.Bare())
	b := server.Connect(t, "listener")
	heard, again, ended := make(chan bus.Heard, 1000), make(chan struct{}, 100), make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		ended <- b.Listen(ctx, "news.*", func(m bus.Heard) { heard <- m }, func() { again <- struct{}{} })
	}()
	// hear publishes until it is heard: nobody says when the subscription has reached the server.
	hear := func(text string) bus.Heard {
		t.Helper()
		nc := server.Conn(t)
		tick, late := time.NewTicker(10*time.Millisecond), time.After(patience)
		defer tick.Stop()
		for {
			require.NoError(t, nc.Publish("other.one", []byte(text)))
			require.NoError(t, nc.Publish("news.one", []byte(text)))
			select {
			case m := <-heard:
				if string(m.Body) == text {
					return m
				}
			case <-tick.C:
			case <-late:
				require.Fail(t, "it is not heard")
			}
		}
	}
	require.Equal(t, "news.one", hear("first").Subject)
	require.Empty(t, again)

	server.Restart(t)
	select {
	case <-again:
	case <-time.After(patience):
		require.Fail(t, "nobody says that something was perhaps missed")
	}
	hear("second")

	cancel()
	require.NoError(t, <-ended)
}

func TestListenUntilTheConnectionIsClosed(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t, bustest.Bare()).Connect(t, "listener")
	ended := make(chan error, 1)
	go func() { ended <- b.Listen(t.Context(), "news", func(bus.Heard) {}, nil) }()
	require.NoError(t, b.Close(t.Context()))
	select {
	case err := <-ended:
		require.Error(t, err)
	case <-time.After(patience):
		require.Fail(t, "it goes on")
	}
}
