package cache_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/cache"
	"github.com/neuron7x/mlsdm-integrations/internal/cache/redistest"
)

// patience is how long something may take on a slow and busy machine.
const patience = 30 * time.Second

// space makes a name that no other test has, on a Redis that they share.
func space() string { return "t-" + strings.ToLower(rand.Text()[:20]) }

// at are settings for the Redis at addr.
func at(addr ...string) cache.Config {
	cfg := settings()
	cfg.RedisAddrs, cfg.RedisTimeout = addr, 5*time.Second
	return cfg
}

// replica makes a cache with one namespace.
func replica(tb testing.TB, cfg cache.Config, name string, o cache.Options) (*cache.Cache, *cache.Namespace, *logBuffer) {
	tb.Helper()
	log := &logBuffer{}
	c, err := cache.New(cfg, slog.New(slog.NewTextHandler(log, nil)), nil)
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, c.Close()) })
	n, err := c.Namespace(name, o)
	require.NoError(tb, err)
	return c, n, log
}

// replicas makes two caches that share a Redis and a namespace, whose name it returns too.
func replicas(t *testing.T, o cache.Options) (one, two *cache.Namespace, addr, name string) {
	t.Helper()
	addr, name = redistest.Addr(t), space()
	_, one, _ = replica(t, at(addr), name, o)
	_, two, _ = replica(t, at(addr), name, o)
	return one, two, addr, name
}

// get looks a key up; nothing is as good as an empty text.
func get(tb testing.TB, n *cache.Namespace, key string) string {
	tb.Helper()
	value, _ := n.Get(tb.Context(), key)
	return string(value)
}

// set keeps a text.
func set(tb testing.TB, n *cache.Namespace, key, value string) {
	tb.Helper()
	n.Set(tb.Context(), key, []byte(value))
}

// eventually waits until what is said is so.
func eventually(tb testing.TB, so func() bool, what string) {
	tb.Helper()
	require.Eventually(tb, so, patience, 5*time.Millisecond, what)
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

// says counts the lines that hold a text.
func (l *logBuffer) says(text string) int { return strings.Count(l.String(), text) }

// value returns a loader that counts its calls.
func value(text string, calls *counter) cache.Loader {
	return func(context.Context) ([]byte, error) {
		calls.add()
		return []byte(text), nil
	}
}

type counter struct {
	mu sync.Mutex
	n  int
}

func (c *counter) add() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n++
}

func (c *counter) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n
}

// contextEnded returns a context that has ended.
func contextEnded(t *testing.T) (context.Context, context.CancelFunc) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx, cancel
}
