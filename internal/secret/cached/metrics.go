package cached

import (
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics count what is asked of the cache and what it asks of stores.
type metrics struct {
	gets    *prometheus.CounterVec
	calls   *prometheus.CounterVec
	seconds *prometheus.HistogramVec
	broken  *prometheus.GaugeVec
	evicted prometheus.Counter
}

// newMetrics makes the metrics of a cache, and registers them if it has where.
func newMetrics(c *Cache) (*metrics, error) {
	m := &metrics{
		gets: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mlsdm_secret_cache_gets_total",
			Help: "Secrets asked of the cache, by how it answered: hit, miss (the store was asked), stale, negative (a remembered refusal), " +
				"failing (the store is not asked for a while), limited (asked too often to ask the store).",
		}, []string{"store", "answer"}),
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mlsdm_secret_store_calls_total", Help: "Calls to stores of secrets, by what came of them.",
		}, []string{"store", "outcome"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "mlsdm_secret_store_call_seconds", Help: "Time that stores of secrets took.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"store"}),
		broken: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "mlsdm_secret_store_failing", Help: "Whether a store of secrets has failed so often that it is left alone (1) or not (0).",
		}, []string{"store"}),
		evicted: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "mlsdm_secret_cache_evictions_total", Help: "Entries dropped to make room.",
		}),
	}
	if c.cfg.Metrics == nil {
		return m, nil
	}
	entries := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "mlsdm_secret_cache_entries", Help: "References that something is known of.",
	}, func() float64 { n, _ := c.holds(); return float64(n) })
	bytes := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "mlsdm_secret_cache_bytes", Help: "What the cache of secrets holds, roughly.",
	}, func() float64 { _, n := c.holds(); return float64(n) })
	for _, collector := range []prometheus.Collector{m.gets, m.calls, m.seconds, m.broken, m.evicted, entries, bytes, newAges(c)} {
		if err := c.cfg.Metrics.Register(collector); err != nil {
			return nil, fmt.Errorf("metrics of the cache of secrets: %w", err)
		}
	}
	return m, nil
}

// holds returns how much the cache holds.
func (c *Cache) holds() (entries int, bytes int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.entries), c.bytes
}

// storeMetrics are those of one store, looked up once.
type storeMetrics struct {
	hit, miss, stale, negative, failing, limited prometheus.Counter

	calls   map[string]prometheus.Counter
	seconds prometheus.Observer
	broken  prometheus.Gauge
}

func (m *metrics) of(store string) storeMetrics {
	get := func(answer string) prometheus.Counter { return m.gets.WithLabelValues(store, answer) }
	s := storeMetrics{
		hit: get("hit"), miss: get("miss"), stale: get("stale"), negative: get("negative"), failing: get("failing"), limited: get("limited"),
		calls: make(map[string]prometheus.Counter), seconds: m.seconds.WithLabelValues(store), broken: m.broken.WithLabelValues(store),
	}
	for _, o := range outcomes() {
		s.calls[o] = m.calls.WithLabelValues(store, o)
	}
	return s
}

// opened says whether the breaker is open.
func (s storeMetrics) opened(open bool) {
	if open {
		s.broken.Set(1)
	} else {
		s.broken.Set(0)
	}
}

// count takes one call into account.
func (s storeMetrics) count(took time.Duration, err error) {
	s.calls[outcome(err)].Inc()
	s.seconds.Observe(took.Seconds())
}
