package cached

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// ages tells how old the secrets in the cache are, by store: their names are nobody's business, and of them there is no end.
type ages struct {
	cache  *Cache
	oldest *prometheus.Desc
}

func newAges(c *Cache) ages {
	return ages{cache: c, oldest: prometheus.NewDesc("mlsdm_secret_cache_oldest_seconds",
		"How long ago a store gave the secret that has been kept longest, of those that are in the cache.", []string{"store"}, nil)}
}

// Describe implements [prometheus.Collector].
func (a ages) Describe(to chan<- *prometheus.Desc) { to <- a.oldest }

// Collect implements [prometheus.Collector].
func (a ages) Collect(to chan<- prometheus.Metric) {
	for store, age := range a.cache.ages(time.Now()) {
		to <- prometheus.MustNewConstMetric(a.oldest, prometheus.GaugeValue, age.Seconds(), store)
	}
}

// ages returns how old the oldest secret of each store is.
func (c *Cache) ages(now time.Time) map[string]time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	oldest := make(map[string]time.Duration, len(c.entries))
	for _, e := range c.entries {
		if e.box != nil {
			oldest[e.at.name] = max(oldest[e.at.name], now.Sub(e.fetchedAt))
		}
	}
	return oldest
}
