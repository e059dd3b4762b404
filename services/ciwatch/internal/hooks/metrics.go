package hooks

import (
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are what is counted.
type metrics struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	evicted  prometheus.Counter
}

func newMetrics(registry prometheus.Registerer, d *Door) (*metrics, error) {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mlsdm_ci_webhooks_total", Help: "Requests at the door for webhooks, by forge, event (empty unless it is signed) and outcome.",
		}, []string{"forge", "event", "outcome"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "mlsdm_ci_webhook_seconds", Help: "How long it took until a webhook was stored, from the end of its head.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5},
		}, []string{"forge"}),
		evicted: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "mlsdm_ci_webhook_connections_evicted_total", Help: "Connections that were closed to make way for others.",
		}),
	}
	if registry == nil {
		return m, nil
	}
	gauge := func(name, help string, value func() int) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 { return float64(value()) })
	}
	var errs []error
	for _, c := range []prometheus.Collector{
		m.requests, m.seconds, m.evicted,
		gauge("mlsdm_ci_webhook_body_bytes", "Memory that bodies of webhooks hold.", func() int { return d.common.held() + d.large.held() }),
		gauge("mlsdm_ci_webhook_connections", "Connections that are open at the door for webhooks.", d.connections),
	} {
		errs = append(errs, registry.Register(c))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("registering the metrics of webhooks: %w", err)
	}
	return m, nil
}

// answered counts a request and how long it took.
func (m *metrics) answered(r result, took time.Duration) {
	m.requests.WithLabelValues(r.forge, r.event, string(r.outcome)).Inc()
	if r.outcome == accepted {
		m.seconds.WithLabelValues(r.forge).Observe(took.Seconds())
	}
}

// connections is how many are open.
func (d *Door) connections() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.listener == nil {
		return 0
	}
	return d.listener.count()
}
