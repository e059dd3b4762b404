package embedder_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/internal/cache"
	"github.com/neuron7x/mlsdm-integrations/internal/cache/redistest"
	"github.com/neuron7x/mlsdm-integrations/internal/permissions"
	"github.com/neuron7x/mlsdm-integrations/pkg/client"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/test/process"
)

// told is the cache of a replica, as `mlsdmctl cache stats --json` has it.
type told struct {
	ID    string      `json:"id"`
	Cache cache.Stats `json:"cache"`
}

// Two embedders on a closed bus share a Redis: what an administrator has cleared is gone from Redis and from both of them, and an
// application can look, but not clear.
func TestTheCacheIsCleared(t *testing.T) {
	t.Parallel()
	p := newProvider(t, 0)
	server := bustest.Start(t, bustest.Closed())
	redis := ownRedis(t)
	env := map[string]string{
		"NATS_URL": server.URL(), "NATS_NKEY": keyFile(t, server, events.ServiceEmbedder), "MLSDM_ADMIN_ADDR": "off",
		"EMBEDDER_DEFAULT_MODEL": "house/m", "HOUSE_KEY": providerKey, "EMBEDDER_CONFIG": filepath.Join(t.TempDir(), "embedder.yaml"),
		"REDIS_ADDRS": redis, "REDIS_TIMEOUT": "10s",
	}
	file := "providers:\n  house: {protocol: openai, base_url: \"" + p.URL + "\", keys: [env:HOUSE_KEY], models: [m]}\n"
	require.NoError(t, os.WriteFile(env["EMBEDDER_CONFIG"], []byte(file), 0o600))
	replicas := []*process.Process{
		process.Start(t, programs.Path(t, "embedder"), "", env), process.Start(t, programs.Path(t, "embedder"), "", env),
	}
	mlsdmctl := func(user string, args ...string) (int, *process.Process) {
		all := append([]string{"--server", server.URL(), "--nkey", keyFile(t, server, user), "cache"}, args...)
		c := process.Start(t, programs.Path(t, "mlsdmctl"), "", nil, all...)
		return c.Exit(), c
	}
	stats := func(user string) []told {
		code, c := mlsdmctl(user, "stats", "--json")
		if code != 0 { // nobody answers yet
			return nil
		}
		var all []told
		require.NoError(t, json.Unmarshal([]byte(c.Out.String()), &all))
		return all
	}

	ctx, cancel := context.WithTimeout(t.Context(), 4*patience)
	defer cancel()
	shop, err := client.New(server.User(t, permissions.Client), client.Caller(permissions.Client))
	require.NoError(t, err)
	t.Cleanup(shop.Close)
	eventually(t, "both are there", func() bool { return len(stats(permissions.Admin)) == len(replicas) })
	ask := func() {
		_, err := shop.Embed(ctx, events.EmbeddingsRequest{Input: events.TextInput{"text-1", "text-2", "text-3"}})
		require.NoError(t, err)
	}
	// each reports whether every replica has as many entries in its process, and Redis is in use.
	each := func(entries int) bool {
		all := stats(permissions.Client)
		for _, r := range all {
			require.True(t, r.Cache.Redis.Reads && r.Cache.Redis.Writes, r.Cache.Redis.Error)
			require.Equal(t, "emb", r.Cache.Namespaces[0].Name)
			if r.Cache.Namespaces[0].Memory.Entries != entries {
				return false
			}
		}
		return len(all) == len(replicas)
	}
	paid := func() []int {
		p.mu.Lock()
		defer p.mu.Unlock()
		return []int{p.asked["text-1"], p.asked["text-2"], p.asked["text-3"]}
	}
	eventually(t, "both have the vectors", func() bool {
		ask()
		return each(3)
	})
	require.Equal(t, []int{1, 1, 1}, paid(), "one has made them, the other has found them in Redis")

	code, c := mlsdmctl(permissions.Client, "clear", "emb", "--yes", "--timeout", "5s")
	require.Equal(t, 1, code, c.Out)
	require.Contains(t, c.Errs.String(), "mlsdm.cache.clear.embedder.emb")
	ask()
	require.Equal(t, []int{1, 1, 1}, paid(), "an application clears nothing")
	eventually(t, "both still have them", func() bool { return each(3) })

	code, c = mlsdmctl(permissions.Admin, "clear", "emb", "--yes")
	require.Zero(t, code, c.Errs)
	require.Equal(t, "emb of embedder is empty; it had 3 entries\n", c.Out.String(), "in Redis")
	eventually(t, "both are empty", func() bool { return each(0) })
	require.Empty(t, redistest.Client(t, redis).Keys(ctx, "mlsdm:emb:*").Val())
	ask()
	require.Equal(t, []int{2, 2, 2}, paid(), "they are made anew")
	for _, r := range replicas {
		require.NotRegexp(t, "(?i)permissions violation", r.Errs.String())
	}
}

// ownRedis returns the address of a Redis that nobody else writes to.
func ownRedis(t *testing.T) string {
	t.Helper()
	if s := redistest.Run(t); s != nil {
		return s.Addr
	}
	return miniredis.RunT(t).Addr()
}

// keyFile writes the key file of a user of a closed bus, as `mlsdmctl init` does.
func keyFile(t *testing.T, s *bustest.Server, user string) string {
	t.Helper()
	key := s.Key(t, user)
	text := "# user: " + user + "\n"
	if !key.API.IsZero() {
		text += "# api: " + key.API.Reveal() + "\n"
	}
	file := filepath.Join(t.TempDir(), user+".nk")
	require.NoError(t, os.WriteFile(file, []byte(text+key.Seed.Reveal()+"\n"), 0o600))
	return file
}
