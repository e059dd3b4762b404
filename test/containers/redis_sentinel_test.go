//go:build containers

package containers_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/cache"
	"github.com/neuron7x/mlsdm-integrations/internal/cache/redistest"
)

// The master of a replicated Redis ends; and then the machine of the next one is off the network, with the Sentinel on it that was asked
// so far. Both times no request fails, and the cache finds the new master by itself. It is not parallel: who watches a master takes a
// machine that is busy for a dead one.
func TestRedisFailsOver(t *testing.T) {
	n := newNodes(t)
	master := n.run(t)
	replicas := []*node{n.run(t, "--replicaof", master.host(), redisPort), n.run(t, "--replicaof", master.host(), redisPort)}
	sentinels := []*node{n.watch(t, master), n.watch(t, master), n.watch(t, master)}
	for _, s := range sentinels {
		s.says(t, []any{"INFO", "sentinel"}, "slaves=2,sentinels=3")
	}
	master.says(t, []any{"INFO", "replication"}, "connected_slaves:2")
	behind := func(cfg *cache.Config) {
		cfg.RedisMaster = redistest.MasterName
		for _, s := range sentinels {
			cfg.RedisAddrs = append(cfg.RedisAddrs, s.addr)
		}
	}
	one, two := newShared(t, behind), newShared(t, behind)
	one.isWell(t)
	two.isWell(t)
	one.fill(t)
	for _, r := range replicas {
		client := redistest.Client(t, r.addr)
		until(t, func() bool { return client.Exists(t.Context(), "mlsdm:hot:hot").Val() == 1 }, "the replicas have it")
	}
	requests := ask(t, one)
	requests.goesOn(t, 500)

	master.kill(t)
	next := promoted(t, replicas)
	recovered(t, one, two, next, "killed")
	requests.goesOn(t, 500)

	// Who was asked so far is known by whom it tells of a new master.
	client := asked(t, sentinels)
	before, _ := one.log.failed()
	client.unplug(t, n)
	next.unplug(t, n)
	until(t, func() bool { now, _ := one.log.failed(); return now > before }, "it is said")
	last := replicas[0]
	if last == next {
		last = replicas[1]
	}
	promoted(t, []*node{last})
	recovered(t, one, two, last, "unplugged")
	requests.end(t)
}

// promoted waits until one of the replicas is a master, and returns it.
func promoted(t *testing.T, replicas []*node) (next *node) {
	t.Helper()
	until(t, func() bool {
		for _, r := range replicas {
			role := redistest.Client(t, r.addr).Do(t.Context(), "ROLE").Val()
			if list, ok := role.([]any); ok && list[0] == "master" {
				next = r
			}
		}
		return next != nil
	}, "a replica becomes the master")
	return next
}

// recovered waits until both caches use the new master, which one of them has to say.
func recovered(t *testing.T, one, two *shared, master *node, key string) {
	t.Helper()
	one.isWell(t)
	two.isWell(t)
	failed, _ := one.log.failed()
	require.NotZero(t, failed, "it was said")
	inside := redistest.Client(t, master.addr)
	until(t, func() bool {
		one.cold.Set(t.Context(), key, content(key))
		value, ok := two.cold.Get(t.Context(), key)
		require.NoError(t, right(key, value, ok))
		return ok && inside.Exists(t.Context(), "mlsdm:cold:"+key).Val() == 1
	}, "what one keeps there the other one finds")
}

// asked returns the Sentinel that most clients listen to.
func asked(t *testing.T, sentinels []*node) (most *node) {
	t.Helper()
	best := 0
	for _, s := range sentinels {
		list := redistest.Client(t, s.addr).ClientList(t.Context()).Val()
		if count := strings.Count(list, " sub=2 "); count > best {
			best, most = count, s
		}
	}
	require.NotNil(t, most)
	return most
}
