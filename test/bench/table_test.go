package bench_test

import (
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/stretchr/testify/require"
)

// table collects what a benchmark found, for people.
type table struct {
	strings.Builder
}

// rates writes throughputs; the first is the ceiling of the others.
func (t *table) rates(b *testing.B, all ...*throughput) {
	b.Helper()
	t.section(b, "\t/s\tof ceiling\tCPU µs\t= nats\t+ dispatcher\t+ publisher\t(sink)\tothers' cores\tall rounds /s", func(w io.Writer) {
		for _, r := range all {
			_, err := fmt.Fprintf(w, "%-50s\t%.0f\t%.0f %%\t%d\t%d\t%d\t%d\t%d\t%.2f\t%.0f\t\n", r.name, r.best, 100*r.best/all[0].best,
				r.ours().Microseconds(), r.each.nats.Microseconds(), r.each.dispatchers.Microseconds(), r.each.self.Microseconds(),
				r.each.sink.Microseconds(), r.others, r.rates)
			require.NoError(b, err)
		}
	})
}

// latencies writes latencies.
func (t *table) latencies(b *testing.B, all ...latency) {
	b.Helper()
	t.section(b, fmt.Sprintf("%-50s", "published → received, ms")+"\tp50\tp90\tp99\tmax\tothers' cores", func(w io.Writer) {
		for _, l := range all {
			_, err := fmt.Fprintf(w, "%-50s\t%.2f\t%.2f\t%.2f\t%.1f\t%.2f\t\n", l.name, l.at(.5), l.at(.9), l.at(.99), l.at(1), l.others)
			require.NoError(b, err)
		}
	})
}

// section aligns columns.
func (t *table) section(b *testing.B, head string, rows func(io.Writer)) {
	b.Helper()
	w := tabwriter.NewWriter(t, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, err := fmt.Fprintln(w, head+"\t")
	require.NoError(b, err)
	rows(w)
	_, err = fmt.Fprintln(w)
	require.NoError(b, err)
	require.NoError(b, w.Flush())
}

// line writes a line.
func (t *table) line(format string, args ...any) { fmt.Fprintf(t, format+"\n", args...) }

// print prints all of it.
func (t *table) print(b *testing.B, title string) {
	b.Helper()
	b.ReportMetric(0, "ns/op") // the whole run; it says nothing
	_, err := fmt.Fprintf(os.Stdout, "\n%s, %s\n\n%s\n", title, time.Now().UTC().Format(time.DateTime), t)
	require.NoError(b, err)
}
