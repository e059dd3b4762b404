package target_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/filter"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/target"
)

func ids(list []*target.Endpoint) []string {
	ids := []string{}
	for _, e := range list {
		ids = append(ids, e.ID())
	}
	return ids
}

func facts(eventType, data string) *filter.Facts {
	return filter.NewFacts(events.Event{Type: eventType, Data: []byte(data)})
}

func TestSet(t *testing.T) {
	t.Parallel()
	var zero target.Set
	require.Zero(t, zero.Len())
	require.Empty(t, zero.All())
	require.Empty(t, zero.For(facts("ci.degraded", "")))
	_, ok := zero.Get("a")
	require.False(t, ok)
	require.Zero(t, zero.Without("a").Len())
	require.Zero(t, zero.With().Len())

	old := newEndpoint(t, events.EndpointSpec{ID: "b", Events: []string{"x"}})
	s := target.NewSet(
		old, newEndpoint(t, events.EndpointSpec{ID: "c", Events: []string{"custom.*"}, Filter: "data.n > 1"}),
		newEndpoint(t, events.EndpointSpec{ID: "a", Events: []string{"ci.*"}}), newEndpoint(t, events.EndpointSpec{ID: "b", Events: []string{">"}}),
	)
	require.Equal(t, []string{"a", "b", "c"}, ids(s.All()))
	got, ok := s.Get("b")
	require.True(t, ok)
	require.NotSame(t, old, got, "of two with the same id the last one counts")
	for range 2 { // the second time from the index
		require.Equal(t, []string{"a", "b"}, ids(s.For(facts("ci.degraded", ""))))
		require.Equal(t, []string{"b", "c"}, ids(s.For(facts("custom.x", `{"n": 2}`))))
		require.Equal(t, []string{"b"}, ids(s.For(facts("custom.x", `{"n": 1}`))))
		require.Empty(t, s.For(facts("delivery.failed", `{"endpoint_id": "z"}`)))
	}

	changed := s.Without("b", "nobody").With(newEndpoint(t, events.EndpointSpec{ID: "c", Events: []string{"ci.*"}}))
	require.Equal(t, []string{"a", "c"}, ids(changed.For(facts("ci.degraded", ""))), "a change drops what the index knew")
	require.Equal(t, []string{"a", "b"}, ids(s.For(facts("ci.degraded", ""))), "the set before did not change")
	require.Equal(t, 3, s.Without("nobody").Len())
}

// However it came about, a set holds what a map would, and finds what asking each endpoint would.
func TestSetIsWhatItsChangesMake(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 4))
	specs := []events.EndpointSpec{
		{Events: []string{">"}},
		{Events: []string{"ci.*"}},
		{Events: []string{"*.degraded", "custom.x"}},
		{Filter: "data.n > 1"},
		{Events: []string{"delivery.failed"}},
		{Events: []string{"delivery.failed"}, Filter: "data.n > 1"},
		{Disabled: true},
	}
	types := []string{"ci.degraded", "ci.recovered", "custom.x", "custom.y", "delivery.failed", "endpoint.disabled", "x"}
	set, model := target.Set{}, map[string]*target.Endpoint{}
	for range 400 {
		var put []*target.Endpoint
		var gone []string
		for range r.IntN(4) {
			spec := specs[r.IntN(len(specs))]
			spec.ID = "e" + strconv.Itoa(r.IntN(40))
			put = append(put, newEndpoint(t, spec))
			gone = append(gone, "e"+strconv.Itoa(r.IntN(40)))
		}
		set = set.Without(gone...).With(put...)
		for _, id := range gone {
			delete(model, id)
		}
		for _, e := range put {
			model[e.ID()] = e
		}
		ordered := slices.Sorted(maps.Keys(model))
		require.Equal(t, ordered, slices.Clip(ids(set.All()))[:len(ordered):len(ordered)])
		require.Equal(t, len(model), set.Len())
		for _, eventType := range types {
			f := facts(eventType, fmt.Sprintf(`{"n": %d, "endpoint_id": "e%d"}`, r.IntN(4), r.IntN(40)))
			want := []string{}
			for _, id := range ordered {
				got, ok := set.Get(id)
				require.True(t, ok)
				require.Same(t, model[id], got)
				if model[id].Wants(f) {
					want = append(want, id)
				}
			}
			require.Equal(t, want, ids(set.For(f)), eventType)
		}
	}
}

// Publishers make up types; the index does not grow with them.
func TestSetAndManyTypes(t *testing.T) {
	t.Parallel()
	set := target.NewSet(newEndpoint(t, events.EndpointSpec{ID: "a", Events: []string{"custom.>"}}), newEndpoint(t, events.EndpointSpec{ID: "b", Events: []string{"custom.7"}}))
	var running sync.WaitGroup
	for g := range 4 {
		running.Go(func() {
			for i := range 10_000 {
				n := i*4 + g
				want := 1
				if n == 7 {
					want = 2
				}
				if got := len(set.For(facts("custom."+strconv.Itoa(n), ""))); got != want {
					t.Errorf("%d endpoints want custom.%d", got, n)
				}
			}
		})
	}
	running.Wait()
	require.LessOrEqual(t, target.Indexed(set), 4096)
}

// Nor does it with the endpoints that take each of these types.
func TestSetAndManyTypesOfManyEndpoints(t *testing.T) {
	t.Parallel()
	const endpoints = 2000
	list := make([]*target.Endpoint, endpoints)
	for i := range list {
		list[i] = newEndpoint(t, events.EndpointSpec{ID: "e" + strconv.Itoa(i)})
	}
	set := target.NewSet(list...)
	for i := range 1000 {
		require.Len(t, set.For(facts("custom."+strconv.Itoa(i), "")), endpoints)
	}
	require.LessOrEqual(t, target.Indexed(set)*endpoints, 1<<20)
}
