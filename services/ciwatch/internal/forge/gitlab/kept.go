package gitlab

import (
	"container/list"
	"sync"
)

// value is what was read of an answer. It is never changed.
type value interface {
	// size is what it takes, in bytes, roughly.
	size() int
}

// kept is what is known of something, and the mark by which it is told whether it has changed: an ETag, or a time.
type kept struct {
	key   string
	mark  string
	value value
}

// cost is what it takes, in bytes, roughly: with the bookkeeping around it.
func (k *kept) cost() int { return len(k.key) + len(k.mark) + k.value.size() + 256 }

// store keeps what was asked for last, within a number of bytes.
type store struct {
	max int

	mu    sync.Mutex
	bytes int
	byKey map[string]*list.Element
	order *list.List // the last used in front
}

func newStore(limit int) *store {
	return &store{max: limit, byKey: map[string]*list.Element{}, order: list.New()}
}

// get returns what is kept, or nil, and its mark.
func (s *store) get(key string) (value, string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	element, ok := s.byKey[key]
	if !ok {
		return nil, ""
	}
	s.order.MoveToFront(element)
	k := element.Value.(*kept) //nolint:errcheck,forcetypeassert // nothing else is in the list
	return k.value, k.mark
}

// put keeps a value in the place of an earlier one.
func (s *store) put(key, mark string, v value) {
	k := &kept{key: key, mark: mark, value: v}
	s.mu.Lock()
	defer s.mu.Unlock()
	if element, ok := s.byKey[key]; ok {
		s.remove(element)
	}
	if k.cost() > s.max {
		return
	}
	s.byKey[key] = s.order.PushFront(k)
	s.bytes += k.cost()
	for s.bytes > s.max {
		s.remove(s.order.Back())
	}
}

// remove forgets a value.
func (s *store) remove(element *list.Element) {
	k := s.order.Remove(element).(*kept) //nolint:errcheck,forcetypeassert // nothing else is in the list
	delete(s.byKey, k.key)
	s.bytes -= k.cost()
}
