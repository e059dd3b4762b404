package client_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/pkg/client"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// patience bounds what must not take long.
const patience = 15 * time.Second

// within is the test's context with that bound.
func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// connect makes a client that is closed when the test ends.
func connect(t *testing.T, s *bustest.Server, options ...client.Option) *client.Client {
	t.Helper()
	c, err := client.Connect(within(t), s.URL(), options...)
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

// serve answers an operation until the test ends.
func serve(t *testing.T, s *bustest.Server, operation string, handler func(context.Context, *bus.Request) error) {
	t.Helper()
	b := s.Connect(t, "fake")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- b.Serve(ctx, bus.Service{
			Name: "fake", Version: "1.0.0", DrainTimeout: 100 * time.Millisecond,
			Operations: []bus.Operation{{Name: operation, Handler: handler}},
		})
	}()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-done)
	})
	require.Eventually(t, func() bool { // it answers pings once it is subscribed to everything
		ask, stop := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer stop()
		_, err := b.Request(ask, bus.Msg{Subject: "$SRV.PING.fake"})
		return err == nil
	}, patience, time.Millisecond)
}

// listen hears what is published on a subject from now on.
func listen(t *testing.T, s *bustest.Server, subject string) *nats.Subscription {
	t.Helper()
	nc := s.Conn(t)
	sub, err := nc.SubscribeSync(subject)
	require.NoError(t, err)
	require.NoError(t, nc.Flush())
	return sub
}

// respond answers with v in JSON.
func respond(r *bus.Request, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return r.Respond(body)
}

// requireCode checks the code of an error.
func requireCode(t *testing.T, want events.Code, err error) {
	t.Helper()
	var coded *events.Error
	require.ErrorAs(t, err, &coded)
	require.Equal(t, want, coded.Code, "%v", err)
}
