// Package bench measures the stack beside its floor: what bare NATS and bare HTTP cost for the same bytes, on the same
// machine, in the same run. Absolute figures say little about a shared machine; the ratio does.
package bench_test

import (
	"context"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/internal/service"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services"
)

// run starts one service on the server and waits until it answers.
func run(b *testing.B, s *bustest.Server, name string, settings map[string]string) {
	b.Helper()
	i := slices.IndexFunc(services.Units(), func(u service.Unit) bool { return u.Name == name })
	require.GreaterOrEqual(b, i, 0, "no service %s", name)
	instance, err := services.Units()[i].Load(service.Source{Lookup: func(key string) (string, bool) {
		value, ok := settings[key]
		return value, ok
	}})
	require.NoError(b, err)
	conn := s.Connect(b, "mlsdm-"+name)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- instance.Run(ctx, service.Deps{Bus: conn, Logger: slog.New(slog.DiscardHandler)})
	}()
	b.Cleanup(func() {
		cancel()
		require.NoError(b, <-done)
	})
	nc := s.Conn(b)
	require.Eventually(b, func() bool {
		_, err := nc.Request("$SRV.PING."+events.MicroName(name), nil, 100*time.Millisecond)
		return err == nil
	}, 10*time.Second, 5*time.Millisecond)
}

// report prints the percentiles of ours and of the floor, in milliseconds, and their ratio.
func report(b *testing.B, ours, floor []time.Duration) {
	b.Helper()
	at := percentile
	b.ReportMetric(0, "ns/op") // the whole run; it says nothing
	b.ReportMetric(at(ours, .5), "p50-ms")
	b.ReportMetric(at(ours, .99), "p99-ms")
	b.ReportMetric(at(floor, .5), "floor-p50-ms")
	b.ReportMetric(at(floor, .99), "floor-p99-ms")
	b.ReportMetric(at(ours, .5)/at(floor, .5), "x-floor-p50")
}

// percentile is the p-quantile of times, in milliseconds.
func percentile(all []time.Duration, p float64) float64 {
	slices.Sort(all)
	return float64(all[min(int(p*float64(len(all))), len(all)-1)].Nanoseconds()) / 1e6
}
