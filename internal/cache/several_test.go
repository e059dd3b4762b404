package cache_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/cache"
	"github.com/neuron7x/mlsdm-integrations/internal/cache/redistest"
)

func TestSentinels(t *testing.T) {
	t.Parallel()
	servers := redistest.RunSentinels(t)
	if servers == nil {
		return
	}
	cfg := at(servers.Addrs()...)
	cfg.RedisMaster, cfg.RedisTimeout = redistest.MasterName, 2*time.Second
	works(t, cfg)
	c, one, log := replica(t, cfg, "y", cache.Options{})
	_, two, _ := replica(t, cfg, "y", cache.Options{})
	set(t, one, "before", "v")
	require.Equal(t, "sentinel", c.Stats().Redis.Kind)
	replicated := servers.Replica.Client()
	eventually(t, func() bool { return replicated.Exists(t.Context(), "mlsdm:y:before").Val() == 1 }, "the replica has it")

	servers.Master.Kill()
	asked := 0
	eventually(t, func() bool {
		asked++
		key := "after " + strconv.Itoa(asked)
		set(t, one, key, "w")
		require.Equal(t, "w", get(t, one, key), "no request fails")
		return get(t, two, key) == "w"
	}, "another one is the master")
	require.NotZero(t, log.says("redis fails"))
	require.Equal(t, "v", get(t, two, "before"))
	eventually(t, func() bool { return c.Check(t.Context()) == nil }, "it is well")
}

func TestCluster(t *testing.T) {
	t.Parallel()
	nodes := redistest.RunCluster(t)
	if nodes == nil {
		return
	}
	cfg := at(nodes[1].Addr)
	cfg.RedisCluster, cfg.RedisTimeout = true, 2*time.Second
	works(t, cfg)
	c, one, _ := replica(t, cfg, "y", cache.Options{})
	_, two, _ := replica(t, cfg, "y", cache.Options{})
	require.Equal(t, "cluster", c.Stats().Redis.Kind)
	var keys []string
	var values [][]byte
	for i := range 600 {
		keys, values = append(keys, "k"+strconv.Itoa(i)), append(values, []byte(strconv.Itoa(i)))
	}
	one.SetMulti(t.Context(), keys, values)
	require.Equal(t, values, two.GetMulti(t.Context(), keys))
	for _, node := range nodes {
		size, err := node.Client().DBSize(t.Context()).Result()
		require.NoError(t, err)
		require.Greater(t, size, int64(100), "each has its part")
	}
	require.NoError(t, one.Delete(t.Context(), keys[:100]...))
	removed, err := one.DeletePrefix(t.Context(), "k")
	require.NoError(t, err)
	require.Equal(t, 500, removed)

	one.SetMulti(t.Context(), keys, values)
	nodes[2].Kill()
	_, fresh, _ := replica(t, cfg, "y", cache.Options{})
	found := 0
	eventually(t, func() bool { // what others have is still found
		found = 0
		for _, value := range fresh.GetMulti(t.Context(), keys) {
			if value != nil {
				found++
			}
		}
		return found >= 300
	}, "two of three nodes are there")
	require.Less(t, found, 600)
	set(t, fresh, "new", "v")
	require.Equal(t, "v", get(t, fresh, "new"))
	_, err = one.DeletePrefix(t.Context(), "k")
	require.Error(t, err, "one of them could not be asked")
}
