package permissions_test

import (
	"context"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// BenchmarkClosed tells what the rights cost: messages through a work queue, stored, pulled and acked, on an open bus and
// on a closed one. The CPU time is that of server and client together.
func BenchmarkClosed(b *testing.B) {
	for name, options := range map[string][]bustest.Option{"open": nil, "closed": {bustest.Closed()}} {
		b.Run(name, func(b *testing.B) {
			dispatcher := bustest.Start(b, options...).Connect(b, events.ServiceDispatcher)
			subject := dispatcher.Subjects().DeliveryReady("e1")
			ctx, cancel := context.WithCancel(b.Context())
			var handled atomic.Int64
			done := make(chan error, 1)
			go func() {
				done <- dispatcher.Consume(ctx, bus.ConsumeConfig{
					Stream: dispatcher.Subjects().StreamName(events.StreamDeliveries), Durable: events.ConsumerWorkers, Workers: 64,
				}, func(context.Context, *bus.Message) error {
					handled.Add(1)
					return nil
				})
			}()
			begun := cpu(b)
			body := make([]byte, 300)
			for n := 0; n < b.N; {
				batch := make([]bus.Msg, 0, 256)
				for ; n < b.N && len(batch) < cap(batch); n++ {
					batch = append(batch, bus.Msg{Subject: subject, ID: strconv.Itoa(n), Body: body})
				}
				require.NoError(b, dispatcher.PublishAll(ctx, batch))
			}
			require.Eventually(b, func() bool { return handled.Load() >= int64(b.N) }, time.Minute, time.Millisecond)
			b.ReportMetric(float64((cpu(b)-begun).Microseconds())/float64(b.N), "cpu-µs/op")
			cancel()
			require.NoError(b, <-done)
		})
	}
}

// cpu is the CPU time of this process.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
