package keyring

import (
	"container/list"
	"sync"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
)

// Bounds of what is kept.
const (
	maxKept      = 32 << 10
	maxKeptBytes = 64 << 20
)

// known is what the store of secrets said about a reference.
type known struct {
	value secret.Value
	err   error     // said instead of a value
	asked time.Time // when it was asked last
	given time.Time // when it gave the value
	stale bool      // the value is an earlier one, because the store cannot be reached
}

// counts is how long the answer is used without asking again, if a value is for so long as is given.
func (k known) counts(fresh time.Duration) time.Duration {
	if k.err != nil || k.stale {
		return noFor
	}
	return fresh
}

// cache keeps the answers that were used last.
type cache struct {
	mu      sync.Mutex
	entries map[string]*list.Element
	order   *list.List // of kept, the one used last in front
	bytes   int
	expired uint64 // how often an answer was said to be out of date
}

type kept struct {
	reference string
	known
}

func newCache() *cache { return &cache{entries: map[string]*list.Element{}, order: list.New()} }

// get returns the answer about a reference.
func (c *cache) get(reference string) (known, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	element, ok := c.entries[reference]
	if !ok {
		return known{}, false
	}
	c.order.MoveToFront(element)
	return element.Value.(kept).known, true //nolint:errcheck,forcetypeassert // nothing else is put there
}

// expire has an answer count no more but for want of a better one, and reports whether there is one.
func (c *cache) expire(reference string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.expired++
	element, ok := c.entries[reference]
	if ok {
		old := element.Value.(kept) //nolint:errcheck,forcetypeassert // nothing else is put there
		old.asked = time.Time{}
		element.Value = old
	}
	return ok
}

// expiries is how often an answer was said to be out of date: one that was asked for before is perhaps out of date, too.
func (c *cache) expiries() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.expired
}

// put keeps an answer, and drops those unused for longest that there is no room for.
func (c *cache) put(reference string, k known) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if element, ok := c.entries[reference]; ok {
		c.drop(element)
	}
	c.entries[reference] = c.order.PushFront(kept{reference, k})
	c.bytes += len(k.value.Reveal())
	for c.order.Len() > maxKept || c.bytes > maxKeptBytes {
		c.drop(c.order.Back())
	}
}

// drop forgets an entry.
func (c *cache) drop(element *list.Element) {
	old := c.order.Remove(element).(kept) //nolint:errcheck,forcetypeassert // nothing else is put there
	delete(c.entries, old.reference)
	c.bytes -= len(old.value.Reveal())
}
