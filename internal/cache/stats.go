package cache

import (
	"sync/atomic"
	"time"
)

// Stats is what a cache has done since it was made, and how it is now.
type Stats struct {
	Redis      RedisStats       `json:"redis"`
	Namespaces []NamespaceStats `json:"namespaces"` // by name
}

// RedisStats is how it is with Redis.
type RedisStats struct {
	Kind   string `json:"kind"`            // single, sentinel, cluster, or none
	Addrs  string `json:"addrs,omitempty"` // as they are set
	Reads  bool   `json:"reads"`           // whether Redis is read now, all of it
	Writes bool   `json:"writes"`          // whether it is written now, all of it
	Error  string `json:"error,omitempty"` // why not
}

// NamespaceStats are the statistics of one namespace. Each lookup of a key is one of memory.hits, redis.hits, misses and stale.
type NamespaceStats struct {
	Name       string      `json:"name"`
	TTLSeconds float64     `json:"ttl_seconds"`
	Memory     MemoryStats `json:"memory"`
	Redis      SharedStats `json:"redis"`

	Misses      uint64  `json:"misses"`
	Stale       uint64  `json:"stale"`        // answered with what was too old, while newer was made
	Corrupt     uint64  `json:"corrupt"`      // values that were not what was written, or of another version
	Fills       uint64  `json:"fills"`        // times that something was made
	FillSeconds float64 `json:"fill_seconds"` // how long all of them took
	FillErrors  uint64  `json:"fill_errors"`  // of those in the background, that failed
	Waits       uint64  `json:"waits"`        // looks at what another replica was making
	Told        uint64  `json:"told"`         // messages to other replicas about what was deleted
	Heard       uint64  `json:"heard"`        // messages from them

	// Share of the lookups that found something; nothing when there were none.
	HitRate1m  *float64 `json:"hit_rate_1m,omitempty"`
	HitRate60m *float64 `json:"hit_rate_60m,omitempty"`
}

// MemoryStats are of what is kept in the process.
type MemoryStats struct {
	Hits      uint64 `json:"hits"`
	Entries   int    `json:"entries"` // roughly
	Bytes     uint64 `json:"bytes"`   // roughly
	MaxBytes  int64  `json:"max_bytes"`
	Evictions uint64 `json:"evictions"` // entries that had to make room
}

// SharedStats are of what is kept in Redis.
type SharedStats struct {
	Hits         uint64 `json:"hits"`
	BytesRead    uint64 `json:"bytes_read"`
	BytesWritten uint64 `json:"bytes_written"`
	ReadErrors   uint64 `json:"read_errors"`
	WriteErrors  uint64 `json:"write_errors"`
}

// counters are of one namespace.
type counters struct {
	memory, redis, missed, stale                     atomic.Uint64 // each lookup is one of them
	corrupt, readErrors, writeErrors                 atomic.Uint64
	redisRead, redisWritten                          atomic.Uint64 // bytes
	fills, fillNanos, loadErrors, waits, told, heard atomic.Uint64
}

// hits returns how many lookups found something, and how many there were.
func (c *counters) hits() (hits, lookups uint64) {
	hits = c.memory.Load() + c.redis.Load() + c.stale.Load()
	return hits, hits + c.missed.Load()
}

// ObserveFill notes how long it took to make what is then set. [Namespace.GetOrLoad] does so itself.
func (n *Namespace) ObserveFill(took time.Duration) {
	if n == nil {
		return
	}
	n.counters.fills.Add(1)
	n.counters.fillNanos.Add(uint64(max(took, 0)))
}

// Stats returns the statistics. Those of a nil cache are empty.
func (c *Cache) Stats() Stats {
	if c == nil {
		return Stats{Redis: RedisStats{Kind: kindNone}, Namespaces: []NamespaceStats{}}
	}
	s := Stats{Redis: RedisStats{Kind: kindNone}, Namespaces: []NamespaceStats{}}
	if f := c.far; f != nil {
		s.Redis = RedisStats{Kind: f.kind, Addrs: f.addrs, Reads: f.reads.failure() == nil, Writes: f.writes.failure() == nil}
		for _, b := range []*breakers{f.reads, f.writes} {
			if err := b.failure(); err != nil {
				s.Redis.Error = b.all.what + ": " + err.Error()
				break
			}
		}
	}
	for _, n := range c.namespaces() {
		s.Namespaces = append(s.Namespaces, n.Stats())
	}
	return s
}

// Stats returns the statistics of the namespace.
func (n *Namespace) Stats() NamespaceStats {
	if n == nil {
		return NamespaceStats{}
	}
	c := &n.counters
	hits, lookups := c.hits()
	return NamespaceStats{
		Name: n.name, TTLSeconds: n.options.TTL.Seconds(),
		Memory: MemoryStats{
			Hits: c.memory.Load(), Entries: n.near.entries.EstimatedSize(), Bytes: n.near.bytes(), MaxBytes: n.options.MaxBytes,
			Evictions: n.near.evictions.Load(),
		},
		Redis: SharedStats{
			Hits: c.redis.Load(), BytesRead: c.redisRead.Load(), BytesWritten: c.redisWritten.Load(),
			ReadErrors: c.readErrors.Load(), WriteErrors: c.writeErrors.Load(),
		},
		Misses: c.missed.Load(), Stale: c.stale.Load(), Corrupt: c.corrupt.Load(),
		Fills: c.fills.Load(), FillSeconds: time.Duration(c.fillNanos.Load()).Seconds(), //nolint:gosec // not in our time
		FillErrors: c.loadErrors.Load(), Waits: c.waits.Load(), Told: c.told.Load(), Heard: c.heard.Load(),
		HitRate1m:  n.rates.rate(time.Minute, hits, lookups),
		HitRate60m: n.rates.rate(time.Hour, hits, lookups),
	}
}
