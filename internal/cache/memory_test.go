package cache_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/cache"
)

func TestMemoryIsBoundedByBytes(t *testing.T) {
	t.Parallel()
	_, n, log := replica(t, settings(), "small", cache.Options{MaxBytes: 1 << 20})
	require.Equal(t, 1, log.says("no redis is configured"))
	text := strings.Repeat("x", 10_000)
	for i := range 1000 { // ten times what fits
		set(t, n, "key "+strconv.Itoa(i), text)
	}
	eventually(t, func() bool { return n.Stats().Memory.Bytes <= 1<<20 }, "what is too much goes")
	stats := n.Stats().Memory
	require.NotZero(t, stats.Bytes)
	require.Equal(t, int64(1<<20), stats.MaxBytes)
	eventually(t, func() bool { return n.Stats().Memory.Evictions >= 890 }, "it is counted")
	set(t, n, "huge", strings.Repeat("x", 2<<20))
	eventually(t, func() bool { return get(t, n, "huge") == "" }, "what never fits goes")
}

func TestMemoryForgets(t *testing.T) {
	t.Parallel()
	_, n, _ := replica(t, settings(), "short", cache.Options{TTL: time.Second})
	start := time.Now()
	set(t, n, "k", "v")
	if value, ok := n.Get(t.Context(), "k"); ok {
		require.Equal(t, "v", string(value))
	} else {
		require.Greater(t, time.Since(start), 800*time.Millisecond, "it was there for its time")
	}
	eventually(t, func() bool { return get(t, n, "k") == "" }, "its time is over")
	require.Greater(t, time.Since(start), 800*time.Millisecond)
	require.Less(t, time.Since(start), patience)
}

func TestEmptyValuesAreValues(t *testing.T) {
	t.Parallel()
	_, n, _ := replica(t, settings(), "empty", cache.Options{})
	n.SetMulti(t.Context(), []string{"a", "b"}, [][]byte{nil, {}})
	for _, key := range []string{"a", "b"} {
		value, ok := n.Get(t.Context(), key)
		require.True(t, ok)
		require.Empty(t, value)
	}
	for _, value := range n.GetMulti(t.Context(), []string{"a", "b"}) {
		require.NotNil(t, value)
	}
}

// A hit in the process allocates nothing but what it returns.
func TestHitsAllocate(t *testing.T) {
	_, n, _ := replica(t, settings(), "hits", cache.Options{})
	keys := make([]string, 100)
	for i := range keys {
		keys[i] = strconv.Itoa(i)
		set(t, n, keys[i], "v")
	}
	ctx := t.Context()
	require.Zero(t, testing.AllocsPerRun(100, func() {
		if _, ok := n.Get(ctx, "7"); !ok {
			t.Error("it is there")
		}
	}))
	require.InDelta(t, 1, testing.AllocsPerRun(100, func() { n.GetMulti(ctx, keys) }), 0)
}

func TestDeleteInTheProcess(t *testing.T) {
	t.Parallel()
	c, n, _ := replica(t, settings(), "gone", cache.Options{})
	n.SetMulti(t.Context(), []string{"a:1", "a:2", "b:1"}, [][]byte{[]byte("x"), []byte("y"), []byte("z")})
	require.NoError(t, n.Delete(t.Context(), "a:1", "never"))
	require.Empty(t, get(t, n, "a:1"))
	require.Equal(t, "y", get(t, n, "a:2"))
	removed, err := n.DeletePrefix(t.Context(), "a:")
	require.NoError(t, err)
	require.Equal(t, 1, removed)
	require.Empty(t, get(t, n, "a:2"))
	require.Equal(t, "z", get(t, n, "b:1"))
	removed, err = c.Clear(t.Context(), "gone")
	require.NoError(t, err)
	require.Equal(t, 1, removed)
	_, err = c.Clear(t.Context(), "other")
	require.ErrorIs(t, err, cache.ErrNoNamespace)
}
