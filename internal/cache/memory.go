package cache

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/maypok86/otter/v2"
)

// overhead is what an entry costs beside its key and value, in bytes, roughly: the store's node and two headers.
const overhead = 128

// Memory is a [Store] in the process, bounded by bytes. What is used least goes first.
type Memory struct {
	entries *otter.Cache[string, entry]
}

// entry is a value with its own lifetime.
type entry struct {
	value []byte
	ttl   time.Duration
}

// NewMemory returns a store of at most limit bytes.
func NewMemory(limit int64) (*Memory, error) {
	entries, err := otter.New(&otter.Options[string, entry]{
		MaximumWeight: uint64(max(limit, 1)),
		Weigher: func(key string, e entry) uint32 {
			return uint32(min(len(key)+len(e.value)+overhead, math.MaxUint32))
		},
		ExpiryCalculator: otter.ExpiryWritingFunc(func(e otter.Entry[string, entry]) time.Duration { return e.Value.ttl }),
	})
	if err != nil {
		return nil, fmt.Errorf("in-process cache: %w", err)
	}
	return &Memory{entries: entries}, nil
}

// GetMulti implements [Store]; it never fails.
func (m *Memory) GetMulti(_ context.Context, keys []string) (map[string][]byte, error) {
	found := make(map[string][]byte, len(keys))
	for _, key := range keys {
		if e, ok := m.entries.GetIfPresent(key); ok {
			found[key] = e.value
		}
	}
	return found, nil
}

// SetMulti implements [Store]; it never fails.
func (m *Memory) SetMulti(_ context.Context, entries map[string][]byte, ttl time.Duration) error {
	if ttl <= 0 {
		return nil
	}
	for key, value := range entries {
		m.entries.Set(key, entry{value: value, ttl: ttl})
	}
	return nil
}

// Bytes returns roughly how much the store holds.
func (m *Memory) Bytes() uint64 { return m.entries.WeightedSize() }

// Close ends the store's goroutines.
func (m *Memory) Close() { m.entries.StopAllGoroutines() }
