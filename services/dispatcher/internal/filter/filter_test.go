package filter_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/filter"
)

// example is an event that has something of everything.
func example() events.Event {
	return events.Event{
		ID: "evt-1", Source: "/mlsdm/ciwatch", Type: "ci.degraded", Subject: "neuron7x/mlsdm", Time: time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC),
		Data: []byte(`{"total": 101, "half": 0.5, "status": "failed", "active": true, "none": null, "labels": ["urgent", "ci"],
			"repo": {"name": "mlsdm", "a-b": 1}, "jobs": [{"name": "build", "steps": [{"ok": true}]}, {"name": "test", "steps": [{"ok": false}]}],
			"when": "2026-01-31T11:00:00Z", "big": 9007199254740993, "type": "inner"}`),
	}
}

func match(t *testing.T, expression string, ev events.Event) (matched, evaluated bool) {
	t.Helper()
	f, err := filter.Compile(expression)
	require.NoError(t, err, expression)
	facts := filter.NewFacts(ev)
	matched, err = f.Match(facts)
	require.Equal(t, err != nil, facts.Unevaluated() == 1, expression)
	return matched, err == nil
}

func TestMatch(t *testing.T) {
	t.Parallel()
	for expression, want := range map[string]bool{
		// Attributes.
		`type == "ci.degraded"`:                                  true,
		`type.startsWith("ci.") && subject.endsWith("/mlsdm")`:   true,
		`source == "/mlsdm/ciwatch" && id == "evt-1"`:            true,
		`time > timestamp("2026-01-01T00:00:00Z")`:               true,
		`time - timestamp(data.when) == duration("1h")`:          true,
		`time.getFullYear() == 2026 && time.getDayOfWeek() == 6`: true,
		`time.getHours("Europe/Kyiv") == 14`:                     true,
		`data.type == "inner" && type != data.type`:              true,
		`type in ["ci.degraded", "ci.recovered"]`:                true,
		`!(type in ["ci.recovered"])`:                            true,
		// Numbers: those of JSON are doubles, and compare with all others.
		`data.total > 100`:             true,
		`data.total > 100.0`:           true,
		`data.total >= 101u`:           true,
		`data.total == 101`:            true,
		`data.total == 101.0`:          true,
		`data.total != 101`:            false,
		`data.total in [1, 101]`:       true,
		`data.half < 1`:                true,
		`data.total * 2.0 == 202.0`:    true,
		`int(data.total) % 2 == 1`:     true,
		`data.big == 9007199254740992`: true, // a double holds no more
		`size(data.labels) > 1.5`:      true,
		// Fields, and whether they are there.
		`data.active == true`:                             true,
		`data.none == null`:                               true,
		`has(data.total) && !has(data.missing)`:           true,
		`has(data.none)`:                                  true,
		`"status" in data && !("x" in data)`:              true,
		`data.repo["a-b"] == 1`:                           true,
		`data["repo"]["name"] == "mlsdm"`:                 true,
		`data.repo == {"name": "mlsdm", "a-b": 1}`:        true,
		`data.labels == ["urgent", "ci"]`:                 true,
		`data.labels != ["urgent"]`:                       true,
		`data.labels[0] == "urgent"`:                      true,
		`(has(data.missing) ? data.missing : "x") == "x"`: true,
		`data.missing == 1 || data.total == 101`:          true, // CEL asks for no more than it needs
		`data.total == 101 || data.missing == 1`:          true,
		`data.missing == 1 && data.total == 1`:            false,
		// Texts and patterns.
		`data.status.contains("ail") && data.status.size() == 6`: true,
		`data.status.matches("^f[a-z]+d$")`:                      true,
		`matches(data.status, "^x")`:                             false,
		`data.status + "!" == "failed!"`:                         true,
		`"é" < "ö"`:                                              true,
		// Lists.
		`data.labels.exists(l, l == "urgent")`:                  true,
		`data.labels.all(l, l.size() < 7)`:                      true,
		`data.labels.exists_one(l, l.startsWith("c"))`:          true,
		`data.jobs.filter(j, j.name == "test").size() == 1`:     true,
		`data.jobs.map(j, j.name) == ["build", "test"]`:         true,
		`data.jobs.exists(j, j.steps.exists(s, s.ok == false))`: true,
		`data.repo.exists(k, data.repo[k] == 1)`:                true,
		`["urgent"] in [data.labels, ["urgent"]]`:               true,
		`true`: true,
		"type == 'ci.degraded'\n  // a remark\n  && data.total > 1": true,
	} {
		matched, evaluated := match(t, expression, example())
		require.True(t, evaluated, expression)
		require.Equal(t, want, matched, expression)
	}
}

// What cannot be evaluated is not true, whichever way it is put.
func TestUnevaluated(t *testing.T) {
	t.Parallel()
	for _, expression := range []string{
		`data.missing == 1`, `data.missing != 1`, `!(data.missing == 1)`, `data.repo.name.x == 1`, `data.labels[7] == "x"`, `data.labels.x == 1`,
		`data.status > 1`, `data.total + 1 > 1`, `data.total && true`, `data.none.x == 1`, `data.labels["a"] == 1`, `data.total.startsWith("x")`,
		`data.total.matches("x")`, `data.total.all(x, true)`, `1 in data.total`, `data.missing in [1]`, `1 in data.missing`, `data.missing.matches("x")`, `1 == data.missing`,
		`int(data.status) == 1`, `timestamp(data.status) > time`, `time.getHours("Nowhere/City") == 1`, `1 / int(data.half) == 1`,
	} {
		matched, evaluated := match(t, expression, example())
		require.False(t, matched, expression)
		require.False(t, evaluated, expression)
	}
}

func TestKindsOfData(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ contentType, data, expression string }{
		"none":          {"", "", `data == null`},
		"null":          {"", "null", `data == null`},
		"a number":      {"", "7", `data == 7`},
		"a list":        {"", "[1,2]", `data == [1.0, 2.0] && data == [1, 2]`},
		"a JSON string": {"", `"x"`, `data == "x"`},
		"text":          {"text/plain", "héllo", `data == "héllo" && data.size() == 5`},
		"JSON as text":  {"text/plain", `{"a":1}`, `data.contains("a")`},
		"more JSON":     {"application/vnd.x+json; charset=utf-8", `{"a":1}`, `data.a == 1`},
		"bytes":         {"image/png", "\x89PNG", `data == b"\x89PNG"`},
		"empty text":    {"text/plain", "", `data == null`},
		"twice":         {"", `{"a":1,"a":2}`, `data.a == 2`},
	} {
		ev := example()
		ev.DataContentType, ev.Data = tt.contentType, []byte(tt.data)
		matched, evaluated := match(t, tt.expression, ev)
		require.True(t, matched && evaluated, name)
	}
	for name, broken := range map[string]events.Event{
		"no JSON":       {Data: []byte(`{"a":`)},
		"no media type": {Data: []byte(`1`), DataContentType: "/"},
	} {
		matched, evaluated := match(t, `data == 1 || data != 1`, broken)
		require.False(t, matched || evaluated, name)
		matched, _ = match(t, `type == ""`, broken) // which asks for no data
		require.True(t, matched, name)
	}
}

func TestTooManySteps(t *testing.T) {
	t.Parallel()
	ev := example()
	ev.Data = []byte("[" + strings.TrimSuffix(strings.Repeat("1,", 2000), ",") + "]")
	f, err := filter.Compile(`data.all(a, data.all(b, a == b)) || true`)
	require.NoError(t, err)
	facts := filter.NewFacts(ev)
	matched, err := f.Match(facts)
	require.ErrorIs(t, err, filter.ErrTooManySteps)
	require.False(t, matched, "what was given up is not true, even where the rest would be")
	require.Equal(t, 1, facts.Unevaluated())

	// What people ask of large events is within the bounds.
	for _, expression := range []string{`data.all(a, a == 1)`, `data.exists(a, a == 2) || data.size() == 2000`, `data.map(a, a * 2.0).filter(a, a == 2.0).size() == 2000`, `data == data`, `1 in data`} {
		matched, evaluated := match(t, expression, ev)
		require.True(t, matched && evaluated, expression)
	}
}

// Filters share the decoded data of an event.
func TestConcurrentFilters(t *testing.T) {
	t.Parallel()
	facts := filter.NewFacts(example())
	f, err := filter.Compile(`data.jobs.exists(j, j.steps.exists(s, s.ok == false)) && data.status.matches("^fail")`)
	require.NoError(t, err)
	var running sync.WaitGroup
	for range 8 {
		running.Go(func() {
			for range 200 {
				if matched, err := f.Match(facts); !matched || err != nil {
					t.Errorf("matched: %t, %v", matched, err)
					return
				}
			}
		})
	}
	running.Wait()
}

func TestFactsEndpoint(t *testing.T) {
	t.Parallel()
	for data, want := range map[string]string{`{"endpoint_id":"a"}`: "a", `{}`: "", `[]`: "", `{"endpoint_id":1}`: "", ``: ""} {
		require.Equal(t, want, filter.NewFacts(events.Event{Data: []byte(data)}).Endpoint(), data)
	}
	require.Equal(t, example(), filter.NewFacts(example()).Event())
	require.Equal(t, "ci.degraded", filter.NewFacts(example()).Type())
}
