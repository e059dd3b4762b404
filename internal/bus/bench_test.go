package bus_test

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

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
		{"workers=64/prefetch=0/work=2ms", 64, 0, 2 * time.Millisecond},
		{"workers=128/prefetch=0/work=2ms", 128, 0, 2 * time.Millisecond},
		{"workers=4/prefetch=0", 4, 0, 0},
	} {
		b.Run(c.name, func(b *testing.B) {
			conn := benchBacklog(b)
			var done sync.WaitGroup
			done.Add(b.N)
			ctx, cancel := context.WithCancel(b.Context())
			ended := make(chan error, 1)
			used := cpuTime(b)
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
			reportCPU(b, used)
			cancel()
			require.NoError(b, <-ended)
		})
	}
}

// BenchmarkForward does what a router does: it takes from one stream, stores in another, and acks. Traced, it makes two spans a message.
func BenchmarkForward(b *testing.B) {
	for name, tracer := range map[string]func(b *testing.B) trace.TracerProvider{
		"untraced": func(*testing.B) trace.TracerProvider { return nil },
		"traced": func(b *testing.B) trace.TracerProvider {
			b.Helper()
			return bustest.Tracer(b, sdktrace.NewBatchSpanProcessor(tracetest.NewNoopExporter()))
		},
	} {
		b.Run(name, func(b *testing.B) { forward(b, bustest.Start(b).ConnectTraced(b, "bench", tracer(b))) })
	}
}

// forward forwards b.N messages.
func forward(b *testing.B, conn *bus.Bus) {
	b.Helper()
	publishEvents(b, conn, b.N, make([]byte, 1<<10))
	var done sync.WaitGroup
	done.Add(b.N)
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan error, 1)
	subject := conn.Subjects().DeliveryReady("shop")
	used := cpuTime(b)
	b.ResetTimer()
	go func() {
		cfg := bus.ConsumeConfig{
			Stream: conn.Subjects().StreamName(events.StreamEvents), Durable: events.ConsumerRouter, Workers: 64, Prefetch: 128,
		}
		ended <- conn.Consume(ctx, cfg, func(ctx context.Context, m *bus.Message) error {
			defer done.Done()
			id := strconv.FormatUint(m.Sequence, 10)
			return conn.PublishAll(ctx, []bus.Msg{{
				Subject: subject, ID: id, Body: m.Body,
				Header: map[string][]string{events.HeaderDelivery: {id}, events.HeaderEventID: {id}, events.HeaderAttempt: {"1"}},
			}})
		})
	}()
	done.Wait()
	b.StopTimer()
	reportCPU(b, used)
	cancel()
	require.NoError(b, <-ended)
}

// BenchmarkPublish is one message at a time, and many publishers at once.
func BenchmarkPublish(b *testing.B) {
	for _, publishers := range []int{1, 64} {
		b.Run(fmt.Sprint("publishers=", publishers), func(b *testing.B) {
			conn := bustest.Start(b).Connect(b, "bench")
			body, subject := make([]byte, 1<<10), conn.Subjects().Event("custom.x")
			var next atomic.Int64
			var publishing sync.WaitGroup
			used := cpuTime(b)
			b.ResetTimer()
			for range publishers {
				publishing.Go(func() {
					for n := next.Add(1); n <= int64(b.N); n = next.Add(1) {
						if _, err := conn.Publish(b.Context(), bus.Msg{Subject: subject, ID: strconv.FormatInt(n, 10), Body: body}); err != nil {
							b.Error(err)
						}
					}
				})
			}
			publishing.Wait()
			reportCPU(b, used)
		})
	}
}

// BenchmarkLatency is how long one message alone takes from before its publish to the handler.
func BenchmarkLatency(b *testing.B) {
	conn := bustest.Start(b).Connect(b, "bench")
	ctx, cancel := context.WithCancel(b.Context())
	ended, came := make(chan error, 1), make(chan struct{})
	go func() {
		cfg := embedConsumer(conn)
		cfg.Workers = 64
		ended <- conn.Consume(ctx, cfg, func(context.Context, *bus.Message) error { came <- struct{}{}; return nil })
	}()
	for n := 0; b.Loop(); n++ {
		_, err := conn.Publish(b.Context(), bus.Msg{Subject: conn.Subjects().Request("", events.KindEmbed), ID: strconv.Itoa(n), Body: []byte(`{}`)})
		require.NoError(b, err)
		<-came
	}
	cancel()
	require.NoError(b, <-ended)
}

// cpuTime is the CPU time that the process has used, server included.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// reportCPU reports the CPU time a message since used.
func reportCPU(b *testing.B, used time.Duration) {
	b.Helper()
	b.ReportMetric(float64((cpuTime(b)-used).Microseconds())/float64(b.N), "cpu-µs/op")
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
