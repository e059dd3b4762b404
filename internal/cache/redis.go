package cache

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
)

// batch is how many commands go to Redis in one piece.
const batch = 256

// Redis is a [Store] that replicas share. It does not retry: whoever uses it has something better to do than to wait.
type Redis struct {
	client *redis.Client
	addr   string
}

// NewRedis returns a store on the Redis at addr (host:port). It connects when it is first used.
func NewRedis(addr string, password secret.Value) *Redis {
	return &Redis{addr: addr, client: redis.NewClient(&redis.Options{
		Addr: addr, CredentialsProvider: func() (user, current string) { return "", password.Reveal() },
		MaxRetries: -1, DialerRetries: 1,
		DialTimeout: time.Second, ReadTimeout: time.Second, WriteTimeout: time.Second,
		ContextTimeoutEnabled: true,
		// A plain Redis knows nothing of these, and answers the client's question with an error at every connect.
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})}
}

// GetMulti implements [Store].
func (r *Redis) GetMulti(ctx context.Context, keys []string) (map[string][]byte, error) {
	found := make(map[string][]byte, len(keys))
	for part := range slices.Chunk(keys, batch) {
		// A pipeline and not MGET: in a cluster the keys live in different places.
		answers := make([]*redis.StringCmd, len(part))
		_, err := r.client.Pipelined(ctx, func(p redis.Pipeliner) error {
			for i, key := range part {
				answers[i] = p.Get(ctx, key)
			}
			return nil
		})
		if err != nil && !errors.Is(err, redis.Nil) {
			return found, fmt.Errorf("redis at %s: %w", r.addr, err)
		}
		for i, answer := range answers {
			value, err := answer.Bytes()
			switch {
			case err == nil:
				found[part[i]] = value
			case !errors.Is(err, redis.Nil):
				return found, fmt.Errorf("redis at %s: %w", r.addr, err)
			}
		}
	}
	return found, nil
}

// SetMulti implements [Store]. Lifetimes vary by a tenth, so that what came together does not expire together, and leave
// a tenth for the copies that [Tiered] makes in the process.
func (r *Redis) SetMulti(ctx context.Context, entries map[string][]byte, ttl time.Duration) error {
	if ttl <= 0 {
		return nil
	}
	for part := range slices.Chunk(slices.Collect(maps.Keys(entries)), batch) {
		_, err := r.client.Pipelined(ctx, func(p redis.Pipeliner) error {
			for _, key := range part {
				spread := time.Duration((0.8 + 0.1*rand.Float64()) * float64(ttl)) //nolint:gosec // no secret
				p.Set(ctx, key, entries[key], max(spread, time.Millisecond))
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("redis at %s: %w", r.addr, err)
		}
	}
	return nil
}

// Ping asks Redis whether it is there.
func (r *Redis) Ping(ctx context.Context) error {
	if err := r.client.Ping(ctx).Err(); err != nil {
		return fmt.Errorf("redis at %s: %w", r.addr, err)
	}
	return nil
}

// Close closes the connections.
func (r *Redis) Close() error { return r.client.Close() }
