package cache_test

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
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

// The machine of the master goes, and with it the Sentinel that was asked so far: nobody refuses a connection, nobody answers.
func TestSentinelThatIsSilent(t *testing.T) {
	t.Parallel()
	servers := redistest.RunSentinels(t)
	if servers == nil {
		return
	}
	cfg := at(servers.Addrs()...)
	cfg.RedisMaster, cfg.RedisTimeout = redistest.MasterName, 250*time.Millisecond
	c, n, log := replica(t, cfg, "x", cache.Options{})
	eventually(t, func() bool { return c.Check(t.Context()) == nil }, "it is well")
	set(t, n, "k", "v")
	replicated := servers.Replica.Client()
	eventually(t, func() bool { return replicated.Exists(t.Context(), "mlsdm:x:k").Val() == 1 }, "the replica has it")
	asked := 0
	for _, s := range servers.Sentinels {
		// Who listens for a new master asks, too.
		if kind := s.Client().ClientList(t.Context()).Val(); strings.Contains(kind, "sub=2 ") {
			s.Freeze()
			asked++
		}
	}
	require.Equal(t, 1, asked, "one of them is asked")
	servers.Master.Freeze()
	n.Forget()
	require.Empty(t, get(t, n, "k"), "no request fails")
	require.Eventually(t, func() bool { return log.says("redis works again") > 0 && c.Check(t.Context()) == nil }, 4*patience, 50*time.Millisecond,
		"it finds the new master by others")
	require.Equal(t, "v", get(t, n, "k"))
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
	part, fresh, log := replica(t, cfg, "y", cache.Options{})
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

	lost := "node " + nodes[2].Addr
	eventually(t, func() bool {
		err := part.Check(t.Context())
		return err != nil && strings.Contains(err.Error(), lost)
	}, "it says which one")
	require.False(t, part.Stats().Redis.Reads, "not all of it")
	require.Contains(t, part.Stats().Redis.Error, lost)
	over := func() int { return log.says(`works again" operation=read node=` + nodes[2].Addr) }
	before := over()
	for range 100 {
		fresh.SetMulti(t.Context(), keys, values)
		fresh.Forget()
		fresh.GetMulti(t.Context(), keys)
	}
	require.Equal(t, before, over(), "it does not come back as long as it is away")
	require.True(t, nodes[2].Start())
	eventually(t, func() bool { return part.Check(t.Context()) == nil }, "it is well")
	require.Greater(t, over(), before)
	eventually(t, func() bool {
		fresh.SetMulti(t.Context(), keys, values)
		fresh.Forget()
		return slices.EqualFunc(values, fresh.GetMulti(t.Context(), keys), bytes.Equal)
	}, "all is found again")
}

// A replica takes the place of a master of a Cluster: its slots are at another address, and nothing waits for the old one.
func TestClusterThatFailsOver(t *testing.T) {
	t.Parallel()
	nodes := redistest.RunCluster(t)
	if nodes == nil {
		return
	}
	replicated := redistest.AddReplica(t, nodes[0])
	cfg := at(nodes[1].Addr)
	cfg.RedisCluster, cfg.RedisTimeout = true, 2*time.Second
	c, n, log := replica(t, cfg, "x", cache.Options{})
	var keys []string
	var values [][]byte
	for i := range 100 {
		keys, values = append(keys, "k"+strconv.Itoa(i)), append(values, []byte(strconv.Itoa(i)))
	}
	fill := func() bool {
		n.SetMulti(t.Context(), keys, values)
		n.Forget()
		return slices.EqualFunc(values, n.GetMulti(t.Context(), keys), bytes.Equal)
	}
	eventually(t, fill, "all is found")

	nodes[0].Kill()
	asked := func() bool {
		n.SetMulti(t.Context(), keys, values)
		return log.says(`for what it has" operation=write node=`+nodes[0].Addr) > 0
	}
	eventually(t, asked, "it is noticed")
	require.Eventually(t, func() bool { return c.Check(t.Context()) == nil && fill() }, 4*patience, 50*time.Millisecond, "the other one has it")
	require.NotZero(t, log.says("other nodes of redis have what one had that failed"), log.String())
	held, err := replicated.Client().DBSize(t.Context()).Result()
	require.NoError(t, err)
	require.Greater(t, held, int64(10))
}
