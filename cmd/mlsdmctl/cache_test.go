package main

import (
	"context"
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

// caching runs a service with a cache of some namespaces.
func caching(t *testing.T, s *bustest.Server, service string, namespaces ...string) *cache.Cache {
	t.Helper()
	c, err := cache.New(cache.Config{MemoryMB: 8, TTL: time.Hour}, bustest.Logger(t), prometheus.NewRegistry())
	require.NoError(t, err)
	for _, name := range namespaces {
		n, err := c.Namespace(name, cache.Options{})
		require.NoError(t, err)
		n.Set(t.Context(), "key", []byte("value"))
		_, ok := n.Get(t.Context(), "key")
		require.True(t, ok)
	}
	b := s.Connect(t, service)
	require.NoError(t, cacheline.Join(t.Context(), b, service, c))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- b.Serve(ctx, bus.Service{
			Name: events.MicroName(service), Version: "1.0.0", Data: cacheline.Tell(c), DrainTimeout: 100 * time.Millisecond,
			Operations: []bus.Operation{{Name: events.OpModels, Handler: func(context.Context, *bus.Request) error { return nil }}},
		})
	}()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-done)
		require.NoError(t, c.Close())
	})
	require.Eventually(t, func() bool {
		_, err := b.Request(t.Context(), bus.Msg{Subject: "$SRV.PING." + events.MicroName(service)})
		return err == nil
	}, 20*time.Second, time.Millisecond)
	return c
}

func TestCacheStats(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t, bustest.Bare())
	_, errs, code := atServer(t.Context(), s, "", "cache", "stats")
	require.Equal(t, 1, code)
	require.Contains(t, errs, "nobody answers on $SRV.STATS.mlsdm-embedder")
	caching(t, s, events.ServiceEmbedder, "vectors")
	caching(t, s, events.ServiceGenerator, "answers", "more")

	out, errs, code := atServer(t.Context(), s, "", "cache", "stats")
	require.Zero(t, code, errs)
	require.Regexp(t, `(?m)^embedder +\S+ +vectors +\S+ +\S+ +1 +0 +0 +0 +0 +1 +0\.0 MiB of 8\.0 MiB +0 +-$`, out)
	require.Regexp(t, `(?m)^generator +\S+ +answers `, out)
	require.Contains(t, out, "no Redis: each replica has its own cache only")
	out, errs, code = atServer(t.Context(), s, "", "cache", "stats", "--json", "--service", "generator")
	require.Zero(t, code, errs)
	var got []replicaCache
	require.NoError(t, json.Unmarshal([]byte(out), &got))
	require.Len(t, got, 1)
	require.Len(t, got[0].Cache.Namespaces, 2)
	require.EqualValues(t, 1, got[0].Cache.Namespaces[0].Memory.Hits)
}

func TestCacheClear(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t, bustest.Bare())
	vectors := caching(t, s, events.ServiceEmbedder, "vectors", "both")
	caching(t, s, events.ServiceGenerator, "both")
	out, errs, code := atServer(t.Context(), s, "", "cache", "clear", "vectors", "--yes")
	require.Zero(t, code, errs)
	require.Equal(t, "vectors of embedder is empty; it had 1 entries\n", out)
	require.Zero(t, vectors.Stats().Namespaces[1].Memory.Entries)
	out, errs, code = atServer(t.Context(), s, "", "cache", "clear", "both", "--yes", "--service", "generator", "--json")
	require.Zero(t, code, errs)
	require.JSONEq(t, `{"service":"generator","namespace":"both","entries":1}`, out)

	for want, args := range map[string][]string{
		"both is in the cache of embedder and of generator": {"both", "--yes"},
		"there is no namespace none, but both, vectors":     {"none", "--yes"},
		"has no namespace \"none\"":                         {"none", "--yes", "--service", "embedder"},
		"say --yes":                                         {"vectors"},
		"is no namespace":                                   {"a.>", "--yes"},
	} {
		_, errs, code = atServer(t.Context(), s, "", append([]string{"cache", "clear"}, args...)...)
		require.NotZero(t, code)
		require.Contains(t, errs, want)
	}
}

func TestRedisState(t *testing.T) {
	t.Parallel()
	require.Equal(t, "Redis (cluster)", redisState(cache.RedisStats{Kind: "cluster", Reads: true, Writes: true}))
	require.Contains(t, redisState(cache.RedisStats{Kind: "single", Writes: true}), "Redis (single) is not used now")
	require.Contains(t, redisState(cache.RedisStats{Kind: "none"}), "no Redis")
	rate := 0.5
	require.Equal(t, "50.0%", share(&rate))
	require.Equal(t, "1.5s", fillTime(cache.NamespaceStats{Fills: 2, FillSeconds: 3}))
}
