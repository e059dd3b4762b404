package cacheline_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/internal/cache"
	"github.com/neuron7x/mlsdm-integrations/internal/cacheline"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// replica is a cache that is joined to the others on a server.
func replica(t *testing.T, s *bustest.Server, service string) (*cache.Cache, *cache.Namespace) {
	t.Helper()
	c, err := cache.New(cache.Config{MemoryMB: 8, TTL: time.Hour}, bustest.Logger(t), prometheus.NewRegistry())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	n, err := c.Namespace("vectors", cache.Options{})
	require.NoError(t, err)
	require.NoError(t, cacheline.Join(t.Context(), s.Connect(t, service), service, c))
	return c, n
}

func has(t *testing.T, n *cache.Namespace, key string) bool {
	t.Helper()
	_, ok := n.Get(t.Context(), key)
	return ok
}

func TestReplicas(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t, bustest.Bare())
	first, a := replica(t, s, "embedder")
	_, b := replica(t, s, "embedder")
	_, other := replica(t, s, "generator")
	for _, n := range []*cache.Namespace{a, b, other} {
		for _, key := range []string{"one", "two"} {
			n.Set(t.Context(), key, []byte("value"))
		}
	}
	require.NoError(t, a.Delete(t.Context(), "one"))
	require.Eventually(t, func() bool { return !has(t, b, "one") }, 20*time.Second, time.Millisecond)
	require.True(t, has(t, b, "two"))

	asker := s.Connect(t, "asker")
	reply, err := asker.Request(t.Context(), bus.Msg{Subject: asker.Subjects().CacheClear("embedder", "vectors")})
	require.NoError(t, err)
	var cleared cacheline.Cleared
	require.NoError(t, json.Unmarshal(reply.Body, &cleared))
	require.Equal(t, "vectors", cleared.Namespace)
	require.Eventually(t, func() bool { return !has(t, a, "two") && !has(t, b, "two") }, 20*time.Second, time.Millisecond, "at both")
	require.True(t, has(t, other, "one"), "not at another service")

	_, err = asker.Request(t.Context(), bus.Msg{Subject: asker.Subjects().CacheClear("embedder", "none")})
	require.Equal(t, events.CodeNotFound, events.CodeOf(err))
	require.NoError(t, asker.Tell(t.Context(), bus.Msg{Subject: asker.Subjects().CacheDeleted("embedder"), Body: []byte("{nonsense")}))
	told, ok := cacheline.Tell(first)().(cacheline.Told)
	require.True(t, ok)
	require.Equal(t, "vectors", told.Cache.Namespaces[0].Name)
	require.NoError(t, cacheline.Join(t.Context(), asker, "embedder", nil), "a cache that is off")
	require.Nil(t, cacheline.Tell(nil), "a cache that is off")
}
