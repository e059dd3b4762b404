package observability_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/stretchr/testify/require"
)

// target are the labels that a scrape adds.
func target() []string { return []string{"job", "instance", "service"} }

// known returns every metric that there can be, and its labels: those that are documented, those of the process and the runtime as a
// scrape has them, those of Prometheus, and what the rules record.
func known(t *testing.T, now series) map[string][]string {
	t.Helper()
	all := documented(t)
	for name, found := range now {
		if strings.HasPrefix(name, "go_") || strings.HasPrefix(name, "process_") {
			var of []string
			found[0].Range(func(l labels.Label) { of = append(of, l.Name) })
			all[name] = of
		}
	}
	all["up"] = nil
	for _, r := range rules(t) {
		if r.Record == "" {
			continue
		}
		by, _, ok := strings.Cut(r.Record, ":")
		require.True(t, ok, r.Record)
		expr, err := parser.ParseExpr(r.Expr)
		require.NoError(t, err)
		sum, ok := expr.(*parser.AggregateExpr)
		require.True(t, ok, "%s is a sum", r.Record)
		require.Equal(t, by, strings.Join(sum.Grouping, "_"), "the name of %s says by what it is", r.Record)
		all[r.Record] = sum.Grouping
	}
	return all
}

// TestNamesAndLabels: no rule and no panel asks for a metric or a label that is not there.
func TestNamesAndLabels(t *testing.T) {
	t.Parallel()
	s, err := running()
	require.NoError(t, err)
	metrics := known(t, s.scrape(t))
	for _, e := range expressions(t) {
		expr, err := parser.ParseExpr(e.expr)
		require.NoError(t, err, "%s: %s", e.where, e.expr)
		parser.Inspect(expr, func(node parser.Node, path []parser.Node) error {
			switch n := node.(type) {
			case *parser.VectorSelector:
				of, is := metrics[n.Name]
				require.True(t, is, "%s: there is no metric %s", e.where, n.Name)
				allowed := slices.Concat(of, target())
				for _, m := range n.LabelMatchers {
					if m.Name != labels.MetricName {
						require.Contains(t, allowed, m.Name, "%s: %s has no such label", e.where, n.Name)
					}
				}
				for _, above := range path {
					if sum, is := above.(*parser.AggregateExpr); is {
						require.Subset(t, allowed, sum.Grouping, "%s: %s has not all of these labels", e.where, n.Name)
					}
				}
			case *parser.BinaryExpr:
				if n.VectorMatching != nil && n.VectorMatching.On {
					require.Subset(t, allLabels(metrics), n.VectorMatching.MatchingLabels, e.where)
				}
			}
			return nil
		})
	}
}

// allLabels returns every label of every metric.
func allLabels(metrics map[string][]string) []string {
	all := make(map[string]bool)
	for _, of := range metrics {
		for _, label := range of {
			all[label] = true
		}
	}
	return slices.Collect(maps.Keys(all))
}

// TestScrapeIsDocumented: what a running stack tells is what docs/metrics.md says, with the same labels.
func TestScrapeIsDocumented(t *testing.T) {
	t.Parallel()
	s, err := running()
	require.NoError(t, err)
	document := documented(t)
	for name, found := range s.scrape(t) {
		if !strings.HasPrefix(name, "mlsdm_") && !strings.HasPrefix(name, "gen_ai_") {
			continue
		}
		want, is := document[name]
		if !is && strings.HasSuffix(name, "_created") { // of OpenMetrics: since when it counts
			continue
		}
		require.True(t, is, "%s is not in docs/metrics.md", name)
		for _, one := range found {
			one.Range(func(l labels.Label) {
				if l.Name != labels.MetricName {
					require.Contains(t, want, l.Name, "%s", one)
				}
			})
			if !strings.HasPrefix(name, "mlsdm_telemetry_") { // of the process: the scrape says whose it is
				require.NotEmpty(t, one.Get("service"), "%s says of which service it is", one)
			}
		}
	}
}

// rare are metrics without series until something happens that does not happen here.
func rare() []string {
	return []string{
		"mlsdm_ci_mean_time_to_recovery_seconds", "mlsdm_embedder_calls_total", "mlsdm_embedder_call_seconds", "mlsdm_embedder_call_texts",
		"mlsdm_ci_not_modified_total", "mlsdm_ci_webhook_seconds", "mlsdm_ci_webhooks_total", "mlsdm_memory_level", "mlsdm_moral_decisions_total",
		"mlsdm_secret_audit_records_total", "mlsdm_secret_cache_oldest_seconds", "mlsdm_secret_requests_total", "mlsdm_unpriced_total",
	}
}

// TestScrapeHasWhatIsAskedFor: what rules and panels ask for is there when everything has had something to do.
func TestScrapeHasWhatIsAskedFor(t *testing.T) {
	t.Parallel()
	s, err := running()
	require.NoError(t, err)
	s.work(t)
	now := s.scrape(t)
	var missing []string
	for _, e := range expressions(t) {
		expr, err := parser.ParseExpr(e.expr)
		require.NoError(t, err)
		parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
			n, is := node.(*parser.VectorSelector)
			if !is || n.Name == "up" || strings.Contains(n.Name, ":") {
				return nil
			}
			if len(now[n.Name]) == 0 && !slices.ContainsFunc(rare(), func(name string) bool { return strings.HasPrefix(n.Name, name) }) {
				missing = append(missing, n.Name)
			}
			return nil
		})
	}
	slices.Sort(missing)
	require.Empty(t, slices.Compact(missing), "these have no series")
}

// work gives every service something to do that the demo does not.
func (s *stack) work(t *testing.T) {
	t.Helper()
	for _, args := range [][]string{
		{"generate", "a question"}, {"embed", "some text"}, {"embed", "some text"}, {"ci"}, {"webhooks"}, {"cache", "stats"},
	} {
		out, err := s.mlsdmctl(t, args...)
		require.NoError(t, err, "mlsdmctl %v: %s", args, out)
	}
	out, err := s.mlsdmctl(t, "generate", "--model", "no/such", "a question")
	require.Error(t, err, out)
}
