package dispatcher

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/delivery"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/sender"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/target"
)

// metrics are what the dispatcher counts. How much waits for it, the bus tells (consumers dispatcher-router,
// dispatcher-workers and dispatcher-retries).
type metrics struct {
	routed   *prometheus.CounterVec
	held     *prometheus.CounterVec
	attempts *prometheus.CounterVec
	attemptS *prometheus.HistogramVec
	deliverS *prometheus.HistogramVec
	inFlight prometheus.Gauge
	lost     prometheus.Counter

	unevaluated prometheus.Counter

	mu        sync.RWMutex
	endpoints map[string]*endpointMetrics // by id, so that nothing is looked up by its labels for each delivery
}

// endpointMetrics are those of one endpoint.
type endpointMetrics struct {
	routed, held           prometheus.Counter
	delivered, retry, dead prometheus.Counter
	attemptS, deliverS     prometheus.Observer
}

func newMetrics(registry prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		endpoints: make(map[string]*endpointMetrics),
		routed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mlsdm_webhook_deliveries_total", Help: "Deliveries made of events, by endpoint.",
		}, []string{"endpoint"}),
		held: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mlsdm_webhook_held_back_total", Help: "Attempts that had to wait for the endpoint's rate, concurrency or recovery, by endpoint.",
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
		unevaluated: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "mlsdm_webhook_filters_unevaluated_total", Help: "Filters that could not be evaluated on an event, so that it did not match.",
		}),
	}
	if registry == nil {
		return m, nil
	}
	var errs []error
	for _, c := range []prometheus.Collector{m.routed, m.held, m.attempts, m.attemptS, m.deliverS, m.inFlight, m.lost, m.unevaluated} {
		errs = append(errs, registry.Register(c))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("registering the dispatcher's metrics: %w", err)
	}
	return m, nil
}

// of returns the metrics of an endpoint.
func (m *metrics) of(id string) *endpointMetrics {
	m.mu.RLock()
	known := m.endpoints[id]
	m.mu.RUnlock()
	if known != nil {
		return known
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if known = m.endpoints[id]; known != nil {
		return known
	}
	made := &endpointMetrics{
		routed: m.routed.WithLabelValues(id), held: m.held.WithLabelValues(id),
		delivered: m.attempts.WithLabelValues(id, events.AttemptDelivered), retry: m.attempts.WithLabelValues(id, events.AttemptRetry),
		dead:     m.attempts.WithLabelValues(id, events.AttemptDead),
		attemptS: m.attemptS.WithLabelValues(id), deliverS: m.deliverS.WithLabelValues(id),
	}
	m.endpoints[id] = made
	return made
}

// retain removes the metrics of endpoints that are gone.
func (m *metrics) retain(set target.Set) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for id := range m.endpoints {
		if _, is := set.Get(id); is {
			continue
		}
		delete(m.endpoints, id)
		labels := prometheus.Labels{"endpoint": id}
		m.routed.DeletePartialMatch(labels)
		m.held.DeletePartialMatch(labels)
		m.attempts.DeletePartialMatch(labels)
		m.attemptS.DeletePartialMatch(labels)
		m.deliverS.DeletePartialMatch(labels)
	}
}

// observe counts one attempt. The trace of the delivery is by then that of the attempt, if it has one.
func (m *metrics) observe(d delivery.Delivery, result sender.Result, outcome string) {
	e := m.of(d.EndpointID)
	span := spanOf(d.Trace)
	observe(e.attemptS, result.Latency, span)
	switch outcome {
	case events.AttemptDelivered:
		e.delivered.Inc()
		if !d.PublishedAt.IsZero() {
			observe(e.deliverS, max(time.Since(d.PublishedAt), 0), span)
		}
	case events.AttemptRetry:
		e.retry.Inc()
	default:
		e.dead.Inc()
	}
}

// observe adds how long something took, and by which trace that can be seen, if one is recorded.
func observe(to prometheus.Observer, took time.Duration, span trace.SpanContext) {
	if exemplars, ok := to.(prometheus.ExemplarObserver); ok && span.IsSampled() {
		exemplars.ObserveWithExemplar(took.Seconds(), prometheus.Labels{"trace_id": span.TraceID().String(), "span_id": span.SpanID().String()})
		return
	}
	to.Observe(took.Seconds())
}
