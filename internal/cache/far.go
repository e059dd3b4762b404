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
	cluster  *redis.ClusterClient // the same one; nil when Redis is no Cluster
	kind     string
	addrs    string // for people
	timeout  time.Duration
	password secret.Value
	reads    *breakers
	writes   *breakers
}

func newFar(cfg Config, log *slog.Logger) (*far, error) {
	client, err := newClient(cfg)
	if err != nil {
		return nil, err
	}
	f := &far{
		client: client, kind: cfg.kind(), addrs: strings.Join(cfg.addrs(), ","), timeout: cfg.timeout(), password: cfg.RedisPassword,
	}
	f.cluster, _ = client.(*redis.ClusterClient)
	f.reads = newBreakers("read", f.probe(func(ctx context.Context, key string) error {
		if err := f.client.Get(ctx, key).Err(); !errors.Is(err, redis.Nil) {
			return err
		}
		return nil
	}), log)
	f.writes = newBreakers("write", f.probe(func(ctx context.Context, key string) error {
		return f.client.Set(ctx, key, probeValue(), time.Minute).Err()
	}), log)
	return f, nil
}

// probeValue is as large as what is written otherwise: a Redis that is nearly full takes a small one.
func probeValue() string { return strings.Repeat("x", 8<<10) }

// probe returns what makes a probe, of a node if one is named, within its time. When Redis refuses the password, it asks for a newer one
// first. What is probed in a Cluster besides its nodes is whether it says what they have.
func (f *far) probe(visit func(ctx context.Context, key string) error) func(ctx context.Context, node string) error {
	once := func(ctx context.Context, node string) error {
		return f.named(at(node, f.bounded(ctx, func(ctx context.Context) error {
			key, err := f.probed(ctx, node)
			if err != nil || f.cluster != nil && node == "" {
				return err
			}
			return visit(ctx, key)
		})))
	}
	return func(ctx context.Context, node string) error {
		used := f.password.Reveal()
		err := once(ctx, node)
		if !refused(err) || !f.password.IsLive() {
			return err
		}
		ctx, cancel := context.WithTimeout(ctx, maxTimeout)
		defer cancel()
		if _, changed := f.password.Renew(ctx, used); !changed {
			return err
		}
		return once(ctx, node)
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
func (f *far) visit(ctx context.Context, b *breakers, do func(context.Context) error) (visited bool, err error) {
	if !b.allow("") {
		return false, nil
	}
	timeout := f.timeout
	if until, ok := ctx.Deadline(); ok {
		timeout = min(timeout, time.Until(until)/2)
	}
	bounded, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	start := time.Now()
	err = do(bounded)
	hurried := timeout < f.timeout/4 && time.Since(start) > timeout*9/10
	if err == nil || ctx.Err() != nil || hurried {
		return true, nil
	}
	failed, ok := errors.AsType[nodesError](err)
	if !ok {
		failed = nodesError{"": err}
	}
	for node, err := range failed {
		b.fail(ctx, node, f.named(at(node, err)))
	}
	return true, f.named(err)
}

// visitKey makes one visit to where a key is, if its breaker lets it.
func (f *far) visitKey(ctx context.Context, b *breakers, key string, do func(context.Context) error) (visited bool, err error) {
	allowed := true
	visited, err = f.visit(ctx, b, func(ctx context.Context) error {
		node, err := f.master(ctx, key)
		if err != nil {
			return err
		}
		if allowed = b.allow(node); !allowed {
			return nil
		}
		if err = do(ctx); err != nil && node != "" {
			return nodesError{node: err}
		}
		return err
	})
	return visited && allowed, err
}

// get reads values: found is called with the place of each key that is there and what is kept under it, which must not be changed.
func (f *far) get(ctx context.Context, keys []string, found func(i int, value []byte)) error {
	for start := 0; start < len(keys); start += batch {
		part := keys[start:min(start+batch, len(keys))]
		var err error
		switch {
		case f.kind == kindCluster:
			err = f.pipelined(ctx, part, func(i int, value []byte) { found(start+i, value) })
		case len(part) == 1:
			err = f.getOne(ctx, part[0], func(value []byte) { found(start, value) })
		default:
			err = f.mget(ctx, part, func(i int, value []byte) { found(start+i, value) })
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// getOne reads one value, with less ado than there is about several.
func (f *far) getOne(ctx context.Context, key string, found func([]byte)) error {
	value, err := f.client.Get(ctx, key).Bytes()
	switch {
	case err == nil:
		found(value)
	case !notThere(err):
		return err
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

// pipelined is for a cluster, where keys live in different places. What some nodes have is found though others fail.
func (f *far) pipelined(ctx context.Context, keys []string, found func(int, []byte)) error {
	answers := make([]*redis.StringCmd, len(keys))
	err := f.everywhere(ctx, f.reads, keys, func(p redis.Pipeliner, i int) {
		answers[i] = p.Get(ctx, keys[i])
	})
	for i, answer := range answers {
		if answer == nil {
			continue
		}
		if value, failed := answer.Bytes(); failed == nil {
			found(i, value)
		}
	}
	return err
}

// notThere reports whether an error says only that a key holds nothing, or nothing that was ever set here.
func notThere(err error) bool {
	return errors.Is(err, redis.Nil) || err != nil && strings.HasPrefix(err.Error(), "WRONGTYPE")
}

// set writes values, each for its own time, and returns how many bytes Redis has taken.
func (f *far) set(ctx context.Context, keys []string, values [][]byte, lasts []time.Duration) (size int, err error) {
	for start := 0; start < len(keys) && err == nil; start += batch {
		part := keys[start:min(start+batch, len(keys))]
		answers := make([]*redis.StatusCmd, len(part))
		err = f.everywhere(ctx, f.writes, part, func(p redis.Pipeliner, i int) {
			answers[i] = p.Set(ctx, part[i], values[start+i], max(lasts[start+i], time.Millisecond))
		})
		for i, answer := range answers {
			if answer != nil && answer.Err() == nil {
				size += len(values[start+i])
			}
		}
	}
	return size, err
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
