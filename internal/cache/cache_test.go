package cache_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"log/slog"
	"math"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/cache"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
)

const password = "canary-redis-password"

// shared starts a Redis and returns a cache in front of it.
func shared(t *testing.T) (*miniredis.Miniredis, *cache.Tiered, *logBuffer) {
	t.Helper()
	redis := miniredis.RunT(t)
	redis.RequireAuth(password)
	log := &logBuffer{}
	return redis, attach(t, redis.Addr(), log), log
}

// attach returns a cache in front of the Redis at addr.
func attach(t *testing.T, addr string, log *logBuffer) *cache.Tiered {
	t.Helper()
	host, port, err := net.SplitHostPort(addr)
	require.NoError(t, err)
	number, err := strconv.Atoi(port)
	require.NoError(t, err)
	c, err := cache.New(cache.Config{
		MemoryMB: 1, TTL: time.Hour, RedisHost: host, RedisPort: number, RedisPassword: secret.NewValue(password),
	}, slog.New(slog.NewTextHandler(log, nil)), prometheus.NewRegistry())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c
}

// logBuffer is a log that can be read while it is written.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// get looks one key up.
func get(t *testing.T, s cache.Store, key string) string {
	t.Helper()
	found, err := s.GetMulti(t.Context(), []string{key})
	require.NoError(t, err)
	return string(found[key])
}

// set keeps one value for an hour.
func set(t *testing.T, s cache.Store, key, value string) {
	t.Helper()
	require.NoError(t, s.SetMulti(t.Context(), map[string][]byte{key: []byte(value)}, time.Hour))
}

func TestConfig(t *testing.T) {
	t.Parallel()
	for name, bad := range map[string]cache.Config{
		"memory": {MemoryMB: -1}, "ttl": {MemoryMB: 1}, "port": {MemoryMB: 1, TTL: time.Hour, RedisHost: "h", RedisPort: 70000},
		"redis without memory": {RedisHost: "h", RedisPort: 1},
	} {
		_, err := cache.New(bad, nil, nil)
		require.Error(t, err, name)
	}
	off, err := cache.New(cache.Config{}, nil, nil)
	require.NoError(t, err)
	require.Nil(t, off)
	set(t, off, "k", "v")
	require.Empty(t, get(t, off, "k"))
	require.NoError(t, off.Check(t.Context()))
	require.NoError(t, off.Close())
}

func TestMemoryIsBoundedByBytes(t *testing.T) {
	t.Parallel()
	m, err := cache.NewMemory(1 << 20)
	require.NoError(t, err)
	t.Cleanup(m.Close)
	value := strings.Repeat("x", 10_000)
	for i := range 1000 { // ten times what fits
		set(t, m, "key "+strconv.Itoa(i), value)
	}
	require.Eventually(t, func() bool { return m.Bytes() <= 1<<20 }, 30*time.Second, time.Millisecond)
	require.NotZero(t, m.Bytes())
	set(t, m, "huge", strings.Repeat("x", 2<<20))
	require.Eventually(t, func() bool { return get(t, m, "huge") == "" }, 30*time.Second, time.Millisecond)
}

func TestMemoryForgets(t *testing.T) {
	t.Parallel()
	m, err := cache.NewMemory(1 << 20)
	require.NoError(t, err)
	t.Cleanup(m.Close)
	require.NoError(t, m.SetMulti(t.Context(), map[string][]byte{"short": []byte("v")}, 20*time.Millisecond))
	require.NoError(t, m.SetMulti(t.Context(), map[string][]byte{"never": []byte("v")}, 0))
	require.Empty(t, get(t, m, "never"))
	require.Eventually(t, func() bool { return get(t, m, "short") == "" }, 30*time.Second, time.Millisecond)
}

func TestReplicasShareRedis(t *testing.T) {
	t.Parallel()
	redis, one, _ := shared(t)
	two := attach(t, redis.Addr(), &logBuffer{})
	entries := make(map[string][]byte)
	keys := make([]string, 0, 700)
	for i := range 700 { // more than one batch
		key := "k" + strconv.Itoa(i)
		keys = append(keys, key)
		entries[key] = []byte(strconv.Itoa(i))
	}
	require.NoError(t, one.SetMulti(t.Context(), entries, time.Hour))
	found, err := two.GetMulti(t.Context(), append(keys, "missing"))
	require.NoError(t, err)
	require.Equal(t, entries, found)
	for _, key := range keys {
		require.InDelta(t, 51*time.Minute, redis.TTL(key), float64(3*time.Minute+time.Second), "room for a copy in the process")
	}
	redis.FlushAll()
	require.Equal(t, "5", get(t, two, "k5"), "what was found is kept near")
	require.NoError(t, two.Check(t.Context()))
}

// TestCopiesDoNotOutliveTheirLifetime: what Redis holds for at most nine tenths of the lifetime is kept near for the last one.
func TestCopiesDoNotOutliveTheirLifetime(t *testing.T) {
	t.Parallel()
	const ttl = 5 * time.Second
	redis := miniredis.RunT(t)
	replica := func() *cache.Tiered {
		port, err := strconv.Atoi(redis.Port())
		require.NoError(t, err)
		c, err := cache.New(cache.Config{MemoryMB: 1, TTL: ttl, RedisHost: redis.Host(), RedisPort: port}, nil, nil)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, c.Close()) })
		return c
	}
	one, two := replica(), replica()
	require.NoError(t, one.SetMulti(t.Context(), map[string][]byte{"k": []byte("v")}, ttl))
	require.LessOrEqual(t, redis.TTL("k"), ttl*9/10)
	require.Equal(t, "v", get(t, two, "k"))
	redis.FlushAll()
	require.Eventually(t, func() bool { return get(t, two, "k") == "" }, ttl*8/10, 10*time.Millisecond)
}

// TestRepeatedKeys: a key that is asked for twice and is near is no question to Redis, and no answer of it.
func TestRepeatedKeys(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := &logBuffer{}
		c, err := cache.New(cache.Config{MemoryMB: 1, TTL: time.Hour, RedisHost: "127.0.0.1", RedisPort: 1}, slog.New(slog.NewTextHandler(log, nil)), nil)
		require.NoError(t, err)
		defer func() { require.NoError(t, c.Close()) }()
		set(t, c, "near", "v")
		require.Contains(t, log.String(), "redis fails")
		<-time.After(time.Minute) // the pause after the failure is over
		found, err := c.GetMulti(t.Context(), []string{"near", "near"})
		require.NoError(t, err)
		require.Len(t, found, 1)
		require.NotContains(t, log.String(), "works again")
	})
}

func TestRedisThatFails(t *testing.T) {
	t.Parallel()
	redis, c, log := shared(t)
	set(t, c, "near", "v")
	redis.SetError("LOADING Redis is loading the dataset in memory")
	require.Equal(t, "v", get(t, c, "near"), "what is near does not need Redis")
	require.Empty(t, get(t, c, "far"))
	set(t, c, "more", "w")
	require.Equal(t, "w", get(t, c, "more"))
	err := c.Check(t.Context())
	require.ErrorContains(t, err, "LOADING")
	require.ErrorContains(t, err, "not shared")
	require.Equal(t, 1, strings.Count(log.String(), "redis fails"), "said once")

	redis.SetError("")
	require.NoError(t, c.Check(t.Context()))
	require.Contains(t, log.String(), "redis works again")
	set(t, c, "again", "x")
	require.Equal(t, "x", get(t, attach(t, redis.Addr(), log), "again"))
	require.NotContains(t, log.String(), password)
}

func TestRedisThatIsNotThere(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // a test's own port
	require.NoError(t, err)
	addr := listener.Addr().String()
	require.NoError(t, listener.Close())
	log := &logBuffer{}
	c := attach(t, addr, log)
	for i := range 50 { // the breaker lets the first one through
		set(t, c, strconv.Itoa(i), "v")
		require.Equal(t, "v", get(t, c, strconv.Itoa(i)))
	}
	err = c.Check(t.Context())
	require.Error(t, err)
	require.NotContains(t, err.Error(), password)
}

func TestRedisThatHangs(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // a test's own port
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	c := attach(t, listener.Addr().String(), &logBuffer{})
	start := time.Now()
	for range 20 {
		require.Empty(t, get(t, c, "k"))
	}
	require.Less(t, time.Since(start), 5*time.Second, "one request waits, the others do not")
}

func TestWrongPassword(t *testing.T) {
	t.Parallel()
	redis, _, _ := shared(t)
	redis.RequireAuth("another")
	c := attach(t, redis.Addr(), &logBuffer{})
	set(t, c, "k", "v")
	require.Equal(t, "v", get(t, c, "k"))
	err := c.Check(t.Context())
	require.ErrorContains(t, err, "WRONGPASS")
	require.NotContains(t, err.Error(), password)
}

func TestEndedCallerIsNotAFailureOfRedis(t *testing.T) {
	t.Parallel()
	redis, c, log := shared(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	found, err := c.GetMulti(ctx, []string{"k"})
	require.NoError(t, err)
	require.Empty(t, found)
	require.NoError(t, c.SetMulti(ctx, map[string][]byte{"k": []byte("v")}, time.Hour))
	require.NotContains(t, log.String(), "redis fails")
	require.True(t, redis.Exists("k"), "what is paid for is kept")
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	c, err := cache.New(cache.Config{MemoryMB: 1, TTL: time.Hour}, nil, reg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	set(t, c, "k", "v")
	get(t, c, "k")
	get(t, c, "other")
	require.NoError(t, testutil.GatherAndCompare(reg, strings.NewReader(`
# HELP mlsdm_cache_lookups_total Keys looked up, by where they were found: memory, redis, none.
# TYPE mlsdm_cache_lookups_total counter
mlsdm_cache_lookups_total{tier="memory"} 1
mlsdm_cache_lookups_total{tier="none"} 1
`), "mlsdm_cache_lookups_total"))
}

func TestVectors(t *testing.T) {
	t.Parallel()
	for _, v := range [][]float32{{1}, {0, -0.5, 3e-38, math.MaxFloat32}, make([]float32, 3072)} {
		got, err := cache.DecodeVector(cache.EncodeVector(v))
		require.NoError(t, err)
		require.Equal(t, v, got)
	}
	good := cache.EncodeVector([]float32{1, 2, 3})
	require.Equal(t, "4d4c53560100000003000000", hex.EncodeToString(good[:12]), "the form is shared with other versions: it does not change")
	for i := range good {
		bad := bytes.Clone(good)
		bad[i] ^= 0x40
		_, err := cache.DecodeVector(bad)
		require.ErrorIs(t, err, cache.ErrCorrupt, "byte %d", i)
	}
	for _, bad := range [][]byte{nil, good[:15], good[:20], append(bytes.Clone(good), 0), cache.EncodeVector(nil), cache.EncodeVector([]float32{float32(math.NaN())})} {
		_, err := cache.DecodeVector(bad)
		require.ErrorIs(t, err, cache.ErrCorrupt)
	}
}

func FuzzDecodeVector(f *testing.F) {
	f.Add(cache.EncodeVector([]float32{1, 2}))
	f.Add([]byte("MLSV"))
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := cache.DecodeVector(b)
		if err == nil {
			require.Equal(t, b, cache.EncodeVector(v))
		}
	})
}

func TestVectorKeys(t *testing.T) {
	t.Parallel()
	base := cache.VectorKey{Caller: "alice", Model: "openai/m", Source: "https://api", Dimensions: 0, Text: "my secret"}
	require.NotContains(t, base.String(), "secret")
	require.True(t, strings.HasPrefix(base.String(), "mlsdm:emb:v1:alice:openai/m:0:"), base.String())
	seen := map[string]bool{base.String(): true}
	for _, change := range []func(*cache.VectorKey){
		func(k *cache.VectorKey) { k.Caller = "bob" }, func(k *cache.VectorKey) { k.Model = "openai/n" },
		func(k *cache.VectorKey) { k.Source = "https://other" }, func(k *cache.VectorKey) { k.Dimensions = 256 },
		func(k *cache.VectorKey) { k.Text = "My secret" }, func(k *cache.VectorKey) { k.Text = "my secret " },
		func(k *cache.VectorKey) { k.Caller, k.Model = "alice:openai/m", "" },
		func(k *cache.VectorKey) { k.Caller, k.Model = "alic", "eopenai/m" },
	} {
		k := base
		change(&k)
		require.False(t, seen[k.String()], k)
		seen[k.String()] = true
	}
}
