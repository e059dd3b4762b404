package filter_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/filter"
)

func TestCompileRefuses(t *testing.T) {
	t.Parallel()
	for expression, want := range map[string]string{
		``:                                     "line 1, column 1",
		` `:                                    "line 1, column",
		`type ==`:                              "line 1, column 8",
		`type = "x"`:                           "line 1, column 6",
		"true &&\n  tipe == 'x'":               "line 2, column 3: undeclared reference to 'tipe', known are type, source, subject, id, time and data",
		`datacontenttype == "x"`:               "undeclared reference",
		`type > 1`:                             "found no matching overload",
		`type.total > 1`:                       "does not support field selection",
		`type`:                                 "comes to a string",
		`1 + 1`:                                "comes to a int",
		`data.active`:                          "compare it with something",
		`data`:                                 "compare it with something",
		`[true]`:                               "comes to a list",
		`frobnicate(type)`:                     "undeclared reference to 'frobnicate'",
		`data.s.matches(data.p)`:               "line 1, column 15: matches takes a pattern that is written there",
		`matches(data.p, type + "x")`:          "matches takes a pattern",
		`data.s.matches("(")`:                  "no regular expression of RE2",
		`data.s.matches("(?<!x)y")`:            "no regular expression of RE2",
		`data.s.matches("(x{1000}){1000}")`:    "no regular expression of RE2",
		`data.s.matches("(x{30}){30}")`:        "instructions",
		`timestamp("yesterday") < time`:        "invalid timestamp",
		`duration("1 day") == duration("24h")`: "invalid duration",
		`[1].all(a, [1].all(b, [1].all(c, [1].all(d, true))))`:       "nesting",
		strings.Repeat("(", 100) + "true" + strings.Repeat(")", 100): "recursion",
		strings.Repeat("!", 4000) + "true":                           "",
		strings.Repeat("x", events.MaxEndpointFilter+1):              "at most 4096",
		`[` + strings.Repeat("1,", 2030) + `1].size() > 0`:           "limit",
		`@evaluation == 1`: "line 1, column 1",
		"type == \"\x00":   "line 1",
		`type == "` + strings.Repeat("é", 100) + `" && nosuch(` + strings.Repeat("data.x,", 300) + `1)`: "undeclared reference",
	} {
		started := time.Now()
		_, err := filter.Compile(expression)
		require.Less(t, time.Since(started), 5*time.Second, "%.60s", expression)
		if want == "" && err == nil {
			continue
		}
		require.Equal(t, events.CodeInvalidArgument, events.CodeOf(err), "%.60s", expression)
		require.ErrorContains(t, err, "the filter", "%.60s", expression)
		require.ErrorContains(t, err, want, "%.60s", expression)
		require.Less(t, len(err.Error()), 1000, "%.60s", expression)
		require.NotContains(t, err.Error(), "container", "%.60s", expression)
	}
}

// Whatever people may ask fits the bounds.
func TestCompileTakesLongLists(t *testing.T) {
	t.Parallel()
	for _, expression := range []string{
		strings.TrimSuffix(strings.Repeat(`data.a == "xyz" || `, 200), " || "),
		`subject in [` + strings.TrimSuffix(strings.Repeat(`"neuron7x/some-repo",`, 150), ",") + `]`,
		strings.Repeat("(", 20) + "true" + strings.Repeat(")", 20),
		strings.TrimSuffix(strings.Repeat("data.s + ", 40), " + ") + ` != ""`,
		`data.s.matches("^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$")`,
	} {
		_, err := filter.Compile(expression)
		require.NoError(t, err, expression)
	}
}

func FuzzCompile(f *testing.F) {
	for _, seed := range []string{
		`data.total > 100 && data.status in ["failed"]`, `data.l.exists(x, x.matches("(a{1,3})+b") ? has(x.y) : x[0] == b"\x00")`,
		`time.getHours("Europe/Kyiv") > 1 || duration("1h") > time - timestamp(data.t)`, `{"a": [1u, 2.0, null, true]}.a.map(x, type(x)).size() == 4`,
		`((((`, `"\u`, `data.s.matches("(x+x+)+y") == !true`, `dyn(1) == 1 && int("x") == 1`, `[[[[]]]] == []`,
	} {
		f.Add(seed, `{"total": 1, "l": [{"y": "ab"}], "s": "xxx", "t": "2026-01-01T00:00:00Z"}`)
	}
	f.Fuzz(func(t *testing.T, expression, data string) {
		compiled, err := filter.Compile(expression)
		if err != nil {
			require.Equal(t, events.CodeInvalidArgument, events.CodeOf(err))
			return
		}
		facts := filter.NewFacts(events.Event{Type: "custom.x", Data: []byte(data), Time: time.Unix(0, 0)})
		first, firstErr := compiled.Match(facts)
		again, againErr := compiled.Match(facts)
		require.Equal(t, first, again)
		require.Equal(t, firstErr == nil, againErr == nil)
		require.False(t, first && firstErr != nil)
	})
}
