package cache

import (
	"context"
	"errors"

	"github.com/redis/go-redis/v9"
)

// lock is the right to make a value while other replicas wait for it.
type lock struct {
	mine  bool
	key   string // in Redis; empty when there is no Redis to hold the lock
	token string
}

// lock tries to take the lock of a key. Without a Redis that works, everybody has it. It ends by itself after LoadTimeout.
func (n *Namespace) lock(ctx context.Context, key string) lock {
	far := n.cache.far
	if far == nil {
		return lock{mine: true}
	}
	l := lock{key: "mlsdm:lock:" + n.name + ":" + key, token: newToken()}
	visited, err := far.visitKey(ctx, far.writes, l.key, func(ctx context.Context) error {
		err := far.client.SetArgs(ctx, l.key, l.token, redis.SetArgs{Mode: "NX", TTL: n.options.LoadTimeout}).Err()
		l.mine = err == nil
		if errors.Is(err, redis.Nil) {
			return nil
		}
		return err
	})
	if err != nil {
		n.counters.writeErrors.Add(1)
	}
	if !visited || err != nil {
		return lock{mine: true}
	}
	return l
}

// unlock gives a lock back, unless somebody else has it by now. A user of Redis who may not run scripts leaves it to end by itself.
func (n *Namespace) unlock(ctx context.Context, l lock) {
	const script = `if redis.call("GET", KEYS[1]) == ARGV[1] then return redis.call("UNLINK", KEYS[1]) end return 0`
	if !l.mine || l.key == "" {
		return
	}
	far := n.cache.far
	if !far.writes.allow("") {
		return
	}
	err := far.bounded(context.WithoutCancel(ctx), func(ctx context.Context) error {
		if node, err := far.master(ctx, l.key); err != nil || !far.writes.allow(node) {
			return err
		}
		return far.client.Eval(ctx, script, []string{l.key}, l.token).Err()
	})
	if err != nil {
		n.counters.writeErrors.Add(1)
	}
}
