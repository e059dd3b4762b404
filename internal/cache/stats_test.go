package cache_test

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/cache"
)

func TestMetrics(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	c, err := cache.New(settings(), nil, reg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	n, err := c.Namespace("emb", cache.Options{})
	require.NoError(t, err)
	set(t, n, "k", "v")
	get(t, n, "k")
	get(t, n, "other")
	n.GetMulti(t.Context(), []string{"k", "k", "other"})
	n.ObserveFill(time.Second)
	require.NoError(t, testutil.GatherAndCompare(reg, strings.NewReader(`
# HELP mlsdm_cache_lookups_total Keys looked up, by where they were found: memory, redis, none.
# TYPE mlsdm_cache_lookups_total counter
mlsdm_cache_lookups_total{namespace="emb",tier="memory"} 3
mlsdm_cache_lookups_total{namespace="emb",tier="none"} 2
# HELP mlsdm_cache_fill_seconds How long it took to make what was not in the cache.
# TYPE mlsdm_cache_fill_seconds summary
mlsdm_cache_fill_seconds_sum{namespace="emb"} 1
mlsdm_cache_fill_seconds_count{namespace="emb"} 1
# HELP mlsdm_cache_hit_ratio Share of the lookups of the last time that found something.
# TYPE mlsdm_cache_hit_ratio gauge
mlsdm_cache_hit_ratio{namespace="emb",window="1m"} 0.6
mlsdm_cache_hit_ratio{namespace="emb",window="60m"} 0.6
`), "mlsdm_cache_lookups_total", "mlsdm_cache_fill_seconds", "mlsdm_cache_hit_ratio"))
	lint, err := testutil.GatherAndLint(reg)
	require.NoError(t, err)
	require.Empty(t, lint)
	_, err = cache.New(settings(), nil, reg)
	require.ErrorContains(t, err, "cache metrics")

	text, err := json.Marshal(c.Stats())
	require.NoError(t, err)
	require.Contains(t, string(text), `"redis":{"kind":"none","reads":false,"writes":false},"namespaces":[{"name":"emb","ttl_seconds":3600,"memory":{"hits":3,"entries":1,"bytes":`)
	require.Contains(t, string(text), `"hit_rate_1m":0.6`)
}

func TestHitRates(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, n, _ := replica(t, settings(), "x", cache.Options{TTL: 24 * time.Hour})
		require.Nil(t, n.Stats().HitRate1m)
		set(t, n, "k", "v")
		look := func(hits, misses int) {
			for range hits {
				get(t, n, "k")
			}
			for range misses {
				get(t, n, "missing")
			}
		}
		look(1, 3)
		require.InDelta(t, 0.25, *n.Stats().HitRate1m, 1e-9)
		<-time.After(2 * time.Minute)
		require.Nil(t, n.Stats().HitRate1m, "nobody has asked for a minute")
		require.InDelta(t, 0.25, *n.Stats().HitRate60m, 1e-9)
		look(4, 0)
		require.InDelta(t, 1, *n.Stats().HitRate1m, 1e-9)
		require.InDelta(t, 5.0/8, *n.Stats().HitRate60m, 1e-9)
		<-time.After(59*time.Minute + 10*time.Second)
		require.InDelta(t, 1, *n.Stats().HitRate60m, 1e-9, "the first are an hour ago")
		<-time.After(time.Hour)
		require.Nil(t, n.Stats().HitRate60m)
	})
}
