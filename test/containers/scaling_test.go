package containers_test

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/provision"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// What docs/scaling.md calculates is what comes out, from the catalogue as it is.
func TestScalingIsCalculatedFromTheCatalogue(t *testing.T) {
	t.Parallel()
	text := read(t, "docs/scaling.md")
	streams := len(events.Streams()) + len(events.Buckets()) + len(events.ObjectStores())
	require.Contains(t, text, fmt.Sprintf("| streams | %d: %d, and those of %d buckets", streams, len(events.Streams()), len(events.Buckets())))
	require.Contains(t, text, fmt.Sprintf("| durable consumers | %d: ", len(events.Consumers())))
	require.Contains(t, text, fmt.Sprintf("| Raft groups in a cluster | %d + %d + 1 |", streams, len(events.Consumers())))

	var reserved int64
	for _, s := range events.Streams() {
		reserved += s.MaxBytes
	}
	for _, o := range events.ObjectStores() {
		reserved += o.MaxBytes
	}
	require.Contains(t, strings.ReplaceAll(text, ",", ""), fmt.Sprintf("Reserved are %d bytes", reserved))

	// bytes = events/s × bytes an event × seconds kept
	const size, hour = 1024, 3600
	week := provision.Default().EventsMaxAge.Seconds()
	unit := map[string]float64{"GB": 1e9, "TB": 1e12}
	rows := regexp.MustCompile(`(?m)^\| ([0-9,]+) \| ([0-9.]+) ([GT]B) \| ([0-9.]+) ([GT]B) \| ([0-9.]+) ([GT]B) \|$`).FindAllStringSubmatch(text, -1)
	require.Len(t, rows, 3)
	for _, row := range rows {
		rate := number(t, row[1])
		for column, seconds := range []float64{week, 24 * hour, hour} {
			said := number(t, row[2+2*column]) * unit[row[3+2*column]]
			require.InEpsilon(t, rate*size*seconds, said, 0.02, row[0])
		}
	}

	// cores = events/s × endpoints × 92 µs, of which 92 µs is the README's
	require.Contains(t, read(t, "README.md"), "17,300/s, 92 µs of CPU each")
	rows = regexp.MustCompile(`(?m)^\| ([0-9,]+) \| ([0-9.]+) \| ([0-9.]+) \|$`).FindAllStringSubmatch(text, -1)
	require.Len(t, rows, 3)
	for _, row := range rows {
		require.InEpsilon(t, number(t, row[1])*92e-6, number(t, row[2]), 0.1, row[0])
		require.InEpsilon(t, number(t, row[1])*10*92e-6, number(t, row[3]), 0.1, row[0])
	}
}

// number reads a number with commas.
func number(t *testing.T, text string) float64 {
	t.Helper()
	n, err := strconv.ParseFloat(strings.ReplaceAll(text, ",", ""), 64)
	require.NoError(t, err)
	return n
}
