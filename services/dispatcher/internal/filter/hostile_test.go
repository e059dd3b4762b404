package filter_test

import (
	"encoding/json"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/filter"
)

// hostileData is an event of nearly the largest size in which everything that an expression may trip over is large.
func hostileData(t testing.TB) *filter.Facts {
	t.Helper()
	list, members := make([]any, 20_000), map[string]any{}
	for i := range list {
		list[i] = float64(i)
		members[strings.Repeat("k", i%7)+string(rune('a'+i%26))+time.Duration(i).String()] = float64(i)
	}
	data, err := json.Marshal(map[string]any{
		"l": list, "m": members, "s": strings.Repeat("a", 400_000), "t": strings.Repeat("xy", 8<<10), "p": "(x+x+)+y", "z": "Europe/Kyiv",
	})
	require.NoError(t, err)
	require.Less(t, len(data), events.MaxBody)
	facts := filter.NewFacts(events.Event{Type: "custom.x", Data: data, Time: time.Unix(1_700_000_000, 0)})
	warm, err := filter.Compile(`data.s == ""`)
	require.NoError(t, err)
	_, err = warm.Match(facts) // decodes the data
	require.NoError(t, err)
	return facts
}

// Whatever compiles is evaluated within a bounded number of steps. What would take more is given up, which counts as no
// match.
func TestHostileEvaluation(t *testing.T) {
	t.Parallel()
	many := func(one, sep string) string {
		return strings.TrimSuffix(strings.Repeat(one+sep, (events.MaxEndpointFilter-40)/len(one+sep)), sep)
	}
	facts := hostileData(t)
	for name, expression := range map[string]string{
		"loops":            `data.l.all(a, data.l.all(b, data.l.all(c, a + b + c >= 0.0)))`,
		"empty loops":      `data.l.all(a, data.l.all(b, data.l.all(c, true)))`,
		"maps":             `data.l.all(a, data.m.exists(k, true))`,
		"maps in maps":     `data.m.all(a, data.m.all(b, data.m.all(c, a != "" || b != "" || c != "")))`,
		"building":         `data.l.map(a, data.l.map(b, data.l.map(c, [a, b, c]))).size() > 0`,
		"documents":        `data.l.all(a, data == data)`,
		"lists":            `data.l.all(a, data.l == data.l)`,
		"list in lists":    `data.l.all(a, data.l in [data.l, data.l])`,
		"in lists":         `data.l.all(a, a in data.l)`,
		"in maps":          `data.l.all(a, "x" in data.m || true)`,
		"measuring":        `data.l.all(a, size(data.s) > 0)`,
		"comparing":        `data.l.all(a, data.s <= data.s)`,
		"equal texts":      `data.l.all(a, data.s == data.s)`,
		"joining":          `data.l.all(a, size(` + strings.TrimSuffix(strings.Repeat("data.s + ", 30), " + ") + `) > 0)`,
		"joining in loops": `data.l.all(a, size(data.s + data.s) > 0)`,
		"joining lists":    `data.l.all(a, (` + strings.TrimSuffix(strings.Repeat("data.l + ", 30), " + ") + `).all(x, x >= 0.0))`,
		"contains":         `data.l.all(a, !data.s.contains("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab"))`,
		"contains text":    `data.l.all(a, data.s.contains(data.s))`,
		"prefixes":         `data.l.all(a, data.s.startsWith(data.s))`,
		"patterns":         `data.l.all(a, !data.t.matches("(x+x+)+(x?y?x?y?x?){10}z"))`,
		"long patterns":    many(`data.t.matches("(x?y?){0,20}z{0,40}q$")`, `||`),
		"long text":        `data.s.matches("b")`,
		"zones":            `data.l.all(a, time.getHours(data.z) >= 0)`,
		"conversions":      `data.l.all(a, bytes(data.s) == bytes(data.s))`,
		"numbers":          `data.l.all(a, int(data.s) == 1 || true)`,
		"many":             many(`data.s == data.s`, `&&`),
		"conditions":       `data.l.all(a, (data.l == data.l ? "x" : "y") == "x")`,
		"choices":          `data.l.all(a, (data.l == data.l ? data : data).l.size() > 0)`,
		"fields of lists":  `data.l.all(a, [data.s + data.s][0] != "")`,
		"fields of calls":  `data.l.all(a, {"a": data.l == data.l}.a)`,
		"long lists":       `data.l.all(a, size([` + strings.TrimSuffix(strings.Repeat("1,", 1500), ",") + `]) > 0)`,
		"indexes":          `data.l.all(a, data.m[data.s] == 1 || true)`,
		"quoting":          `data.l.all(a, timestamp(data.t) == time || true)`,
		"quoting zones":    `data.l.all(a, time.getHours(data.s) == 1 || true)`,
		"nested lists":     strings.Repeat("[", 25) + "data.l" + strings.Repeat("]", 25) + ` == ` + strings.Repeat("[", 25) + "data.l" + strings.Repeat("]", 25),
	} {
		f, err := filter.Compile(expression)
		require.NoError(t, err, name)
		started := time.Now()
		matched, err := f.Match(facts)
		took := time.Since(started)
		t.Log(took.Round(time.Microsecond), matched, err, name)
		require.Less(t, took, 10*time.Second, name) // it takes 30 ms at the most, with nothing else in the way
		switch name {
		case "long text":
			require.ErrorContains(t, err, "too long for matches")
		case "nested lists":
			require.True(t, matched)
		default:
			require.ErrorIs(t, err, filter.ErrTooManySteps, name)
		}
	}
}

// TestHostileMemory: nor does an evaluation take much memory. It does not run beside others, whose memory it would count.
func TestHostileMemory(t *testing.T) {
	grow := `.map(x, x` + strings.Repeat(" + x", 40) + `)`
	facts := filter.NewFacts(events.Event{Type: "custom.x", Data: []byte(`{}`), Time: time.Unix(1_700_000_000, 0)})
	for _, expression := range []string{
		`["` + strings.Repeat("a", 1000) + `"]` + grow + grow + `.exists(x, size(x) > 0)`,
		`["` + strings.Repeat("a", 100) + `"]` + grow + `.exists(x, [` + strings.Repeat("0,", 500) + `0].all(y, timestamp(x) == time || true))`,
		`[b"` + strings.Repeat("a", 1000) + `"]` + grow + grow + `.exists(x, size(x) > 0)`,
	} {
		f, err := filter.Compile(expression)
		require.NoError(t, err)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err = f.Match(facts)
		runtime.ReadMemStats(&after)
		require.ErrorIs(t, err, filter.ErrTooManySteps)
		require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(4<<20))
	}
}

// TestHostileMistakes: to be told of the first of a thousand mistakes costs little.
func TestHostileMistakes(t *testing.T) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := filter.Compile(strings.Repeat("data.exists(a,a)||", 200) + "true")
	runtime.ReadMemStats(&after)
	require.ErrorContains(t, err, "; and more")
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(32<<20))
}
