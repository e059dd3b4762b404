package cache_test

import (
	"context"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/cache"
	"github.com/neuron7x/mlsdm-integrations/internal/cache/redistest"
)

func TestRedisThatIsNotThere(t *testing.T) {
	t.Parallel()
	addr := redistest.FreeAddr(t)
	c, n, log := replica(t, at(addr), "x", cache.Options{})
	for i := range 500 {
		set(t, n, strconv.Itoa(i), "v")
		require.Equal(t, "v", get(t, n, strconv.Itoa(i)))
		require.Empty(t, get(t, n, "missing"))
	}
	err := c.Check(t.Context())
	require.ErrorContains(t, err, "not shared")
	require.ErrorContains(t, err, addr)
	require.Equal(t, 1, log.says(`"redis fails; working with the in-process cache alone" operation=read`), "said once")
	require.Equal(t, 1, log.says(`"redis fails; working with the in-process cache alone" operation=write`))
	stats := c.Stats().Redis
	require.False(t, stats.Reads)
	require.False(t, stats.Writes)
	require.Contains(t, stats.Error, "refused")
	require.Equal(t, uint64(1), n.Stats().Redis.ReadErrors, "nobody else has asked")
	calls := &counter{}
	loaded, err := n.GetOrLoad(t.Context(), "load", value("v", calls))
	require.NoError(t, err)
	require.Equal(t, "v", string(loaded))
	require.Error(t, n.Delete(t.Context(), "0"), "the operator must know")
	require.Empty(t, get(t, n, "0"))
}

// While Redis stands still, one request waits for it, the others do not; and when it goes on, so does the cache.
func TestRedisThatStandsStill(t *testing.T) {
	t.Parallel()
	server := redistest.Run(t)
	if server == nil {
		return
	}
	cfg := at(server.Addr)
	cfg.RedisTimeout = 500 * time.Millisecond
	c, n, log := replica(t, cfg, "x", cache.Options{})
	set(t, n, "k", "v")
	server.Freeze()
	start, asked := time.Now(), 0
	for ; time.Since(start) < 4*time.Second || log.says("redis fails") < 2; asked++ {
		require.Equal(t, "v", get(t, n, "k"))
		require.Empty(t, get(t, n, "missing"))
		set(t, n, "new", "v")
		require.Less(t, time.Since(start), patience)
	}
	require.Greater(t, asked, 100, "the path of a request stays fast")
	require.Equal(t, uint64(2), n.Stats().Redis.ReadErrors+n.Stats().Redis.WriteErrors)
	require.Equal(t, 2, log.says("redis fails"))
	server.Thaw()
	eventually(t, func() bool { return log.says("redis works again") == 2 }, "it comes back by itself")
	require.NoError(t, c.Check(t.Context()))
	_, other, _ := replica(t, at(server.Addr), "x", cache.Options{})
	set(t, n, "after", "w")
	require.Equal(t, "w", get(t, other, "after"))
}

// A Redis that is full answers what is read and refuses what is written. Neither is a reason to stop reading.
func TestRedisThatIsFull(t *testing.T) {
	t.Parallel()
	server := redistest.Run(t, "--maxmemory-policy", "noeviction")
	if server == nil {
		return
	}
	c, n, log := replica(t, at(server.Addr), "x", cache.Options{})
	set(t, n, "before", "v")
	server.Do("CONFIG", "SET", "maxmemory", "1")
	for i := range 200 {
		set(t, n, strconv.Itoa(i), "v")
	}
	_, other, otherLog := replica(t, at(server.Addr), "x", cache.Options{})
	require.Equal(t, "v", get(t, other, "before"))
	require.Equal(t, 1, log.says("redis fails"), log.String())
	require.Contains(t, log.String(), "operation=write")
	require.Zero(t, log.says("redis works again"))
	require.Zero(t, otherLog.says("redis fails"))
	require.ErrorContains(t, c.Check(t.Context()), "OOM")
	require.True(t, c.Stats().Redis.Reads)
	require.False(t, c.Stats().Redis.Writes)
	server.Do("CONFIG", "SET", "maxmemory", "0")
	eventually(t, func() bool { return c.Check(t.Context()) == nil }, "it takes again")
	set(t, n, "after", "w")
	require.Equal(t, "w", get(t, other, "after"))
}

func TestRedisThatLosesAll(t *testing.T) {
	t.Parallel()
	server := redistest.Run(t)
	if server == nil {
		return
	}
	c, n, log := replica(t, at(server.Addr), "x", cache.Options{})
	_, other, _ := replica(t, at(server.Addr), "x", cache.Options{})
	set(t, n, "k", "v")
	server.Kill()
	require.Equal(t, "v", get(t, n, "k"))
	require.Empty(t, get(t, n, "missing"))
	require.Error(t, c.Check(t.Context()))
	require.True(t, server.Start())
	eventually(t, func() bool { return c.Check(t.Context()) == nil }, "it comes back")
	require.NotZero(t, log.says("redis works again"))
	eventually(t, func() bool { set(t, n, "new", "w"); return get(t, other, "new") == "w" }, "it is shared again")
	require.Equal(t, "v", get(t, n, "k"), "what the process has it keeps")
	require.Empty(t, get(t, other, "k"))
}

// A Redis that answers with errors to everything, as one that loads its data.
func TestRedisThatRefuses(t *testing.T) {
	t.Parallel()
	server := redistest.Run(t)
	if server == nil {
		return
	}
	c, n, log := replica(t, at(server.Addr), "x", cache.Options{})
	set(t, n, "k", "v")
	for _, command := range []string{"GET", "MGET", "SET"} {
		server.Do("ACL", "SETUSER", "default", "-"+strings.ToLower(command))
	}
	require.Empty(t, get(t, n, "missing"))
	require.Equal(t, "v", get(t, n, "k"))
	require.ErrorContains(t, c.Check(t.Context()), "NOPERM")
	server.Do("ACL", "SETUSER", "default", "+@all")
	eventually(t, func() bool { return c.Check(t.Context()) == nil }, "it may again")
	require.Equal(t, 1, log.says("redis works again"))
}

// Who has no time to wait for Redis says nothing about it.
func TestACallerInAHurry(t *testing.T) {
	t.Parallel()
	server := redistest.Run(t)
	if server == nil {
		return
	}
	c, n, log := replica(t, at(server.Addr), "x", cache.Options{})
	server.Freeze()
	for range 3 {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		start := time.Now()
		_, ok := n.Get(ctx, "k")
		require.False(t, ok)
		require.Less(t, time.Since(start), 4*time.Second, "half of the time that there is")
		cancel()
	}
	require.Zero(t, log.says("redis fails"))
	server.Thaw()
	require.NoError(t, c.Check(t.Context()))
}
