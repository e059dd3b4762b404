package bench_test

import (
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/telemetry/otlptest"
)

// telemetryRate is how many requests a second are asked for where latencies are compared: well below what two cores can do.
const telemetryRate = 1000

// BenchmarkTelemetry measures what telemetry costs a generator, in turns with one that has none: every request traced to a collector
// that takes it, a collector where nobody listens, and one that accepts connections and never says a word.
func BenchmarkTelemetry(b *testing.B) {
	m := newModels(b)
	collector := otlptest.Start(b)
	ways := m.telemetries(b, collector.HTTP)
	var asked atomic.Int64
	ask := ways[1].ask
	ways[1].ask = func(worker int) error {
		asked.Add(1)
		return ask(worker)
	}
	for _, c := range []struct {
		name, title string
		rounds      int
		lasts       time.Duration
		load        load
	}{
		{"1000rps", "1,000 requests a second", 7, 3 * time.Second, atRate(telemetryRate)},
		{"saturation", "16 at a time", 9, 2 * time.Second, saturate(modelConnections)},
	} {
		b.Run(c.name, func(b *testing.B) {
			asked.Store(0)
			before := len(collector.Spans())
			all := m.compare(b, ways, c.rounds, c.lasts, c.load)
			none := all[0]
			// What is dropped costs nothing: the figure means something only if all of it arrived.
			arrived := float64(len(collector.Spans())-before) / float64(asked.Load())
			var t table
			t.section(b, fmt.Sprintf("%-50s", c.title)+"\t× CPU\tCPU µs\tmore µs\treq/s\t× req/s\tp50 ms\tp99 ms\t× p99\tpeak MiB\tothers' cores", func(w io.Writer) {
				for _, r := range all {
					_, err := fmt.Fprintf(w, "%-50s\t%.2f\t%.0f\t%.1f\t%.0f\t%.3f\t%.2f\t%.2f\t%.2f\t%.0f\t%.2f\t\n", r.name, ratio(r.cpu, none.cpu), middle(r.cpu),
						more(r.cpu, none.cpu), middle(r.rates), ratio(r.rates, none.rates), middle(r.p50), middle(r.p99), ratio(r.p99, none.p99), r.peak, middle(r.others))
					require.NoError(b, err)
				}
			})
			t.line("spans that the collector has got of each request that was to be traced: %.2f", arrived)
			t.print(b, "chat completions of 1.2 KB, load average "+loadAverage(b)+"; medians of rounds in turns")
			b.ReportMetric(arrived, "spans/req")
			b.ReportMetric(more(all[1].cpu, none.cpu), "on-more-cpu-µs/req")
			for i, name := range []string{"dead", "blackholed"} {
				b.ReportMetric(ratio(all[2+i].rates, none.rates), name+"-x-req/s")
				b.ReportMetric(ratio(all[2+i].p99, none.p99), name+"-x-p99")
			}
		})
	}
}

// more is the median over the rounds of how much is above the floor in the same round.
func more(all, floor []float64) float64 {
	differences := make([]float64, 0, len(all))
	for i := range min(len(all), len(floor)) {
		differences = append(differences, all[i]-floor[i])
	}
	return middle(differences)
}

// telemetries are ways through generators that differ in nothing but where their traces go. None of them tells of its requests, and
// no server of its hops: what is measured is the process.
func (m *models) telemetries(b *testing.B, collector string) []*way {
	b.Helper()
	var ways []*way
	for _, c := range []struct{ name, prefix, endpoint string }{
		{"no telemetry", "none", ""},
		{"every request traced", "traced", collector},
		{"nobody listens", "dead", "http://" + nobody(b)},
		{"the collector never answers", "hole", "http://" + blackHole(b)},
	} {
		env := map[string]string{"GENERATOR_REQUEST_EVENTS": "0"}
		if c.endpoint != "" {
			env["OTEL_TRACES_EXPORTER"], env["OTEL_EXPORTER_OTLP_ENDPOINT"] = "otlp", c.endpoint
		}
		by := m.generator(b, m.conns[0].ConnectedUrl(), c.prefix, env)
		m.more = append(m.more, by)
		body := chatRequest("now", false)
		ways = append(ways, &way{name: c.name, by: by, ask: func(worker int) error {
			return once(m.conns[worker%len(m.conns)], c.prefix+".generate", body)
		}})
	}
	return ways
}

// nobody returns an address where nobody listens.
func nobody(b *testing.B) string {
	b.Helper()
	listener := listen(b)
	require.NoError(b, listener.Close())
	return listener.Addr().String()
}

// blackHole returns an address that takes connections and never answers.
func blackHole(b *testing.B) string {
	b.Helper()
	listener := listen(b) // the kernel accepts for it
	b.Cleanup(func() { require.NoError(b, listener.Close()) })
	return listener.Addr().String()
}

func listen(b *testing.B) net.Listener {
	b.Helper()
	var config net.ListenConfig
	listener, err := config.Listen(b.Context(), "tcp", "127.0.0.1:0")
	require.NoError(b, err)
	return listener
}
