package bench_test

import (
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// BenchmarkGenerator measures what it costs to go through the generator to a model server that answers at once (1.2 KB), that takes
// 50 ms with 1,000 requests in flight, and that streams 22 chunks, beside two floors: asking the server directly, and a bare NATS
// responder that forwards with net/http. All are processes of their own; they are measured in turns, and the medians count.
func BenchmarkGenerator(b *testing.B) {
	m := newModels(b)
	for _, c := range []struct { // from the least load to the greatest: the peaks of memory are those until then
		name, title string
		kind        kind
		ways        int
		rounds      int
		lasts       time.Duration
		load        load
	}{
		{"200rps", "200 requests a second", kindNow, 3, 5, 3 * time.Second, atRate(200)},
		{"1000rps", "1,000 requests a second", kindNow, 3, 5, 3 * time.Second, atRate(1000)},
		{"saturation", "16 at a time", kindNow, 4, 7, 2 * time.Second, saturate(modelConnections)},
		{"streams", "streams of 22 chunks, 16 at a time", kindStream, 4, 5, 2 * time.Second, saturate(modelConnections)},
		{"inflight1000", "answers after " + modelWait + ", 1,000 at a time", kindLate, 3, 5, 2 * time.Second, saturate(1000)},
	} {
		b.Run(c.name, func(b *testing.B) {
			all := m.compare(b, m.ways(b, c.kind)[:c.ways], c.rounds, c.lasts, c.load)
			direct, floor, ours := all[0], all[1], all[2]
			var t table
			t.ways(b, c.title, all)
			t.print(b, "chat completions of 1.2 KB, load average "+loadAverage(b)+"; medians of rounds in turns")
			b.ReportMetric(ratio(ours.cpu, floor.cpu), "x-floor-cpu")
			b.ReportMetric(middle(ours.cpu), "cpu-µs/req")
			b.ReportMetric(middle(floor.cpu), "floor-cpu-µs/req")
			b.ReportMetric(middle(ours.rates), "req/s")
			b.ReportMetric(middle(floor.rates), "floor-req/s")
			b.ReportMetric(middle(ours.p50)-middle(direct.p50), "added-p50-ms")
			b.ReportMetric(middle(ours.p99)-middle(direct.p99), "added-p99-ms")
			b.ReportMetric(ours.peak, "MiB")
		})
	}
}

// ways writes what was measured of all ways under one load. The first is that without anything between, the second the floor.
func (t *table) ways(b *testing.B, load string, all []*measured) {
	b.Helper()
	direct, floor := all[0], all[1]
	head := fmt.Sprintf("%-50s", load) + "\t× floor CPU\tCPU µs\treq/s\tp50 ms\tadded\tp99 ms\tadded\tpeak MiB\tothers' cores"
	t.section(b, head, func(w io.Writer) {
		for _, r := range all {
			_, err := fmt.Fprintf(w, "%-50s\t%s\t%s\t%.0f\t%.2f\t%.2f\t%.2f\t%.2f\t%s\t%.2f\t\n", r.name,
				orNothing("%.2f", ratio(r.cpu, floor.cpu)), orNothing("%.0f", middle(r.cpu)), middle(r.rates),
				middle(r.p50), middle(r.p50)-middle(direct.p50), middle(r.p99), middle(r.p99)-middle(direct.p99),
				orNothing("%.0f", r.peak), middle(r.others))
			require.NoError(b, err)
		}
	})
}

// orNothing writes a number, or nothing where there is none.
func orNothing(format string, n float64) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(format, n)
}

// usage is what all processes of the benchmark have used, this one included.
func (m *models) usage(b *testing.B) (sum time.Duration) {
	b.Helper()
	sum = cpu(b, os.Getpid())
	for _, p := range m.processes() {
		sum += cpu(b, p.PID())
	}
	return sum
}

// loadAverage is that of the machine.
func loadAverage(b *testing.B) string {
	b.Helper()
	text, err := os.ReadFile("/proc/loadavg")
	require.NoError(b, err)
	return strings.Join(strings.Fields(string(text))[:3], " ")
}
