package target

import (
	"slices"
	"strings"

	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/filter"
)

// Set is an immutable set of endpoints: what changes it returns another one. The zero Set is empty. It is safe for
// concurrent use.
type Set struct{ state *state }

// state is what a Set holds.
type state struct {
	ordered []*Endpoint // by id
	index   index
}

// NewSet returns the set of the given endpoints; of two with the same id the last one counts.
func NewSet(endpoints ...*Endpoint) Set { return Set{}.With(endpoints...) }

// Len returns the number of endpoints.
func (s Set) Len() int { return len(s.endpoints()) }

// All returns the endpoints ordered by id. The list must not be changed.
func (s Set) All() []*Endpoint { return s.endpoints() }

// Get returns the endpoint with an id.
func (s Set) Get(id string) (*Endpoint, bool) {
	at, found := find(s.endpoints(), id)
	if !found {
		return nil, false
	}
	return s.state.ordered[at], true
}

// With returns the set with endpoints more, or replaced; of two with the same id the last one counts. It copies one list
// of pointers, however many are added: add many at once.
func (s Set) With(endpoints ...*Endpoint) Set {
	if len(endpoints) == 0 {
		return s
	}
	added := slices.Clone(endpoints)
	slices.SortStableFunc(added, func(a, b *Endpoint) int { return strings.Compare(a.ID(), b.ID()) })
	ordered := make([]*Endpoint, 0, s.Len()+len(added))
	rest := s.endpoints()
	for i, e := range added {
		if i+1 < len(added) && added[i+1].ID() == e.ID() {
			continue
		}
		at, found := find(rest, e.ID())
		ordered = append(append(ordered, rest[:at]...), e)
		if found {
			at++
		}
		rest = rest[at:]
	}
	return newSet(append(ordered, rest...))
}

// Without returns the set without the endpoints of some ids, of which none need be there.
func (s Set) Without(ids ...string) Set {
	gone := make(map[string]bool, len(ids))
	for _, id := range ids {
		gone[id] = true
	}
	ordered := make([]*Endpoint, 0, s.Len())
	for _, e := range s.endpoints() {
		if !gone[e.ID()] {
			ordered = append(ordered, e)
		}
	}
	if len(ordered) == s.Len() {
		return s
	}
	return newSet(ordered)
}

// For returns the endpoints that want an event, ordered by id. The list must not be changed. It costs as much as the
// endpoints whose patterns fit the event's type, however many others there are.
func (s Set) For(facts *filter.Facts) []*Endpoint {
	if s.state == nil {
		return nil
	}
	c := s.state.index.candidates(facts.Type(), s.state.ordered)
	if !c.choosy {
		return c.endpoints
	}
	var wanting []*Endpoint
	for _, e := range c.endpoints {
		if e.accepts(facts, c.exact) {
			wanting = append(wanting, e)
		}
	}
	return wanting
}

func newSet(ordered []*Endpoint) Set { return Set{&state{ordered: ordered}} }

// endpoints returns the endpoints, of the zero Set too.
func (s Set) endpoints() []*Endpoint {
	if s.state == nil {
		return nil
	}
	return s.state.ordered
}

// find returns where the endpoint of an id is, or would be.
func find(ordered []*Endpoint, id string) (at int, found bool) {
	return slices.BinarySearchFunc(ordered, id, func(e *Endpoint, id string) int { return strings.Compare(e.ID(), id) })
}
