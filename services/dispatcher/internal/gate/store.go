package gate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
)

// bucket is the KV bucket with the state of endpoints; [bus.KV] is one.
type bucket interface {
	Get(ctx context.Context, key string) ([]byte, uint64, error)
	Create(ctx context.Context, key string, value []byte) (uint64, error)
	Update(ctx context.Context, key string, value []byte, revision uint64) (uint64, error)
	Delete(ctx context.Context, key string, revision uint64) error
	Watch(ctx context.Context, pattern string, ready func(), changed func(bus.KVEntry)) error
}

// maxTries bounds how often a change is tried again because somebody else was faster.
const maxTries = 20

// cell is one key of the bucket, as it was last seen. Changes go through compare-and-swap, one at a time from here.
type cell[T any] struct {
	kv  bucket
	key string

	change sync.Mutex // held during a change

	mu       sync.Mutex
	value    T
	revision uint64 // 0: there is no such key
}

// get returns the value as it was last seen.
func (c *cell[T]) get() T {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.value
}

// see takes what the bucket said. What is older than what is known is ignored.
func (c *cell[T]) see(e bus.KVEntry) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e.Revision <= c.revision {
		return false
	}
	if e.Deleted {
		// The next write creates the key, for which the server wants no revision.
		var none T
		c.value, c.revision = none, 0
		return true
	}
	c.value, c.revision = decode[T](e.Value), e.Revision
	return true
}

// update changes the value: change returns the new one, or false to leave it. It is called again with a fresh value when
// somebody else was faster. The value it returns is what is there now, by whoever.
func (c *cell[T]) update(ctx context.Context, change func(T) (T, bool)) (T, error) {
	return c.updateThen(ctx, change, func() {})
}

// updateThen is update that calls then when a change was written, before the next change from here begins: what it does on
// the strength of the change cannot be overtaken by one that takes the change back.
func (c *cell[T]) updateThen(ctx context.Context, change func(T) (T, bool), then func()) (T, error) {
	c.change.Lock()
	defer c.change.Unlock()
	for range maxTries {
		c.mu.Lock()
		value, revision := c.value, c.revision
		c.mu.Unlock()
		next, ok := change(value)
		if !ok {
			return value, nil
		}
		body, err := json.Marshal(next)
		if err != nil {
			return value, fmt.Errorf("writing the state of an endpoint: %w", err)
		}
		written, err := c.write(ctx, body, revision)
		switch {
		case err == nil:
			c.mu.Lock()
			if written > c.revision {
				c.value, c.revision = next, written
			}
			c.mu.Unlock()
			then()
			return next, nil
		case !errors.Is(err, bus.ErrConflict):
			return value, err
		}
		if err := c.refresh(ctx); err != nil {
			return value, err
		}
	}
	return c.get(), fmt.Errorf("the state of an endpoint, %s, is changed by others all the time: %w", c.key, bus.ErrConflict)
}

func (c *cell[T]) write(ctx context.Context, body []byte, revision uint64) (uint64, error) {
	if revision == 0 {
		return c.kv.Create(ctx, c.key, body)
	}
	return c.kv.Update(ctx, c.key, body, revision)
}

// refresh reads the key.
func (c *cell[T]) refresh(ctx context.Context) error {
	body, revision, err := c.kv.Get(ctx, c.key)
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case errors.Is(err, bus.ErrNotFound):
		var none T
		c.value, c.revision = none, 0
		return nil
	case err != nil:
		return err
	}
	c.value, c.revision = decode[T](body), revision
	return nil
}
