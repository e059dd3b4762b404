//go:build containers

package containers_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/cache"
)

// Redis stands still for half a minute, in the middle of answers. Nobody waits for it longer than the cache lets them; when it goes on,
// so does the cache; and the rest of what was being answered is nobody's value.
func TestRedisStandsStillForLong(t *testing.T) {
	n := newNodes(t)
	redis := n.run(t)
	at := func(cfg *cache.Config) { cfg.RedisAddrs = []string{redis.addr} }
	one, two := newShared(t, at), newShared(t, at)
	one.isWell(t)
	two.isWell(t)
	one.fill(t)
	until(t, func() bool { return two.found(t) == manyKeys }, "all is found")
	all := []*traffic{ask(t, one), ask(t, one), ask(t, one)}
	each := func(do func(*traffic)) {
		for _, requests := range all {
			do(requests)
		}
	}
	each(func(tr *traffic) { tr.goesOn(t, 500) })
	errors := func() (count uint64) {
		for _, n := range one.Stats().Namespaces {
			count += n.Redis.ReadErrors + n.Redis.WriteErrors
		}
		return count
	}
	before := errors()

	redis.freeze(t)
	over := time.NewTimer(30 * time.Second)
	until(t, func() bool { now := one.Stats().Redis; return !now.Reads && !now.Writes }, "it is neither read nor written")
	require.ErrorContains(t, one.Check(t.Context()), redis.addr)
	for standing := true; standing; {
		each(func(tr *traffic) { tr.goesOn(t, 50) })
		select {
		case <-over.C:
			standing = false
		default:
		}
	}
	require.False(t, one.Stats().Redis.Reads)
	require.Less(t, errors()-before, uint64(100), "who was asking when it stopped, and hardly anybody after")

	redis.thaw(t)
	one.isWell(t)
	two.isWell(t)
	_, recovered := one.log.failed()
	require.GreaterOrEqual(t, recovered, 2, "it says that Redis works again")
	until(t, func() bool { return one.found(t) == manyKeys && two.found(t) == manyKeys }, "all is found again")
	each(func(tr *traffic) { tr.end(t) })
	for _, n := range one.Stats().Namespaces {
		require.Zero(t, n.Corrupt, "%s: no answer is under another key, nor in parts", n.Name)
	}
	one.cold.Set(t.Context(), "after", content("after"))
	value, ok := two.cold.Get(t.Context(), "after")
	require.True(t, ok)
	require.Equal(t, content("after"), value)
}
