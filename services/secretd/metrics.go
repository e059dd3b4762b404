package secretd

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are what secretd counts.
type metrics struct{ requests *prometheus.CounterVec }

func newMetrics(registry prometheus.Registerer) (*metrics, error) {
	m := &metrics{requests: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "mlsdm_secret_requests_total", Help: "Requests for secrets, by outcome (given, or the code of the error).",
	}, []string{"outcome"})}
	if registry == nil {
		return m, nil
	}
	if err := registry.Register(m.requests); err != nil {
		return nil, fmt.Errorf("registering secretd's metrics: %w", err)
	}
	return m, nil
}
