package route_test

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm/providers"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/vendors"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/generator/internal/route"
)

// targets makes a tier of "provider/model" with weights.
func tier(weights map[string]int, ids ...string) []route.Target {
	var targets []route.Target
	for _, id := range ids {
		provider, model, _ := strings.Cut(id, "/")
		targets = append(targets, route.Target{Provider: provider, Model: model, Weight: weights[id]})
	}
	return targets
}

// providers makes providers without keys.
func open(names ...string) []providers.Provider {
	var list []providers.Provider
	for _, name := range names {
		list = append(list, providers.Provider{Name: name, Protocol: vendors.OpenAI, BaseURL: "http://localhost:1/v1"})
	}
	return list
}

func ids(targets []route.Target) string {
	var names []string
	for _, t := range targets {
		names = append(names, t.String())
	}
	return strings.Join(names, " ")
}

func TestResolve(t *testing.T) {
	t.Parallel()
	list := open("a", "b")
	list[1].Models = []string{"one", "two/three"}
	table, err := route.New(list, []route.Alias{
		{Name: "fast", Tiers: [][]route.Target{tier(nil, "a/x", "b/one"), tier(nil, "a/y")}, Options: route.Options{Cache: true}},
	})
	require.NoError(t, err)
	require.Equal(t, "fast, a/*, b/one, b/two/three", table.String())

	r, err := table.Resolve("fast")
	require.NoError(t, err)
	require.True(t, r.Alias)
	require.True(t, r.Options.Cache)
	require.Equal(t, 3, r.Targets())
	require.Equal(t, "a/x", r.Tiers[0][0].ID)
	require.Equal(t, 1, r.Tiers[0][0].Weight)

	for model, want := range map[string]route.Target{
		"a/anything":    {Provider: "a", Model: "anything", ID: "a/anything", Weight: 1},
		"a/org/model:7": {Provider: "a", Model: "org/model:7", ID: "a/org/model:7", Weight: 1},
		"b/two/three":   {Provider: "b", Model: "two/three", ID: "b/two/three", Weight: 1},
	} {
		r, err := table.Resolve(model)
		require.NoError(t, err)
		require.False(t, r.Alias)
		require.Equal(t, 1, r.Targets())
		require.Equal(t, [][]route.Target{{want}}, r.Tiers)
		require.Equal(t, []route.Target{want}, r.Order(nil, nil))
	}
	for _, model := range []string{"slow", "a/", "b/four", "fast/x"} {
		_, err := table.Resolve(model)
		require.Equal(t, events.CodeNotFound, events.CodeOf(err), model)
		require.ErrorContains(t, err, "available: fast, a/*, b/one, b/two/three")
	}
	require.Equal(t, "a/x a/y b/one b/two/three", ids(table.Targets()))
	require.Len(t, table.Aliases(), 1)
	require.Equal(t, "a", table.All()[0].Name)

	empty, err := route.New(nil, nil)
	require.NoError(t, err)
	require.Equal(t, "none", empty.String())
	_, err = empty.Resolve("a/x")
	require.ErrorContains(t, err, "available: none")
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		alias route.Alias
		want  string
	}{
		"slash":        {route.Alias{Name: "x/y"}, "no slash"},
		"no name":      {route.Alias{}, "1 to 256 bytes"},
		"no target":    {route.Alias{Name: "x"}, "it has 0 targets"},
		"tier":         {route.Alias{Name: "x", Tiers: [][]route.Target{{}}}, "tier 1 is empty"},
		"target":       {route.Alias{Name: "x", Tiers: [][]route.Target{tier(nil, "b/x")}}, `there is no provider "b"; there are a`},
		"target twice": {route.Alias{Name: "x", Tiers: [][]route.Target{tier(nil, "a/x"), tier(nil, "a/x")}}, "a/x is there twice"},
		"weight":       {route.Alias{Name: "x", Tiers: [][]route.Target{tier(map[string]int{"a/x": 1001}, "a/x")}}, "1 to 1000"},
		"no model":     {route.Alias{Name: "x", Tiers: [][]route.Target{tier(nil, "a/")}}, "the name of a model"},
	} {
		_, err := route.New(open("a"), []route.Alias{c.alias})
		require.ErrorContains(t, err, c.want, name)
	}
	_, err := route.New(open("a", "a"), nil)
	require.ErrorContains(t, err, `provider "a" is there twice`)
}

// TestOrderFollowsWeights draws often, and looks at who comes first, and who second.
func TestOrderFollowsWeights(t *testing.T) {
	t.Parallel()
	table, err := route.New(open("a", "b", "c", "d"), []route.Alias{{Name: "x", Tiers: [][]route.Target{
		tier(map[string]int{"a/x": 6, "b/x": 3, "c/x": 1}, "a/x", "b/x", "c/x"), tier(nil, "d/x"),
	}}})
	require.NoError(t, err)
	r, err := table.Resolve("x")
	require.NoError(t, err)
	const draws = 100_000
	rnd := rand.New(rand.NewPCG(1, 2))
	counts := make(map[string]int)
	var list [4]route.Target
	for range draws {
		order := r.Order(list[:0], rnd.Float64)
		require.Len(t, order, 4)
		require.Equal(t, "d/x", order[3].ID, "tiers are in order")
		counts[order[0].ID]++
		counts[ids(order[:2])]++
	}
	for what, want := range map[string]float64{
		"a/x": .6, "b/x": .3, "c/x": .1,
		"a/x b/x": .6 * 3 / 4, "a/x c/x": .6 * 1 / 4, "b/x a/x": .3 * 6 / 7, "b/x c/x": .3 * 1 / 7, "c/x a/x": .1 * 6 / 9, "c/x b/x": .1 * 3 / 9,
	} {
		require.InDelta(t, want, float64(counts[what])/draws, 5*math.Sqrt(want*(1-want)/draws), what)
	}
	require.Equal(t, "a/x", r.Tiers[0][0].ID, "the table stays as it is")
	// At the edges of what a generator of random numbers may return.
	for _, edge := range []float64{0, math.Nextafter(1, 0)} {
		require.Len(t, r.Order(nil, func() float64 { return edge }), 4)
	}
}

// TestResolveAllocates: a name of the operator's costs nothing, a model one allocation.
func TestResolveAllocates(t *testing.T) {
	table, err := route.New(open("a"), []route.Alias{{Name: "x", Tiers: [][]route.Target{tier(nil, "a/x")}}})
	require.NoError(t, err)
	for model, want := range map[string]float64{"x": 0, "a/model": 1} {
		require.InDelta(t, want, testing.AllocsPerRun(100, func() {
			if _, err := table.Resolve(model); err != nil {
				t.Error(err)
			}
		}), 0.1, model)
	}
}
