package top_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/cmd/mlsdmctl/internal/top"
)

// now is the time of the report; its clock is shown in the zone of the machine.
func now() time.Time { return time.Date(2026, time.January, 31, 12, 0, 0, 0, time.Local) } //nolint:gosmopolitan // as people see it

func report() *top.Report {
	before := func(d time.Duration) time.Time { return now().Add(-d) }
	return &top.Report{
		At: now(), Seconds: 2, Notes: []string{"attempts: \x1b[31mred"},
		Services: []top.Service{
			{Name: "dispatcher", Replica: "abcdefghijkl", Version: "1.2.3", Started: before(26 * time.Hour)},
			{Name: "embedder", Replica: "b", Version: "1.2.3", Started: before(3 * time.Second), PerSecond: 12345, ErrorsPerSecond: 0.5},
		},
		Operations: []top.Operation{
			{Service: "embedder", Name: "embed", Requests: 100000, Errors: 7, PerSecond: 12345, ErrorsPerSecond: 0.5, MeanMS: 3.14159, LastError: "unavailable:no provider"},
			{Service: "embedder", Name: "embeddings-job"},
			{Service: "dispatcher", Name: "webhooks-endpoints-list", Requests: 3, MeanMS: 10.25},
		},
		Streams: []top.Stream{
			{Name: "EVENTS", Messages: 1234, Bytes: 5 << 20, PerSecond: 9.5, Oldest: before(8 * 24 * time.Hour)},
			{Name: "REQUESTS"},
		},
		Consumers: []top.Consumer{
			{Stream: "EVENTS", Name: "dispatcher-router", Service: "dispatcher", PerSecond: 9.5},
			{Stream: "REQUESTS", Name: "embedder", Service: "embedder", Pending: 3, Unacked: 2, Redelivered: 1, OldestSeconds: 75},
			{Stream: "SIGHTINGS", Name: "ciwatch-0", Service: "ciwatch"},
		},
		Endpoints: []top.Endpoint{
			{ID: "shop", State: "active", Delivered: 100},
			{ID: "gone", State: "failing", Retried: 0.25, Reason: "connection refused", Since: before(time.Hour)},
		},
	}
}

// TestLines compares what is shown with testdata; with MLSDM_UPDATE_GOLDEN=1 it is written.
func TestLines(t *testing.T) {
	t.Parallel()
	tame := func(text string, n int) string { return strings.ReplaceAll(text[:min(len(text), n)], "\x1b", "") }
	for name, v := range map[string]top.View{
		"all": {All: true, Plain: tame}, "by-rate": {Order: top.ByRate, Plain: tame}, "by-errors": {Order: top.ByErrors, Plain: tame},
		"consumers-by-time": {Order: top.ByTime, Only: 4, Plain: tame}, "small": {Rows: 14, Plain: tame}, "tiny": {Rows: 5, Plain: tame},
	} {
		got := strings.Join(v.Lines(report()), "\n") + "\n"
		file := filepath.Join("testdata", name+".txt")
		if os.Getenv("MLSDM_UPDATE_GOLDEN") != "" {
			require.NoError(t, os.WriteFile(file, []byte(got), 0o600))
		}
		want, err := os.ReadFile(file)
		require.NoError(t, err)
		require.Equal(t, string(want), got, name)
	}
}

func TestLinesFit(t *testing.T) {
	t.Parallel()
	for rows := 1; rows < 40; rows++ {
		require.LessOrEqual(t, len(top.View{Rows: rows, All: true}.Lines(report())), max(rows, 2), rows)
	}
}

func TestColours(t *testing.T) {
	t.Parallel()
	lines := strings.Join(top.View{Colour: func(colour, text string) string { return "<" + colour + ">" + text }}.Lines(report()), "\n")
	require.Contains(t, lines, "<33>gone ", "a failing endpoint")
	require.Contains(t, lines, "<33>embedder ", "a consumer that is behind")
	require.Contains(t, lines, "<>shop ")
}
