package bus_test

import (
	"context"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
)

// TestScanDoesNotWaitForARight: who may read a stream, but not delete consumers, does not wait for an answer that never comes.
func TestScanDoesNotWaitForARight(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t, bustest.Configure(func(o *server.Options) {
		o.Users = []*server.User{{Username: "all", Password: "x"}, {
			Username: "reader", Password: "x",
			Permissions: &server.Permissions{Publish: &server.SubjectPermission{Deny: []string{"$JS.API.CONSUMER.DELETE.>"}}},
		}}
		o.NoAuthUser = "all"
	}))
	_, err := s.Connect(t, "test").Publish(t.Context(), bus.Msg{Subject: "mlsdm.events.custom.x", Body: []byte("x")})
	require.NoError(t, err)
	cfg := s.Config()
	cfg.User = "reader"
	cfg.Password = secret.NewValue("x")
	b, err := bus.Connect(t.Context(), cfg, "reader", bus.Options{Logger: bustest.Logger(t)})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.Close(context.WithoutCancel(t.Context()))) })
	began, seen := time.Now(), 0
	const scans = 6 // half a minute, did each wait
	for range scans {
		require.NoError(t, b.Scan(t.Context(), bus.ScanConfig{Stream: eventsStream}, func(*bus.Message) (bool, error) {
			seen++
			return true, nil
		}))
	}
	require.Equal(t, scans, seen)
	require.Less(t, time.Since(began), 20*time.Second)
	remain(t, s, eventsStream, 1) // the server forgets the others by itself
}

// remain waits until a stream has no more than so many consumers.
func remain(t *testing.T, s *bustest.Server, stream string, n int) {
	t.Helper()
	require.Eventually(t, func() bool { return consumers(t, s, stream) == n }, 2*patience, 10*time.Millisecond)
}
