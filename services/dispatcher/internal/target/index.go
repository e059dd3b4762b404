package target

import "sync"

// maxIndexed is how many event types an index remembers. Publishers make types up, so there may be any number.
const maxIndexed = 4096

// maxListed is how many entries the lists of all these types have together, of 8 bytes each: many types of which each is taken
// by many endpoints would otherwise fill the memory.
const maxListed = 1 << 20

// index remembers which endpoints take which event types. It belongs to one set, and goes with it. The zero index is
// empty. It is safe for concurrent use.
type index struct {
	mu     sync.RWMutex
	types  map[string]candidates
	listed int
}

// candidates are the endpoints that take a type.
type candidates struct {
	endpoints []*Endpoint
	// choosy says that it depends on the event, beyond its type, which of them want it.
	choosy bool
	// exact says that the type is one of no echo.
	exact bool
}

// candidates returns the endpoints of all that take a type.
func (x *index) candidates(eventType string, all []*Endpoint) candidates {
	x.mu.RLock()
	c, ok := x.types[eventType]
	x.mu.RUnlock()
	if ok {
		return c
	}
	c = findCandidates(eventType, all)
	x.mu.Lock()
	defer x.mu.Unlock()
	// Starting over is simpler than telling which type is asked for least.
	if x.types == nil || len(x.types) >= maxIndexed || x.listed+cap(c.endpoints) > maxListed {
		x.types, x.listed = make(map[string]candidates), 0
	}
	x.types[eventType] = c
	x.listed += cap(c.endpoints)
	return c
}

func findCandidates(eventType string, all []*Endpoint) candidates {
	c := candidates{exact: noEcho(eventType)}
	c.choosy = c.exact
	for _, e := range all {
		if e.takes(eventType, c.exact) {
			c.endpoints = append(c.endpoints, e)
			c.choosy = c.choosy || e.filter != nil
		}
	}
	return c
}
