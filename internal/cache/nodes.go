package cache

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// errGone says that a node of a Cluster holds nothing any more: another one has taken its place, or it has another address.
var errGone = errors.New("redis has no such node any more")

// breakers keep one kind of visits away from what fails them: from all of Redis, and, in a Cluster, from each master that fails, so that
// what the others hold is used meanwhile.
type breakers struct {
	all   *breaker
	probe func(ctx context.Context, node string) error
	log   *slog.Logger

	mu    sync.RWMutex
	nodes map[string]*breaker // of masters that have failed, by address
	ended bool
}

func newBreakers(what string, probe func(ctx context.Context, node string) error, log *slog.Logger) *breakers {
	all := newBreaker(what, func(ctx context.Context) error { return probe(ctx, "") }, log)
	return &breakers{all: all, probe: probe, log: log, nodes: make(map[string]*breaker)}
}

// allow reports whether a visit to a node may be made now; "" is Redis, whichever node it may be.
func (b *breakers) allow(node string) bool {
	if !b.all.allow() {
		return false
	}
	b.mu.RLock()
	defer b.mu.RUnlock()
	one := b.nodes[node]
	return one == nil || one.allow()
}

// fail notes a visit to a node that failed, and opens its breaker.
func (b *breakers) fail(ctx context.Context, node string, err error) {
	if node == "" {
		b.all.fail(ctx, err)
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ended {
		return
	}
	one := b.nodes[node]
	if one == nil {
		// Addresses come and go.
		maps.DeleteFunc(b.nodes, func(_ string, old *breaker) bool { return old.settled(time.Now()) })
		one = newBreaker(b.all.what, func(ctx context.Context) error { return b.probe(ctx, node) }, b.log)
		one.node = node
		b.nodes[node] = one
	}
	one.fail(ctx, err)
}

// known returns the breaker of all and those of nodes, by address.
func (b *breakers) known() []*breaker {
	b.mu.RLock()
	defer b.mu.RUnlock()
	known := []*breaker{b.all}
	for _, node := range slices.Sorted(maps.Keys(b.nodes)) {
		known = append(known, b.nodes[node])
	}
	return known
}

// failure returns why one of them is open; nil when none is.
func (b *breakers) failure() error {
	for _, one := range b.known() {
		if err := one.failure(); err != nil {
			return err
		}
	}
	return nil
}

// check makes a visit to a node whether or not its breaker is open, and takes note of how it went.
func (b *breakers) check(ctx context.Context, node string) {
	b.mu.RLock()
	one := b.nodes[node]
	b.mu.RUnlock()
	if node == "" {
		one = b.all
	}
	if one != nil && !one.allow() {
		one.try(ctx)
	} else if err := b.probe(ctx, node); err != nil && !errors.Is(err, errGone) && ctx.Err() == nil {
		b.fail(ctx, node, err)
	}
}

// close ends the probes.
func (b *breakers) close() {
	b.mu.Lock()
	b.ended = true
	b.mu.Unlock()
	for _, one := range b.known() {
		one.close()
	}
}

// nodesError is what went wrong at nodes of a Cluster, by address.
type nodesError map[string]error

// Error implements error.
func (e nodesError) Error() string {
	all := make([]error, 0, len(e))
	for _, node := range slices.Sorted(maps.Keys(e)) {
		all = append(all, at(node, e[node]))
	}
	return errors.Join(all...).Error()
}

// group is what one node is asked for.
type group struct {
	node   string
	places []int // of keys
	err    error
}

// groups puts together the places of keys that the same node has, without those that may not be visited now. It is one group when
// Redis is no Cluster.
func (f *far) groups(ctx context.Context, b *breakers, keys []string) ([]group, error) {
	var groups []group
	for i, key := range keys {
		node, err := f.master(ctx, key)
		if err != nil {
			return nil, err
		}
		at := slices.IndexFunc(groups, func(g group) bool { return g.node == node })
		if at < 0 {
			at = len(groups)
			groups = append(groups, group{node: node, places: make([]int, 0, len(keys))})
		}
		groups[at].places = append(groups[at].places, i)
	}
	return slices.DeleteFunc(groups, func(g group) bool { return g.node != "" && !b.allow(g.node) }), nil
}

// everywhere makes one command for each key, where do adds it to a pipeline, and has each node answer its own at the same time: one that
// is silent must not spoil what others have said, as it does in a pipeline that they share.
func (f *far) everywhere(ctx context.Context, b *breakers, keys []string, do func(p redis.Pipeliner, i int)) error {
	groups, err := f.groups(ctx, b, keys)
	if err != nil || len(groups) == 0 {
		return err
	}
	var others sync.WaitGroup
	for i := range groups[1:] {
		others.Go(func() { groups[1+i].err = f.pipeline(ctx, groups[1+i].places, do) })
	}
	groups[0].err = f.pipeline(ctx, groups[0].places, do)
	others.Wait()
	failed := make(nodesError)
	for _, g := range groups {
		if g.err != nil {
			failed[g.node] = g.err
		}
	}
	if len(failed) == 0 {
		return nil
	}
	return failed
}

// pipeline has commands answered in one piece. The error is the first that says more than that there is nothing.
func (f *far) pipeline(ctx context.Context, places []int, do func(p redis.Pipeliner, i int)) error {
	p := f.client.Pipeline()
	for _, i := range places {
		do(p, i)
	}
	commands, err := p.Exec(ctx)
	for _, command := range commands {
		if err := command.Err(); err != nil && !notThere(err) {
			return err
		}
	}
	if notThere(err) {
		return nil
	}
	return err
}

// master returns the address of the node of a Cluster that has a key; "" when Redis is no Cluster.
func (f *far) master(ctx context.Context, key string) (string, error) {
	if f.cluster == nil {
		return "", nil
	}
	node, err := f.cluster.MasterForKey(ctx, key)
	if err != nil {
		return "", err
	}
	return node.Options().Addr, nil
}

// probed returns a key to probe a node with, which it has. Somebody else may have taken its place: the Cluster is asked for that.
func (f *far) probed(ctx context.Context, node string) (string, error) {
	if f.cluster == nil || node == "" {
		_, err := f.master(ctx, probeKey)
		return probeKey, err
	}
	f.cluster.ReloadState(ctx)
	const tries = 10000 // enough for a node that has one slot of a thousand
	for i := range tries {
		key := probeKey + ":" + strconv.Itoa(i)
		if at, err := f.master(ctx, key); err != nil || at == node {
			return key, err
		}
	}
	return "", errGone
}

// masters returns the addresses of the masters of a Cluster, as far as they are known in time.
func (f *far) masters(ctx context.Context) []string {
	if f.cluster == nil {
		return nil
	}
	var mu sync.Mutex
	var found []string
	err := f.bounded(ctx, func(ctx context.Context) error {
		return f.cluster.ForEachMaster(ctx, func(_ context.Context, node *redis.Client) error {
			mu.Lock()
			defer mu.Unlock()
			found = append(found, node.Options().Addr)
			return nil
		})
	})
	if err != nil {
		return nil // the probe of all says why
	}
	return found
}

// check makes a visit to Redis, and, in a Cluster, to each of its masters at the same time. The error is why not all of Redis is used.
func (f *far) check(ctx context.Context, b *breakers) error {
	b.check(ctx, "")
	var all sync.WaitGroup
	for _, node := range f.masters(ctx) {
		all.Go(func() { b.check(ctx, node) })
	}
	all.Wait()
	return b.failure()
}

// at says in an error which node it is of.
func at(node string, err error) error {
	if err == nil || node == "" {
		return err
	}
	return fmt.Errorf("node %s: %w", node, err)
}
