package bus_test

import (
	"context"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// BenchmarkServe is one request after the other, and what a chunk of a stream costs, of which a stream has a thousand.
func BenchmarkServe(b *testing.B) {
	s := bustest.Start(b, bustest.Bare())
	conn := s.Connect(b, "bench")
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan error, 1)
	const chunks = 1000
	chunk := make([]byte, 200)
	go func() {
		ended <- conn.Serve(ctx, bus.Service{Name: "mlsdm-bench", Version: "1.0.0", Operations: []bus.Operation{{
			Name: events.OpGenerate, Handler: func(_ context.Context, r *bus.Request) error {
				if len(r.Body) == 0 {
					return r.Respond(chunk)
				}
				for range chunks {
					if err := r.Send(chunk); err != nil {
						return err
					}
				}
				return nil
			},
		}}})
	}()
	nc := s.Conn(b)
	for {
		if _, err := nc.Request("$SRV.PING.mlsdm-bench", nil, nats.DefaultTimeout); err == nil {
			break
		}
	}
	b.Run("plain", func(b *testing.B) {
		used := cpuTime(b)
		for range b.N {
			_, err := nc.Request("mlsdm.generate", nil, nats.DefaultTimeout)
			require.NoError(b, err)
		}
		reportCPU(b, used)
	})
	b.Run("chunk", func(b *testing.B) {
		inbox := nc.NewInbox()
		sub, err := nc.SubscribeSync(inbox)
		require.NoError(b, err)
		require.NoError(b, sub.SetPendingLimits(-1, -1))
		defer func() { require.NoError(b, sub.Unsubscribe()) }()
		used := cpuTime(b)
		b.ResetTimer()
		for n := 0; n < b.N; {
			require.NoError(b, nc.PublishRequest("mlsdm.generate", inbox, []byte("stream")))
			for {
				msg, err := sub.NextMsg(nats.DefaultTimeout)
				require.NoError(b, err)
				n++
				if len(msg.Data) == 0 {
					break
				}
			}
		}
		reportCPU(b, used)
	})
	cancel()
	require.NoError(b, <-ended)
}
