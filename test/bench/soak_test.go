package bench_test

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// BenchmarkGeneratorSoak asks a generator 1,000 times a second for as long as MLSDM_SOAK says (10m), and for some streams in between,
// and tells how much memory it holds. After the first tenth, that is to stay as it is.
func BenchmarkGeneratorSoak(b *testing.B) {
	const rate, parts, streamed = 1000, 10, 64
	lasts := 10 * time.Minute
	if text := os.Getenv("MLSDM_SOAK"); text != "" {
		var err error
		lasts, err = time.ParseDuration(text)
		require.NoError(b, err, "MLSDM_SOAK")
	}
	m := newModels(b)
	ours, streams := m.ways(b, kindNow)[2], m.ways(b, kindStream)[2]
	var t table
	var held []float64
	requests := 0
	for range parts {
		requests += len(atRate(rate)(b, ours, lasts/parts))
		for i := range streamed {
			require.NoError(b, streams.ask(i%modelConnections))
		}
		held = append(held, statusMiB(b, ours.by.PID(), "VmRSS"))
		t.line("after %8d requests: %.1f MiB, at the most %.1f MiB so far", requests, held[len(held)-1], peakRSS(b, ours.by.PID()))
	}
	t.print(b, "1,000 requests a second for "+lasts.String()+", load average "+loadAverage(b))
	b.ReportMetric(held[0], "MiB-after-a-tenth")
	b.ReportMetric(held[len(held)-1], "MiB-at-the-end")
	b.ReportMetric(peakRSS(b, ours.by.PID()), "MiB-peak")
}
