package upstream

import (
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
)

// Metrics count the attempts of all upstreams.
type Metrics struct {
	calls   *prometheus.CounterVec
	seconds *prometheus.HistogramVec
	texts   *prometheus.HistogramVec
}

// NewMetrics makes the metrics and registers them, which can be done once.
func NewMetrics(reg prometheus.Registerer) (*Metrics, error) {
	m := newMetrics()
	for _, c := range []prometheus.Collector{m.calls, m.seconds, m.texts} {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("upstream metrics: %w", err)
		}
	}
	return m, nil
}

func newMetrics() *Metrics {
	return &Metrics{
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mlsdm_embedder_calls_total", Help: "Calls made to providers of embeddings, by outcome: ok, or the class of the failure.",
		}, []string{"provider", "outcome"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "mlsdm_embedder_call_seconds", Help: "Time that calls to providers of embeddings took, failed ones included.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60},
		}, []string{"provider"}),
		texts: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "mlsdm_embedder_call_texts", Help: "Texts in one call to a provider of embeddings.",
			Buckets: []float64{1, 2, 4, 8, 16, 32, 64, 96, 128, 256, 512, 1024, 2048},
		}, []string{"provider"}),
	}
}

// attempt counts one.
func (m *Metrics) attempt(provider string, f *llm.Fault, took time.Duration, texts int) {
	outcome := "ok"
	if f != nil {
		outcome = string(f.Class)
	}
	m.calls.WithLabelValues(provider, outcome).Inc()
	m.seconds.WithLabelValues(provider).Observe(took.Seconds())
	m.texts.WithLabelValues(provider).Observe(float64(texts))
}
