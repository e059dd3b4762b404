package bus_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// BenchmarkConsume reads a backlog, beside the client library's own Consume as the floor.
func BenchmarkConsume(b *testing.B) {
	for _, c := range []struct {
		name              string
		workers, prefetch int
		work              time.Duration
	}{
		{"workers=64/prefetch=0", 64, 0, 0},
		{"workers=64/prefetch=128", 64, 128, 0},
		{"workers=64/prefetch=0/work=1ms", 64, 0, time.Millisecond},
		{"workers=4/prefetch=0", 4, 0, 0},
	} {
		b.Run(c.name, func(b *testing.B) {
			conn := benchBacklog(b)
			var done sync.WaitGroup
			done.Add(b.N)
			ctx, cancel := context.WithCancel(b.Context())
			ended := make(chan error, 1)
			b.ResetTimer()
			go func() {
				cfg := embedConsumer(conn)
				cfg.Workers, cfg.Prefetch = c.workers, c.prefetch
				ended <- conn.Consume(ctx, cfg, func(context.Context, *bus.Message) error {
					if c.work > 0 {
						<-time.After(c.work)
					}
					done.Done()
					return nil
				})
			}()
			done.Wait()
			b.StopTimer()
			cancel()
			require.NoError(b, <-ended)
		})
	}
}

// BenchmarkConsumeFloor is the client library's Consume with its own buffer and one handler at a time.
func BenchmarkConsumeFloor(b *testing.B) {
	s := bustest.Start(b)
	conn := s.Connect(b, "bench")
	fill(b, conn)
	js, err := jetstream.New(s.Conn(b))
	require.NoError(b, err)
	consumer, err := js.Consumer(b.Context(), conn.Subjects().StreamName(events.StreamRequests), events.ConsumerEmbedder)
	require.NoError(b, err)
	var count atomic.Int64
	all := make(chan struct{})
	b.ResetTimer()
	consuming, err := consumer.Consume(func(m jetstream.Msg) {
		if err := m.Ack(); err != nil {
			b.Error(err)
		}
		if count.Add(1) == int64(b.N) {
			close(all)
		}
	})
	require.NoError(b, err)
	<-all
	b.StopTimer()
	consuming.Stop()
}

// benchBacklog starts a server with b.N requests in its work queue.
func benchBacklog(b *testing.B) *bus.Bus {
	b.Helper()
	conn := bustest.Start(b).Connect(b, "bench")
	fill(b, conn)
	return conn
}

func fill(b *testing.B, conn *bus.Bus) {
	b.Helper()
	for n := 0; n < b.N; n += 1000 {
		msgs := make([]bus.Msg, min(1000, b.N-n))
		for i := range msgs {
			msgs[i] = bus.Msg{Subject: conn.Subjects().Request("", events.KindEmbed), ID: fmt.Sprint("id-", n+i), Body: []byte(`{"input":"x"}`)}
		}
		require.NoError(b, conn.PublishAll(b.Context(), msgs))
	}
}
