package cache

import (
	"context"
	"errors"
)

// Delete forgets keys, here, in Redis and at the other replicas. An error says what could not be reached: there, values may live on
// until their time is over.
func (n *Namespace) Delete(ctx context.Context, keys ...string) error {
	if n == nil || len(keys) == 0 {
		return nil
	}
	n.forget(keys)
	var err error
	if far := n.cache.far; far != nil {
		if err = far.named(far.remove(ctx, n.full(keys))); err != nil {
			n.counters.writeErrors.Add(1)
		}
		n.forget(keys) // what was read from there meanwhile
	}
	return errors.Join(err, n.tell(ctx, invalidation{Keys: keys}))
}

// DeletePrefix forgets all keys that begin so, here, in Redis and at the other replicas, and returns how many they were in Redis, or in
// the process when there is no Redis. It walks through all of Redis, and is not for the path of a request.
func (n *Namespace) DeletePrefix(ctx context.Context, prefix string) (int, error) {
	if n == nil {
		return 0, nil
	}
	total := n.forgetPrefix(prefix)
	var err error
	if far := n.cache.far; far != nil {
		if total, err = far.removePrefix(ctx, n.prefix+prefix); err != nil {
			n.counters.writeErrors.Add(1)
		}
		n.forgetPrefix(prefix) // what was read from there meanwhile
	}
	return total, errors.Join(err, n.tell(ctx, invalidation{Prefix: &prefix}))
}

// forget removes keys from the process.
func (n *Namespace) forget(keys []string) {
	n.generation.Add(1)
	for _, key := range keys {
		n.near.remove(key)
	}
}

// forgetPrefix removes what begins so from the process.
func (n *Namespace) forgetPrefix(prefix string) int {
	n.generation.Add(1)
	return n.near.removePrefix(prefix)
}
