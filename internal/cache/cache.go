// Package cache keeps what was expensive to compute: a bounded store in the process, in front of a Redis that all
// replicas share.
//
// A cache may forget, it must never fail a request: when Redis is down, slow or full of nonsense, the process works with
// its own store alone and says so in its health. Keys never hold text that a user wrote, only its hash.
package cache

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
)

// Store keeps values for a time. Implementations are safe for concurrent use.
type Store interface {
	// GetMulti returns the values that are there; a key that is not there is not in the map. The values are the store's:
	// they must not be changed. With an error, the map holds what could be found all the same.
	GetMulti(ctx context.Context, keys []string) (map[string][]byte, error)
	// SetMulti keeps values for at most ttl. The store takes the values over: they must not be changed any more.
	SetMulti(ctx context.Context, entries map[string][]byte, ttl time.Duration) error
}

// Config is what operators set.
type Config struct {
	MemoryMB      int           `name:"cache-memory-mb" env:"CACHE_MEMORY_MB" default:"64" placeholder:"MB" help:"Memory for the in-process cache, in MiB; 0 switches caching off."`
	TTL           time.Duration `name:"cache-ttl" env:"CACHE_TTL" default:"24h" placeholder:"DURATION" help:"How long a cached result may be used."`
	RedisHost     string        `name:"redis-host" env:"REDIS_HOST" placeholder:"HOST" help:"Redis that the replicas share as a cache. Empty: each process has its own cache only."`
	RedisPort     int           `name:"redis-port" env:"REDIS_PORT" default:"6379" placeholder:"PORT" help:"Port of Redis."`
	RedisPassword secret.Value  `name:"redis-password" env:"REDIS_PASSWORD" placeholder:"PASSWORD" help:"Password of Redis."`
}

// Validate checks the settings.
func (c Config) Validate() error {
	switch {
	case c.MemoryMB < 0 || c.MemoryMB > 1<<20:
		return fmt.Errorf("cache-memory-mb is %d; it must be 0 to %d", c.MemoryMB, 1<<20)
	case c.MemoryMB > 0 && c.TTL < time.Second:
		return fmt.Errorf("cache-ttl is %s; it must be at least 1s", c.TTL)
	case c.RedisHost != "" && (c.RedisPort < 1 || c.RedisPort > 65535):
		return fmt.Errorf("redis-port is %d; it must be 1 to 65535", c.RedisPort)
	case c.RedisHost != "" && c.MemoryMB == 0:
		return errors.New("redis-host is set but cache-memory-mb 0 switches caching off; leave one of them out")
	}
	return nil
}

// New makes the cache that cfg describes; nil when it describes none. Nothing is connected yet: a Redis that is not there
// makes the cache degraded, not absent. The metrics are registered with reg unless it is nil.
func New(cfg Config, log *slog.Logger, reg prometheus.Registerer) (*Tiered, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.MemoryMB == 0 {
		return nil, nil //nolint:nilnil // no cache is a choice, not an error; a nil *Tiered is an empty cache
	}
	near, err := NewMemory(int64(cfg.MemoryMB) << 20)
	if err != nil {
		return nil, err
	}
	var far *Redis
	if cfg.RedisHost != "" {
		far = NewRedis(net.JoinHostPort(cfg.RedisHost, strconv.Itoa(cfg.RedisPort)), cfg.RedisPassword)
	}
	return newTiered(near, far, cfg.TTL, log, reg)
}
