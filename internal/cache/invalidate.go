package cache

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"
)

// Invalidations carries messages between the replicas of a service, each to all, at most once: what does not arrive is a value that
// lives on in one process until its time is over. Implementations are safe for concurrent use.
type Invalidations interface {
	// Publish sends a message of at most [MaxInvalidation] bytes.
	Publish(ctx context.Context, message []byte) error
	// Subscribe calls handle for each message, also for those that were sent here, until ctx ends. It returns when it has subscribed.
	Subscribe(ctx context.Context, handle func(message []byte)) error
}

// MaxInvalidation is the largest message between replicas, in bytes.
const MaxInvalidation = 32 << 10

// invalidationVersion is the only form of messages that there is. What has another one is not for us.
const invalidationVersion = 1

// invalidation tells other replicas what is deleted.
type invalidation struct {
	Version   int      `json:"v"`
	Origin    string   `json:"origin"`
	Namespace string   `json:"namespace"`
	Keys      []string `json:"keys,omitempty"`
	Prefix    *string  `json:"prefix,omitempty"`
}

// Follow tells the other replicas what is deleted here from now on, and deletes here what they say, until ctx ends. It is called once.
func (c *Cache) Follow(ctx context.Context, others Invalidations) error {
	if c == nil {
		return nil
	}
	if err := others.Subscribe(ctx, c.heard); err != nil {
		return fmt.Errorf("following what other replicas delete from their caches: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.others = others
	return nil
}

// tell publishes a deletion, in as many messages as it takes.
func (n *Namespace) tell(ctx context.Context, what invalidation) error {
	n.cache.mu.RLock()
	others := n.cache.others
	n.cache.mu.RUnlock()
	if others == nil {
		return nil
	}
	what.Version, what.Origin, what.Namespace = invalidationVersion, n.cache.origin, n.name
	for _, key := range what.Keys {
		if !utf8.ValidString(key) {
			return errors.New("a key that is no text cannot be deleted at other replicas")
		}
	}
	message, err := json.Marshal(what)
	if err != nil {
		return fmt.Errorf("telling other replicas what is deleted: %w", err)
	}
	if len(message) > MaxInvalidation {
		half := len(what.Keys) / 2
		if half == 0 {
			return errors.New("a key is too long to be deleted at other replicas")
		}
		first, second := what, what
		first.Keys, second.Keys = what.Keys[:half], what.Keys[half:]
		return errors.Join(n.tell(ctx, first), n.tell(ctx, second))
	}
	if err := others.Publish(ctx, message); err != nil {
		return fmt.Errorf("telling other replicas what is deleted: %w", err)
	}
	n.counters.told.Add(1)
	return nil
}

// heard deletes what another replica says. Whatever else arrives does nothing.
func (c *Cache) heard(message []byte) {
	if len(message) > MaxInvalidation {
		return
	}
	var what invalidation
	if err := json.Unmarshal(message, &what); err != nil || what.Version != invalidationVersion || what.Origin == c.origin {
		return
	}
	n := c.named(what.Namespace)
	if n == nil {
		return
	}
	n.counters.heard.Add(1)
	if len(what.Keys) > 0 {
		n.forget(what.Keys)
	}
	if what.Prefix != nil {
		n.forgetPrefix(*what.Prefix)
	}
}

// newToken returns a name that nobody else has.
func newToken() string { return rand.Text() }
