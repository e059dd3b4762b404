package observability_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/stretchr/testify/require"
)

// read reads a file of the repository.
func read(t *testing.T, name ...string) []byte {
	t.Helper()
	at, err := root()
	require.NoError(t, err)
	content, err := os.ReadFile(filepath.Join(append([]string{at}, name...)...))
	require.NoError(t, err)
	return content
}

// rules returns the rules, as Prometheus reads them.
func rules(t *testing.T) (all []rulefmt.Rule) {
	t.Helper()
	groups, errs := rulefmt.Parse(read(t, "deploy", "prometheus", "rules.yml"), false, model.UTF8Validation)
	require.Empty(t, errs)
	for _, g := range groups.Groups {
		all = append(all, g.Rules...)
	}
	require.NotEmpty(t, all)
	return all
}

// expression is something that is asked of Prometheus, and where.
type expression struct{ where, expr string }

// expressions returns those of all rules and all panels. Variables of Grafana are replaced by what it puts in their place.
func expressions(t *testing.T) (all []expression) {
	t.Helper()
	for _, r := range rules(t) {
		all = append(all, expression{"rule " + r.Alert + r.Record, r.Expr})
	}
	at, err := root()
	require.NoError(t, err)
	boards, err := filepath.Glob(filepath.Join(at, "deploy", "grafana", "dashboards", "*.json"))
	require.NoError(t, err)
	require.Len(t, boards, 4)
	for _, name := range boards {
		var board struct {
			UID    string
			Title  string
			Panels []struct {
				ID      int
				Type    string
				Title   string
				GridPos struct{ H, W, X, Y int }
				Targets []struct{ RefID, Expr string }
			}
		}
		content, err := os.ReadFile(name)
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(content, &board))
		require.NotEmpty(t, board.Title)
		ids, places := map[int]bool{}, map[[2]int]bool{}
		for _, p := range board.Panels {
			require.False(t, ids[p.ID], "%s: two panels are called %d", board.UID, p.ID)
			place := [2]int{p.GridPos.X, p.GridPos.Y}
			require.False(t, places[place], "%s: two panels are at %v", board.UID, place)
			ids[p.ID], places[place] = true, true
			require.Equal(t, p.Type == "row", len(p.Targets) == 0, "%s: %s", board.UID, p.Title)
			for _, target := range p.Targets {
				all = append(all, expression{board.UID + ": " + p.Title, strings.ReplaceAll(target.Expr, "$__rate_interval", "1m")})
			}
		}
	}
	return all
}

// documented returns the metrics of docs/metrics.md and their labels.
func documented(t *testing.T) map[string][]string {
	t.Helper()
	metrics := make(map[string][]string)
	row := regexp.MustCompile("^\\| `([a-z_]+)` \\| (counter|gauge|histogram|summary) \\| ([^|]*) \\|")
	for line := range strings.Lines(string(read(t, "docs", "metrics.md"))) {
		parts := row.FindStringSubmatch(line)
		if parts == nil {
			continue
		}
		labels := []string{"service"}
		for label := range strings.SplitSeq(parts[3], ", ") {
			if label = strings.Trim(label, "` "); label != "" {
				labels = append(labels, label)
			}
		}
		switch name := parts[1]; parts[2] {
		case "histogram":
			metrics[name+"_bucket"] = append([]string{"le"}, labels...)
			metrics[name+"_sum"], metrics[name+"_count"] = labels, labels
		case "summary":
			metrics[name+"_sum"], metrics[name+"_count"] = labels, labels
		default:
			metrics[name] = labels
		}
	}
	require.Greater(t, len(metrics), 50)
	return metrics
}
