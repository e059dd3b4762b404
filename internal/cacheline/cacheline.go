// Package cacheline joins the caches of the replicas of a service by the bus: what one deletes goes at all of them, and an operator
// can have a part of the cache cleared, and see what all of it does.
//
// On the wire: [events.Subjects.CacheDeleted] carries what a replica has deleted to the others, at most once, in the cache's own form.
// [events.Subjects.CacheClear] is a request that one replica answers with [Cleared]. What a cache does is told in the data of
// `nats micro stats`, as [Told].
package cacheline

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/cache"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// clearTimeout bounds the walk through all of Redis.
const clearTimeout = 5 * time.Minute

// Told is what a service tells of its cache in `nats micro stats`. Every application may ask for that: where Redis is, and what it says
// when it fails, is told to operators only, in the log and the health of the service.
type Told struct {
	Cache cache.Stats `json:"cache"`
}

// Cleared is the answer to a request to clear a namespace.
type Cleared struct {
	Namespace string `json:"namespace"`
	// Entries is how many were removed from Redis; from one process when there is no Redis.
	Entries int `json:"entries"`
}

// Tell returns what to tell of a cache, for [bus.Service.Data]: nothing of one that is off.
func Tell(c *cache.Cache) func() any {
	if c == nil {
		return nil
	}
	return func() any {
		stats := c.Stats()
		stats.Redis.Addrs, stats.Redis.Error = "", ""
		return Told{Cache: stats}
	}
}

// Join joins a cache to those of the other replicas of its service, and answers operators, until ctx ends. It returns at once.
func Join(ctx context.Context, b *bus.Bus, service string, c *cache.Cache) error {
	if c == nil {
		return nil
	}
	if err := c.Follow(ctx, &line{bus: b, subject: b.Subjects().CacheDeleted(service)}); err != nil {
		return err
	}
	return b.Answer(ctx, b.Subjects().CacheClear(service, "*"), "cache", func(request bus.Heard) ([]byte, error) {
		ctx, cancel := context.WithTimeout(ctx, clearTimeout)
		defer cancel()
		namespace := request.Subject[strings.LastIndexByte(request.Subject, '.')+1:]
		entries, err := c.Clear(ctx, namespace)
		switch {
		case errors.Is(err, cache.ErrNoNamespace):
			return nil, events.Errorf(events.CodeNotFound, "the cache of %s has no namespace %q", service, namespace)
		case err != nil:
			return nil, events.Errorf(events.CodeUnavailable, "%d entries of %s are gone, and some may be left: %w", entries, namespace, err)
		}
		return json.Marshal(Cleared{Namespace: namespace, Entries: entries})
	})
}

// line implements [cache.Invalidations].
type line struct {
	bus     *bus.Bus
	subject string
}

// Publish implements [cache.Invalidations].
func (l *line) Publish(ctx context.Context, message []byte) error {
	return l.bus.Tell(ctx, bus.Msg{Subject: l.subject, Body: message})
}

// Subscribe implements [cache.Invalidations].
func (l *line) Subscribe(ctx context.Context, handle func(message []byte)) error {
	return l.bus.Hear(ctx, l.subject, func(m bus.Heard) { handle(m.Body) })
}
