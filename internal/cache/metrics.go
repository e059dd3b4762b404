package cache

import "github.com/prometheus/client_golang/prometheus"

// collector shows the statistics as metrics. Their labels are bounded: namespaces are named by the program.
type collector struct{ cache *Cache }

// descriptions are of all metrics.
type descriptions struct {
	lookups, stale, errors, corrupt, entries, bytes, evictions, traffic, fills, rate, up *prometheus.Desc
}

func describe() descriptions {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("mlsdm_cache_"+name, help, labels, nil)
	}
	return descriptions{
		lookups:   desc("lookups_total", "Keys looked up, by where they were found: memory, redis, none.", "namespace", "tier"),
		stale:     desc("stale_total", "Lookups that were answered with what was too old, while newer was made.", "namespace"),
		errors:    desc("redis_errors_total", "Visits to Redis that failed.", "namespace", "operation"),
		corrupt:   desc("corrupt_total", "Values that were not what was written, or of another version.", "namespace"),
		entries:   desc("memory_entries", "Entries in the in-process cache, roughly.", "namespace"),
		bytes:     desc("memory_bytes", "What the in-process cache holds, roughly.", "namespace"),
		evictions: desc("memory_evictions_total", "Entries of the in-process cache that had to make room.", "namespace"),
		traffic:   desc("redis_bytes_total", "Bytes of values read from Redis and written to it.", "namespace", "direction"),
		fills:     desc("fill_seconds", "How long it took to make what was not in the cache.", "namespace"),
		rate:      desc("hit_ratio", "Share of the lookups of the last time that found something.", "namespace", "window"),
		up:        desc("redis_up", "Whether Redis is read, or written, now.", "operation"),
	}
}

// Describe implements [prometheus.Collector].
func (c collector) Describe(to chan<- *prometheus.Desc) {
	d := describe()
	for _, desc := range []*prometheus.Desc{
		d.lookups, d.stale, d.errors, d.corrupt, d.entries, d.bytes, d.evictions, d.traffic, d.fills, d.rate, d.up,
	} {
		to <- desc
	}
}

// Collect implements [prometheus.Collector].
func (c collector) Collect(to chan<- prometheus.Metric) {
	d := describe()
	emit := func(desc *prometheus.Desc, kind prometheus.ValueType, value float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(desc, kind, value, labels...)
	}
	count := func(desc *prometheus.Desc, value uint64, labels ...string) {
		emit(desc, prometheus.CounterValue, float64(value), labels...)
	}
	stats := c.cache.Stats()
	if stats.Redis.Kind != kindNone {
		emit(d.up, prometheus.GaugeValue, number(stats.Redis.Reads), "read")
		emit(d.up, prometheus.GaugeValue, number(stats.Redis.Writes), "write")
	}
	for _, n := range stats.Namespaces {
		count(d.lookups, n.Memory.Hits, n.Name, "memory")
		count(d.lookups, n.Misses, n.Name, "none")
		count(d.stale, n.Stale, n.Name)
		count(d.corrupt, n.Corrupt, n.Name)
		count(d.evictions, n.Memory.Evictions, n.Name)
		emit(d.entries, prometheus.GaugeValue, float64(n.Memory.Entries), n.Name)
		emit(d.bytes, prometheus.GaugeValue, float64(n.Memory.Bytes), n.Name)
		to <- prometheus.MustNewConstSummary(d.fills, n.Fills, n.FillSeconds, nil, n.Name)
		if n.HitRate1m != nil {
			emit(d.rate, prometheus.GaugeValue, *n.HitRate1m, n.Name, "1m")
		}
		if n.HitRate60m != nil {
			emit(d.rate, prometheus.GaugeValue, *n.HitRate60m, n.Name, "60m")
		}
		if stats.Redis.Kind == kindNone {
			continue
		}
		count(d.lookups, n.Redis.Hits, n.Name, "redis")
		count(d.errors, n.Redis.ReadErrors, n.Name, "read")
		count(d.errors, n.Redis.WriteErrors, n.Name, "write")
		count(d.traffic, n.Redis.BytesRead, n.Name, "read")
		count(d.traffic, n.Redis.BytesWritten, n.Name, "written")
	}
}

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
