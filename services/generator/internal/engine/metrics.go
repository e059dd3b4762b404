package engine

import (
	"fmt"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	// maxModels is how many models get labels of their own: there are servers that take every name that a caller thinks up.
	maxModels = 200
	// otherModel is the label of those that come after.
	otherModel = "other"
	// classOK is the label of attempts that succeeded.
	classOK = "ok"
)

// metrics count attempts.
type metrics struct {
	attempts *prometheus.CounterVec
	seconds  *prometheus.HistogramVec

	mu     sync.Mutex
	models map[string]struct{} // that have labels of their own
	good   map[answered]counters
}

// answered are the attempts with one model that succeeded.
type answered struct{ provider, model string }

// counters are what is counted of them: finding it by its labels takes longer than counting.
type counters struct {
	attempts prometheus.Counter
	seconds  prometheus.Observer
}

// newMetrics makes the metrics and registers them, if there is somebody to register them with.
func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		models: make(map[string]struct{}), good: make(map[answered]counters),
		attempts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mlsdm_attempts_total", Help: "Requests made to model providers, by class of failure (ok without one).",
		}, []string{"provider", "model", "class"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "mlsdm_attempt_seconds", Help: "Time that requests to model providers took, whole streams included.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120},
		}, []string{"provider", "outcome"}),
	}
	if reg == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.attempts, m.seconds} {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("attempt metrics: %w", err)
		}
	}
	return m, nil
}

// label returns the label of a model. Only those get one that have answered: of names that callers make up there is no end. The lock
// is held.
func (m *metrics) label(model string, ok bool) string {
	if _, known := m.models[model]; known {
		return model
	}
	if !ok || len(m.models) >= maxModels {
		return otherModel
	}
	m.models[model] = struct{}{}
	return model
}

// attempt counts one attempt.
func (m *metrics) attempt(t *Tried, ok bool) {
	c := m.of(t, ok)
	c.attempts.Inc()
	c.seconds.Observe(t.Took.Seconds())
}

// of returns the counters of an attempt. Those of attempts that succeeded are kept, as many as there are labels.
func (m *metrics) of(t *Tried, ok bool) counters {
	m.mu.Lock()
	defer m.mu.Unlock()
	which := answered{t.Target.Provider, m.label(t.Target.ID, ok)}
	if !ok {
		return counters{m.attempts.WithLabelValues(which.provider, which.model, string(t.Class)), m.seconds.WithLabelValues(which.provider, "failed")}
	}
	c, known := m.good[which]
	if !known {
		c = counters{m.attempts.WithLabelValues(which.provider, which.model, classOK), m.seconds.WithLabelValues(which.provider, classOK)}
		m.good[which] = c
	}
	return c
}
