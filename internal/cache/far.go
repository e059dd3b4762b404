package cache

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
)

// batch is how many keys go to Redis in one piece.
const batch = 256

// probeKey is what probes read and write.
const probeKey = "mlsdm:probe"

// far is the second level: a Redis that replicas share.
type far struct {
	client   redis.UniversalClient
	kind     string
	addrs    string // for people
	timeout  time.Duration
	password secret.Value
	reads    *breaker
	writes   *breaker
}

func newFar(cfg Config, log *slog.Logger) (*far, error) {
	client, err := newClient(cfg)
	if err != nil {
		return nil, err
	}
	f := &far{
		client: client, kind: cfg.kind(), addrs: strings.Join(cfg.addrs(), ","), timeout: cfg.timeout(), password: cfg.RedisPassword,
	}
	f.reads = newBreaker("read", f.probe(func(ctx context.Context) error {
		if err := f.client.Get(ctx, probeKey).Err(); !errors.Is(err, redis.Nil) {
			return err
		}
		return nil
	}), log)
	f.writes = newBreaker("write", f.probe(func(ctx context.Context) error {
		return f.client.Set(ctx, probeKey, probeValue(), time.Minute).Err()
	}), log)
	return f, nil
}

// probeValue is as large as what is written otherwise: a Redis that is nearly full takes a small one.
func probeValue() string { return strings.Repeat("x", 8<<10) }

// probe bounds a probe. When Redis refuses the password, it asks for a newer one first.
func (f *far) probe(visit func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		used := f.password.Reveal()
		err := f.bounded(ctx, visit)
		if !refused(err) || !f.password.IsLive() {
			return f.named(err)
		}
		ctx, cancel := context.WithTimeout(ctx, maxTimeout)
		defer cancel()
		if _, changed := f.password.Renew(ctx, used); !changed {
			return f.named(err)
		}
		return f.named(f.bounded(ctx, visit))
	}
}

func (f *far) bounded(ctx context.Context, visit func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	return visit(ctx)
}

// named says in an error which Redis it is of.
func (f *far) named(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("redis at %s: %w", f.addrs, err)
}

// visit makes one visit if the breaker lets it, and takes note of how it went. Redis gets at most half of the time that the caller has:
// without the cache, there is work to do. That the caller has left, or is in too much of a hurry, is not Redis's failure.
func (f *far) visit(ctx context.Context, b *breaker, do func(context.Context) error) (visited bool, err error) {
	if !b.allow() {
		return false, nil
	}
	timeout := f.timeout
	if until, ok := ctx.Deadline(); ok {
		timeout = min(timeout, time.Until(until)/2)
	}
	bounded, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	start := time.Now()
	err = f.named(do(bounded))
	hurried := timeout < f.timeout/4 && time.Since(start) > timeout*9/10
	if err == nil || ctx.Err() != nil || hurried {
		return true, nil
	}
	b.fail(ctx, err)
	return true, err
}

// get reads values: found is called with the place of each key that is there and what is kept under it, which must not be changed.
func (f *far) get(ctx context.Context, keys []string, found func(i int, value []byte)) error {
	for start := 0; start < len(keys); start += batch {
		part := keys[start:min(start+batch, len(keys))]
		var err error
		if f.kind == kindCluster || len(part) == 1 {
			err = f.pipelined(ctx, part, func(i int, value []byte) { found(start+i, value) })
		} else {
			err = f.mget(ctx, part, func(i int, value []byte) { found(start+i, value) })
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (f *far) mget(ctx context.Context, keys []string, found func(int, []byte)) error {
	values, err := f.client.MGet(ctx, keys...).Result()
	if err != nil {
		return err
	}
	if len(values) != len(keys) {
		return fmt.Errorf("%d values for %d keys", len(values), len(keys))
	}
	for i, value := range values {
		if text, ok := value.(string); ok {
			found(i, bytesOf(text))
		}
	}
	return nil
}

// pipelined is for a cluster, where keys live in different places: each node is asked for its own at the same time. What some
// nodes have is found though others fail.
func (f *far) pipelined(ctx context.Context, keys []string, found func(int, []byte)) error {
	answers := make([]*redis.StringCmd, len(keys))
	_, err := f.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, key := range keys {
			answers[i] = p.Get(ctx, key)
		}
		return nil
	})
	if notThere(err) { // it is that of the first command that has one
		err = nil
	}
	for i, answer := range answers {
		value, failed := answer.Bytes()
		switch {
		case failed == nil:
			found(i, value)
		case !notThere(failed) && err == nil:
			err = failed
		}
	}
	return err
}

// notThere reports whether an error says only that a key holds nothing, or nothing that was ever set here.
func notThere(err error) bool {
	return errors.Is(err, redis.Nil) || err != nil && strings.HasPrefix(err.Error(), "WRONGTYPE")
}

// set writes values, each for its own time.
func (f *far) set(ctx context.Context, keys []string, values [][]byte, lasts []time.Duration) error {
	for start := 0; start < len(keys); start += batch {
		end := min(start+batch, len(keys))
		_, err := f.client.Pipelined(ctx, func(p redis.Pipeliner) error {
			for i := start; i < end; i++ {
				p.Set(ctx, keys[i], values[i], max(lasts[i], time.Millisecond))
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// remove deletes keys, wherever they live.
func (f *far) remove(ctx context.Context, keys []string) error {
	for part := range slices.Chunk(keys, batch) {
		err := f.bounded(ctx, func(ctx context.Context) error {
			if f.kind != kindCluster {
				return f.client.Unlink(ctx, part...).Err()
			}
			_, err := f.client.Pipelined(ctx, func(p redis.Pipeliner) error {
				for _, key := range part {
					p.Unlink(ctx, key)
				}
				return nil
			})
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// close ends the probes and the connections.
func (f *far) close() error {
	f.reads.close()
	f.writes.close()
	if err := f.client.Close(); err != nil {
		return fmt.Errorf("closing redis: %w", err)
	}
	return nil
}
