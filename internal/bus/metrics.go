package bus

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are what every user of the bus gets for nothing.
type metrics struct {
	connected prometheus.Gauge
	consumed  *prometheus.CounterVec
	consumeS  *prometheus.HistogramVec
	inFlight  *prometheus.GaugeVec
	pending   *prometheus.GaugeVec
	waiting   *prometheus.GaugeVec
	served    *prometheus.CounterVec
	serveS    *prometheus.HistogramVec
	published *prometheus.CounterVec

	stored, duplicate, failed prometheus.Counter // of published
}

// newMetrics makes and registers the metrics; a nil registerer keeps them unregistered.
func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	buckets := []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}
	consumer := []string{"stream", "consumer"}
	m := &metrics{
		connected: prometheus.NewGauge(prometheus.GaugeOpts{Name: "mlsdm_bus_connected", Help: "1 while the connection to NATS is up."}),
		consumed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mlsdm_bus_messages_total", Help: "Messages handled, by what became of them: ack, retry, later, dead, returned.",
		}, []string{"stream", "consumer", "result"}),
		consumeS: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "mlsdm_bus_handle_seconds", Help: "How long handlers took.", Buckets: buckets,
		}, consumer),
		inFlight: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "mlsdm_bus_in_flight", Help: "Messages being handled now."}, consumer),
		pending:  prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "mlsdm_bus_consumer_pending", Help: "Messages that wait in the stream (num_pending)."}, consumer),
		waiting:  prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "mlsdm_bus_consumer_waiting", Help: "Pull requests that wait at the server (num_waiting)."}, consumer),
		served: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mlsdm_bus_requests_total", Help: "Interactive requests answered, by error code (ok without one).",
		}, []string{"operation", "code"}),
		serveS: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "mlsdm_bus_request_seconds", Help: "How long interactive requests took.", Buckets: buckets,
		}, []string{"operation"}),
		published: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mlsdm_bus_published_total", Help: "Messages published to JetStream, by result: stored, duplicate, failed.",
		}, []string{"result"}),
	}
	m.stored, m.duplicate, m.failed = m.published.WithLabelValues("stored"), m.published.WithLabelValues("duplicate"), m.published.WithLabelValues("failed")
	m.connected.Set(1)
	if reg == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.connected, m.consumed, m.consumeS, m.inFlight, m.pending, m.waiting, m.served, m.serveS, m.published} {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("bus metrics: %w", err)
		}
	}
	return m, nil
}
