package dispatcher

import (
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/delivery"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/sender"
)

// metrics are what the dispatcher counts. How much waits for it, the bus tells (consumers dispatcher-router and
// dispatcher-workers).
type metrics struct {
	routed   *prometheus.CounterVec
	attempts *prometheus.CounterVec
	attemptS *prometheus.HistogramVec
	deliverS *prometheus.HistogramVec
	inFlight prometheus.Gauge
	lost     prometheus.Counter
}

func newMetrics(registry prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		routed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mlsdm_webhook_deliveries_total", Help: "Deliveries made of events, by endpoint.",
		}, []string{"endpoint"}),
		attempts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mlsdm_webhook_attempts_total", Help: "Delivery attempts, by endpoint and outcome (delivered, retry, dead).",
		}, []string{"endpoint", "outcome"}),
		attemptS: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "mlsdm_webhook_attempt_seconds", Help: "How long an attempt took, by endpoint.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 15, 30},
		}, []string{"endpoint"}),
		deliverS: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "mlsdm_webhook_delivery_seconds", Help: "From the storing of an event to its successful delivery, by endpoint.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 5, 15, 60, 300, 3600, 86400},
		}, []string{"endpoint"}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "mlsdm_webhook_attempts_in_flight", Help: "Attempts that wait for an answer now.",
		}),
		lost: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "mlsdm_webhook_attempt_records_lost_total", Help: "Records of attempts that could not be stored; the deliveries went on.",
		}),
	}
	if registry == nil {
		return m, nil
	}
	var errs []error
	for _, c := range []prometheus.Collector{m.routed, m.attempts, m.attemptS, m.deliverS, m.inFlight, m.lost} {
		errs = append(errs, registry.Register(c))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("registering the dispatcher's metrics: %w", err)
	}
	return m, nil
}

// observe counts one attempt.
func (m *metrics) observe(d delivery.Delivery, result sender.Result, outcome string) {
	m.attempts.WithLabelValues(d.EndpointID, outcome).Inc()
	m.attemptS.WithLabelValues(d.EndpointID).Observe(result.Latency.Seconds())
	if outcome == events.AttemptDelivered && !d.PublishedAt.IsZero() {
		m.deliverS.WithLabelValues(d.EndpointID).Observe(max(time.Since(d.PublishedAt).Seconds(), 0))
	}
}
