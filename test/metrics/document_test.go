package metrics_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/test/natscli"
)

// update writes the document instead of holding it against the services: `make generate`.
var update = flag.Bool("update", false, "write docs/metrics.md") //nolint:gochecknoglobals // a flag

// Where the generated part of the document is.
const (
	tableBegins = "<!-- generated: the table of metrics -->\n"
	tableEnds   = "<!-- end of what is generated -->\n"
)

// TestDocument: every metric is explained, and nothing is that is not there.
func TestDocument(t *testing.T) {
	t.Parallel()
	name := filepath.Join(natscli.Root(t), "docs", "metrics.md")
	have, err := os.ReadFile(name)
	require.NoError(t, err)
	before, rest, ok := bytes.Cut(have, []byte(tableBegins))
	require.True(t, ok, "%s has no place for the table", name)
	_, after, ok := bytes.Cut(rest, []byte(tableEnds))
	require.True(t, ok, "%s has no end of the table", name)
	want := slices.Concat(before, []byte(tableBegins), []byte(table(all(t, startStack(t)))), []byte(tableEnds), after)
	if *update {
		require.NoError(t, os.WriteFile(name, want, 0o600))
		return
	}
	require.Equal(t, string(want), string(have), "docs/metrics.md is stale: run `make generate`")
}

// all returns the metrics of all services, each once.
func all(t *testing.T, s *stack) []metric {
	t.Helper()
	known := make(map[string]metric)
	for _, r := range s.registries {
		for _, m := range r.metrics(t) {
			if before, is := known[m.name]; is {
				require.Equal(t, [2]string{before.help, before.kind}, [2]string{m.help, m.kind}, "%s means two things", m.name)
				require.Equal(t, before.labels, m.labels, "%s has the same labels everywhere", m.name)
				m.services = append(before.services, m.services...)
			}
			known[m.name] = m
		}
	}
	out := make([]metric, 0, len(known))
	for _, m := range known {
		require.NotEmpty(t, m.help, "%s is explained", m.name)
		slices.Sort(m.services)
		m.services = slices.Compact(m.services)
		out = append(out, m)
	}
	slices.SortFunc(out, func(a, b metric) int { return strings.Compare(a.name, b.name) })
	return out
}

// table returns the metrics as a table of Markdown.
func table(metrics []metric) string {
	var b strings.Builder
	b.WriteString("\n| metric | type | labels | services | |\n|---|---|---|---|---|\n")
	for _, m := range metrics {
		labels := slices.DeleteFunc(slices.Clone(m.labels), func(label string) bool { return label == "service" })
		for i, label := range labels {
			labels[i] = "`" + label + "`"
		}
		in := strings.Join(m.services, ", ")
		if len(m.services) == 5 { //nolint:mnd // that is how many there are
			in = "all"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", m.name, m.kind, strings.Join(labels, ", "), in, strings.ReplaceAll(m.help, "|", `\|`))
	}
	b.WriteByte('\n')
	return b.String()
}
