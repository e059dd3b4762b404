package cache

import (
	"fmt"
	"math"
	"strings"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"
)

// overhead is what an entry costs beside its key and value, in bytes, roughly: the store's node and two headers.
const overhead = 160

// memory is the first level: a store in the process, bounded by bytes. What is used least goes first.
type memory struct {
	entries   *otter.Cache[string, kept]
	evictions atomic.Uint64
}

// kept is an entry with its own lifetime.
type kept struct {
	entry
	lasts time.Duration
}

// newMemory returns a store of at most limit bytes.
func newMemory(limit int64) (*memory, error) {
	m := &memory{}
	var err error
	m.entries, err = otter.New(&otter.Options[string, kept]{
		MaximumWeight: uint64(max(limit, 1)),
		Weigher: func(key string, e kept) uint32 {
			return uint32(min(len(key)+cap(e.value)+overhead, math.MaxUint32))
		},
		ExpiryCalculator: otter.ExpiryWritingFunc(func(e otter.Entry[string, kept]) time.Duration { return e.Value.lasts }),
		// What the store has to put in order after a write, whoever writes does: a goroutine for it would cost more than the work, and whoever
		// waits for the answer would wait for its start. Nothing is called from within the store that would come back to it.
		Executor: func(work func()) { work() },
		OnAtomicDeletion: func(e otter.DeletionEvent[string, kept]) {
			if e.Cause == otter.CauseOverflow {
				m.evictions.Add(1)
			}
		},
	})
	if err != nil {
		return nil, fmt.Errorf("in-process cache: %w", err)
	}
	return m, nil
}

func (m *memory) get(key string) (entry, bool) {
	e, ok := m.entries.GetIfPresent(key)
	return e.entry, ok
}

// set keeps an entry for as long as it lasts; not at all when that is nothing.
func (m *memory) set(key string, e entry, lasts time.Duration) {
	if lasts > 0 {
		m.entries.Set(key, kept{entry: e, lasts: lasts})
	}
}

func (m *memory) remove(key string) { m.entries.Invalidate(key) }

// removePrefix forgets what is kept under keys that begin so, and returns how much that was.
func (m *memory) removePrefix(prefix string) int {
	var found []string
	for key := range m.entries.Keys() {
		if strings.HasPrefix(key, prefix) {
			found = append(found, key)
		}
	}
	for _, key := range found {
		m.entries.Invalidate(key)
	}
	return len(found)
}

// bytes returns roughly how much the store holds.
func (m *memory) bytes() uint64 { return m.entries.WeightedSize() }

// close ends the store's goroutines.
func (m *memory) close() { m.entries.StopAllGoroutines() }
