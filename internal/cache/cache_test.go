package cache_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/cache"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
)

// settings are good ones without a Redis.
func settings() cache.Config { return cache.Config{MemoryMB: 4, TTL: time.Hour} }

func TestConfig(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(*cache.Config){
		"cache-memory-mb is -1":            func(c *cache.Config) { c.MemoryMB = -1 },
		"cache-ttl is 0s":                  func(c *cache.Config) { c.TTL = 0 },
		"redis-port is 70000":              func(c *cache.Config) { c.RedisHost, c.RedisPort = "h", 70000 },
		"switches caching off":             func(c *cache.Config) { c.RedisHost, c.RedisPort, c.MemoryMB = "h", 1, 0 },
		"both set; leave one of them out":  func(c *cache.Config) { c.RedisHost, c.RedisPort, c.RedisAddrs = "h", 1, []string{"h:1"} },
		"is no HOST:PORT":                  func(c *cache.Config) { c.RedisAddrs = []string{"h:1", "h"} },
		"at most 64":                       func(c *cache.Config) { c.RedisAddrs = make([]string, 65) },
		"redis-timeout is 1m0s":            func(c *cache.Config) { c.RedisAddrs, c.RedisTimeout = []string{"h:1"}, time.Minute },
		"redis-db is -1":                   func(c *cache.Config) { c.RedisAddrs, c.RedisDB = []string{"h:1"}, -1 },
		"a Cluster has only 0":             func(c *cache.Config) { c.RedisAddrs, c.RedisDB = []string{"h:1", "h:2"}, 1 },
		"it names the Sentinels":           func(c *cache.Config) { c.RedisHost, c.RedisPort, c.RedisMaster = "h", 1, "m" },
		"either behind Sentinels":          func(c *cache.Config) { c.RedisAddrs, c.RedisMaster, c.RedisCluster = []string{"h:1"}, "m", true },
		"redis-master says that there are": func(c *cache.Config) { c.RedisAddrs, c.SentinelPassword = []string{"h:1"}, secret.NewValue("x") },
		"redis-key-file go together":       func(c *cache.Config) { c.RedisAddrs, c.RedisTLS, c.RedisCertFile = []string{"h:1"}, true, "x" },
		"of no use without redis-tls":      func(c *cache.Config) { c.RedisAddrs, c.RedisServerName = []string{"h:1"}, "x" },
		"redis-ca-file: open /nowhere/ca.pem": func(c *cache.Config) {
			c.RedisAddrs, c.RedisTLS, c.RedisCAFile = []string{"h:1"}, true, "/nowhere/ca.pem"
		},
	} {
		bad := settings()
		change(&bad)
		_, err := cache.New(bad, nil, nil)
		require.ErrorContains(t, err, want)
	}
}

func TestNoCache(t *testing.T) {
	t.Parallel()
	off, err := cache.New(cache.Config{}, nil, nil)
	require.NoError(t, err)
	require.Nil(t, off)
	n, err := off.Namespace("x", cache.Options{})
	require.NoError(t, err)
	n.Set(t.Context(), "k", []byte("v"))
	_, ok := n.Get(t.Context(), "k")
	require.False(t, ok)
	require.Equal(t, [][]byte{nil}, n.GetMulti(t.Context(), []string{"k"}))
	vectors, found := n.Vectors(cache.VectorKey{}).GetMulti(t.Context(), []string{"a"})
	require.Zero(t, found)
	require.Len(t, vectors, 1)
	require.NoError(t, off.Check(t.Context()))
	require.Equal(t, "none", off.Stats().Redis.Kind)
	_, err = off.Clear(t.Context(), "x")
	require.ErrorIs(t, err, cache.ErrNoNamespace)
	require.NoError(t, off.Close())
}

func TestNamespaceNames(t *testing.T) {
	t.Parallel()
	c, err := cache.New(settings(), nil, nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	for _, bad := range []string{"", "A", "a:b", "a*", strings.Repeat("a", 33)} {
		_, err := c.Namespace(bad, cache.Options{})
		require.Error(t, err, bad)
	}
	_, err = c.Namespace("emb", cache.Options{TTL: time.Millisecond})
	require.ErrorContains(t, err, "TTL")
	_, err = c.Namespace("emb", cache.Options{Grace: -1})
	require.ErrorContains(t, err, "negative")
	one, err := c.Namespace("emb", cache.Options{})
	require.NoError(t, err)
	_, err = c.Namespace("emb", cache.Options{})
	require.ErrorContains(t, err, "there already")
	two, err := c.Namespace("chat", cache.Options{})
	require.NoError(t, err)
	one.Set(t.Context(), "k", []byte("v"))
	_, ok := two.Get(t.Context(), "k")
	require.False(t, ok)
	value, ok := one.Get(t.Context(), "k")
	require.True(t, ok)
	require.Equal(t, "v", string(value))
}
