//go:build containers

package containers_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/cache"
)

// One of three masters ends, with its slots, and comes back. No request fails, what the others have is found meanwhile, and afterwards
// all is well again, which is said. It is not parallel, as the one with Sentinels.
func TestRedisClusterLosesANode(t *testing.T) {
	const slots = 16384
	n := newNodes(t)
	masters := make([]*node, 3)
	for i := range masters {
		masters[i] = n.run(t, "--cluster-enabled", "yes", "--cluster-node-timeout", "3000", "--cluster-require-full-coverage", "no")
		masters[i].do(t, "CLUSTER", "ADDSLOTSRANGE", slots*i/3, slots*(i+1)/3-1)
		masters[i].do(t, "CLUSTER", "SET-CONFIG-EPOCH", i+1)
		if i > 0 {
			masters[i].do(t, "CLUSTER", "MEET", masters[0].host(), redisPort)
		}
	}
	whole := func() {
		for _, m := range masters {
			m.says(t, []any{"CLUSTER", "INFO"}, "cluster_state:ok", "cluster_slots_ok:16384", "cluster_known_nodes:3")
		}
	}
	whole()
	in := func(cfg *cache.Config) {
		cfg.RedisAddrs, cfg.RedisCluster = []string{masters[1].addr}, true
	}
	one, two := newShared(t, in), newShared(t, in)
	one.isWell(t)
	two.isWell(t)
	one.fill(t)
	until(t, func() bool { return two.found(t) == manyKeys }, "all is found")
	requests := ask(t, one)
	requests.goesOn(t, 500)

	for _, lost := range []*node{masters[2], masters[0]} { // of which one has the slot of the key that is probed
		gone := lost.addr
		lost.kill(t)
		until(t, func() bool { now := one.Stats().Redis; return !now.Reads && !now.Writes }, "it is noticed")
		for _, m := range masters {
			if m != lost {
				m.says(t, []any{"CLUSTER", "INFO"}, "cluster_state:ok", "cluster_slots_fail:546")
			}
		}
		recovered := func() int { return strings.Count(one.log.text(), `works again" operation=read node=`+gone) }
		before := recovered()
		requests.goesOn(t, 2000)
		require.ErrorContains(t, one.Check(t.Context()), "node "+gone)
		until(t, func() bool { return two.found(t) >= manyKeys/2 }, "what two of three have is found")
		require.Less(t, two.found(t), manyKeys)
		require.Equal(t, before, recovered(), "it is gone for as long as it is gone")

		lost.revive(t)
		whole()
		one.isWell(t)
		two.isWell(t)
		until(t, func() bool {
			one.fill(t)
			return two.found(t) == manyKeys && one.found(t) == manyKeys
		}, "all is found again")
		require.Contains(t, one.log.text(), `for what it has" operation=read node=`+gone)
	}
	require.Zero(t, one.Stats().Namespaces[0].Corrupt)
	requests.end(t)
}
