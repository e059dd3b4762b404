package cached

import (
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
)

// Observer is told what happens to values. Its methods are called one at a time, in the order in which it happened, outside of
// locks and of calls that somebody waits for; they may take their time, but what happens meanwhile waits in memory.
type Observer interface {
	// Rotated: another value than before was seen. The versions are those of the store; they are empty where it has none.
	Rotated(ref secret.Ref, previous, current string)
	// Unavailable: a value is past its time and its store could not be asked. It is told once for an outage; since is when the
	// store gave the value.
	Unavailable(ref secret.Ref, since time.Time, err error)
	// Recovered: the store has answered again after Unavailable. What it answered may be a refusal: Purged is told next then.
	Recovered(ref secret.Ref)
	// Purged: a value that was known was dropped because the store answered with this error, which is meant so.
	Purged(ref secret.Ref, err error)
}

// nobody is an observer.
type nobody struct{}

func (nobody) Rotated(secret.Ref, string, string)       {}
func (nobody) Unavailable(secret.Ref, time.Time, error) {}
func (nobody) Recovered(secret.Ref)                     {}
func (nobody) Purged(secret.Ref, error)                 {}

// announce puts news behind those that wait, and has them told. The mutex of the cache is held.
func (c *Cache) announce(tell func()) {
	c.news = append(c.news, tell)
	if !c.telling {
		c.telling = true
		c.calls.Add(1)
		go c.tellAll()
	}
}

// tellAll tells what there is to tell.
func (c *Cache) tellAll() {
	defer c.calls.Done()
	for {
		c.mu.Lock()
		if len(c.news) == 0 {
			c.telling, c.news = false, nil
			c.mu.Unlock()
			return
		}
		tell := c.news[0]
		c.news[0] = nil
		c.news = c.news[1:]
		c.mu.Unlock()
		tell()
	}
}

func (c *Cache) announceRotated(ref secret.Ref, previous, current string) {
	c.announce(func() {
		c.cfg.Log.InfoContext(c.ctx, "a secret was rotated", "ref", ref.String(), "previous_version", previous, "secret_version", current)
		c.observer.Rotated(ref, previous, current)
	})
}

func (c *Cache) announceUnavailable(e *entry, err error) {
	if e.out {
		return
	}
	e.out = true
	ref, since := e.ref, e.fetchedAt
	c.announce(func() {
		c.cfg.Log.WarnContext(c.ctx, "a secret is past its time and its store cannot be asked", "ref", ref.String(), "since", since, "err", err)
		c.observer.Unavailable(ref, since, err)
	})
}

func (c *Cache) announceRecovered(e *entry) {
	if !e.out {
		return
	}
	e.out = false
	ref := e.ref
	c.announce(func() {
		c.cfg.Log.InfoContext(c.ctx, "the store of a secret answers again", "ref", ref.String())
		c.observer.Recovered(ref)
	})
}

func (c *Cache) announcePurged(ref secret.Ref, err error) {
	c.announce(func() {
		c.cfg.Log.WarnContext(c.ctx, "a secret was dropped because of what its store answers", "ref", ref.String(), "err", err)
		c.observer.Purged(ref, err)
	})
}

// announceStore tells the log, not the observer, that the breaker of a store has opened or closed.
func (c *Cache) announceStore(name string, err error) {
	c.announce(func() {
		if kindOf(err) == transient {
			c.cfg.Log.WarnContext(c.ctx, "a store of secrets fails and is left alone for a while", "provider", name, "err", err)
		} else {
			c.cfg.Log.InfoContext(c.ctx, "a store of secrets answers again", "provider", name)
		}
	})
}
