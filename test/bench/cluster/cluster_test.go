// Package cluster compares the same traffic on one NATS server and on a cluster of three, all in the process of the benchmark: what is
// left between the two is what the copies cost, and not how containers or networks are made. `make bench-cluster` runs it.
package cluster_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/internal/provision"
)

// BenchmarkPublish publishes events of 256 bytes, one after the other and by 64 at once, each until it is acked.
func BenchmarkPublish(b *testing.B) {
	for _, shape := range []struct {
		name    string
		servers int
	}{{"servers=1", 1}, {"servers=3", 3}} {
		b.Run(shape.name, func(b *testing.B) {
			conn := connect(b, shape.servers)
			b.Run("writers=1", func(b *testing.B) { publish(b, conn, 1) })
			b.Run("writers=64", func(b *testing.B) { publish(b, conn, 64) })
		})
	}
}

// connect starts so many servers with everything on all of them.
func connect(b *testing.B, servers int) *bus.Bus {
	b.Helper()
	if servers == 1 {
		conn, err := bus.Connect(b.Context(), bustest.Start(b).Config(), "bench", bus.Options{})
		require.NoError(b, err)
		b.Cleanup(func() { require.NoError(b, conn.Close(context.WithoutCancel(b.Context()))) })
		return conn
	}
	conn, err := bus.Connect(b.Context(), bustest.StartCluster(b, servers).Config(), "bench", bus.Options{})
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, conn.Close(context.WithoutCancel(b.Context()))) })
	cfg := provision.Default()
	cfg.Replicas = servers
	steps, err := provision.Plan(b.Context(), conn, cfg)
	require.NoError(b, err)
	require.NoError(b, provision.Apply(b.Context(), steps, nil))
	require.NoError(b, provision.Settle(b.Context(), conn, nil))
	return conn
}

func publish(b *testing.B, conn *bus.Bus, writers int) {
	b.Helper()
	subject, body := conn.Subjects().Event("custom.bench"), make([]byte, 256)
	for i := range body {
		body[i] = ' '
	}
	copy(body, `{}`)
	took := make([]time.Duration, b.N)
	work := make(chan int)
	var wg sync.WaitGroup
	failed := make(chan error, writers)
	before, err := conn.StreamMessages(b.Context(), "MLSDM_EVENTS")
	require.NoError(b, err)
	b.ResetTimer()
	for range writers {
		wg.Go(func() {
			for i := range work {
				began := time.Now()
				if _, err := conn.Publish(b.Context(), bus.Msg{Subject: subject, Body: body}); err != nil {
					select {
					case failed <- err:
					default:
					}
				}
				took[i] = time.Since(began)
			}
		})
	}
	for i := range b.N {
		work <- i
	}
	close(work)
	wg.Wait()
	b.StopTimer()
	select {
	case err := <-failed:
		require.NoError(b, err)
	default:
	}
	after, err := conn.StreamMessages(b.Context(), "MLSDM_EVENTS")
	require.NoError(b, err)
	require.EqualValues(b, b.N, after-before, "what was acked is stored")
	slices.Sort(took)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(float64(took[b.N/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(took[b.N*99/100].Microseconds()), "p99-µs")
}
