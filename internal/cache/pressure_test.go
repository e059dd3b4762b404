package cache_test

import (
	"log/slog"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/cache"
	"github.com/neuron7x/mlsdm-integrations/internal/memory"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// While memory is critical the cache holds a sixteenth of what it may, and then fills again.
func TestCacheShrinksWhenMemoryIsCritical(t *testing.T) {
	t.Parallel()
	var parts memory.Parts
	var none *cache.Cache
	none.Register(&parts)
	synctest.Test(t, func(t *testing.T) {
		c, err := cache.New(cache.Config{MemoryMB: 16, TTL: time.Hour}, nil, nil)
		require.NoError(t, err)
		defer func() { require.NoError(t, c.Close()) }()
		c.Register((*memory.Parts)(nil))
		c.Register(&parts)
		n, err := c.Namespace("emb", cache.Options{})
		require.NoError(t, err)
		fill := func() {
			for i := range 200 {
				n.Set(t.Context(), strconv.Itoa(i), make([]byte, 64<<10))
			}
		}
		fill()
		var told []events.MemoryThresholdExceeded
		var used atomic.Int64
		used.Store(95)
		w, err := memory.New(memory.Options{
			Config: memory.Config{Limit: "100MiB", Warning: 80, Critical: 92}, Service: "embedder", Instance: "one", Parts: &parts, Log: slog.New(slog.DiscardHandler),
			Exceeded: func(e events.MemoryThresholdExceeded) { told = append(told, e) },
			Used:     func() int64 { return used.Load() << 20 }, Collect: func() {},
		})
		require.NoError(t, err)
		done := make(chan error, 1)
		go func() { done <- w.Run(t.Context()) }()
		<-time.After(time.Second)
		synctest.Wait()
		require.Len(t, told, 2)
		require.Len(t, told[1].TopConsumers, 1)
		require.Equal(t, "cache", told[1].TopConsumers[0].Name)
		require.Greater(t, told[1].TopConsumers[0].Bytes, int64(12<<20))
		held := func() uint64 { return c.Stats().Namespaces[0].Memory.Bytes }
		require.LessOrEqual(t, held(), uint64(1<<20))
		require.Positive(t, held())
		fill()
		require.LessOrEqual(t, held(), uint64(1<<20), "it does not grow again")

		used.Store(10)
		<-time.After(2 * time.Second)
		synctest.Wait()
		fill()
		require.Greater(t, held(), uint64(12<<20))
	})
}
