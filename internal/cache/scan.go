package cache

import (
	"context"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"
)

// removePrefix deletes all keys that begin so, on all nodes, and returns how many were deleted. It walks through Redis in steps (SCAN),
// so that others are served meanwhile; it is not for the path of a request.
func (f *far) removePrefix(ctx context.Context, prefix string) (int, error) {
	cluster, ok := f.client.(*redis.ClusterClient)
	if !ok {
		n, err := f.scan(ctx, f.client, prefix)
		return n, f.named(err)
	}
	var mu sync.Mutex
	total := 0
	err := cluster.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) error {
		n, err := f.scan(ctx, node, prefix)
		mu.Lock()
		defer mu.Unlock()
		total += n
		return err
	})
	return total, f.named(err)
}

// scan deletes the keys of one node.
func (f *far) scan(ctx context.Context, node redis.Cmdable, prefix string) (int, error) {
	const step = 1000
	total, cursor := 0, uint64(0)
	for {
		var keys []string
		err := f.bounded(ctx, func(ctx context.Context) (err error) {
			keys, cursor, err = node.Scan(ctx, cursor, escape(prefix)+"*", step).Result()
			return err
		})
		if err != nil {
			return total, err
		}
		if len(keys) > 0 {
			if err := f.remove(ctx, keys); err != nil {
				return total, err
			}
			total += len(keys)
		}
		if cursor == 0 {
			return total, nil
		}
	}
}

// escape writes text as a pattern that matches only itself.
func escape(text string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `]`, `\]`, `^`, `\^`).Replace(text)
}
