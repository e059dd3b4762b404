package secretd

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are what secretd counts.
type metrics struct{ requests, reloads *prometheus.CounterVec }

func newMetrics(registry prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mlsdm_secret_requests_total", Help: "Requests about secrets, by operation and outcome (given, or the code of the error).",
		}, []string{"operation", "outcome"}),
		reloads: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mlsdm_secret_rules_total", Help: "Versions of the file of rules that were read since the start: taken, or refused.",
		}, []string{"outcome"}),
	}
	if registry == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.requests, m.reloads} {
		if err := registry.Register(c); err != nil {
			return nil, fmt.Errorf("registering secretd's metrics: %w", err)
		}
	}
	return m, nil
}
