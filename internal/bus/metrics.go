package bus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"
)

// metrics are what every user of the bus gets for nothing.
type metrics struct {
	connected  prometheus.Gauge
	reconnects prometheus.Counter
	served     *prometheus.CounterVec
	serveS     *prometheus.HistogramVec
	published  *publications

	// Of consumers, by stream and consumer.
	consumed    *prometheus.CounterVec
	redelivered *prometheus.CounterVec
	consumeS    *prometheus.HistogramVec
	waitS       *prometheus.HistogramVec
	inFlight    *prometheus.GaugeVec
	backlog     backlogMetrics

	dead *prometheus.CounterVec
}

// newMetrics makes and registers the metrics; a nil registerer keeps them unregistered.
func newMetrics(reg prometheus.Registerer, prefix string) (*metrics, error) {
	buckets := []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}
	consumer := []string{"stream", "consumer"}
	m := &metrics{
		connected: prometheus.NewGauge(prometheus.GaugeOpts{Name: "mlsdm_bus_connected", Help: "1 while the connection to NATS is up."}),
		reconnects: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "mlsdm_bus_reconnects_total", Help: "How often the connection to NATS was made again.",
		}),
		served: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mlsdm_bus_requests_total", Help: "Interactive requests answered, by error code (ok without one).",
		}, []string{"operation", "code"}),
		serveS: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "mlsdm_bus_request_seconds", Help: "How long interactive requests took.", Buckets: buckets,
		}, []string{"operation"}),
		published: newPublications(prefix),
		consumed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mlsdm_bus_messages_total", Help: "Messages handled, by what became of them: ack, retry, later, dead, returned.",
		}, []string{"stream", "consumer", "result"}),
		redelivered: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mlsdm_bus_redelivered_total", Help: "Messages that were handed out before, to this replica or another.",
		}, consumer),
		consumeS: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "mlsdm_bus_handle_seconds", Help: "How long handlers took.", Buckets: buckets,
		}, consumer),
		waitS: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "mlsdm_bus_wait_seconds", Help: "From the storing of a message to its first handling.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 5, 15, 60, 300, 3600},
		}, consumer),
		inFlight: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "mlsdm_bus_in_flight", Help: "Messages being handled now."}, consumer),
		backlog:  newBacklogMetrics(consumer),
		dead: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mlsdm_bus_dead_letters_total", Help: "Dead letters that were stored, by the stream of the message that was given up.",
		}, []string{"stream"}),
	}
	m.connected.Set(1)
	if reg == nil {
		return m, nil
	}
	collectors := append([]prometheus.Collector{
		m.connected, m.reconnects, m.served, m.serveS, m.published.total, m.consumed, m.redelivered, m.consumeS, m.waitS, m.inFlight, m.dead,
	}, m.backlog.collectors()...)
	var errs []error
	for _, c := range collectors {
		errs = append(errs, reg.Register(c))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("bus metrics: %w", err)
	}
	return m, nil
}

// consumerMetrics are those of one consumer, looked up once and not for every message.
type consumerMetrics struct {
	inFlight      prometheus.Gauge
	seconds, wait prometheus.Observer
	acked, again  prometheus.Counter
}

// of returns the metrics of a consumer. The first failure of its kind is not what shows that there is such a metric.
func (m *metrics) of(stream, consumer string) consumerMetrics {
	for _, result := range []string{"retry", "later", "dead", "returned"} {
		m.consumed.WithLabelValues(stream, consumer, result)
	}
	m.dead.WithLabelValues(stream)
	return consumerMetrics{
		inFlight: m.inFlight.WithLabelValues(stream, consumer),
		seconds:  m.consumeS.WithLabelValues(stream, consumer),
		wait:     m.waitS.WithLabelValues(stream, consumer),
		acked:    m.consumed.WithLabelValues(stream, consumer, resultAck),
		again:    m.redelivered.WithLabelValues(stream, consumer),
	}
}

// begin counts a message that is about to be handled.
func (c consumerMetrics) begin(m *Message, now time.Time) {
	c.inFlight.Inc()
	if m.Attempt > 1 {
		c.again.Inc()
		return
	}
	c.wait.Observe(max(now.Sub(m.Time).Seconds(), 0)) // by two clocks
}

// observe adds how long something took, and by which trace that can be seen, if ctx has one that is recorded.
func (b *Bus) observe(ctx context.Context, to prometheus.Observer, took time.Duration) {
	if b.tracing {
		span := trace.SpanContextFromContext(ctx)
		if exemplars, ok := to.(prometheus.ExemplarObserver); ok && span.IsSampled() {
			exemplars.ObserveWithExemplar(took.Seconds(), prometheus.Labels{"trace_id": span.TraceID().String(), "span_id": span.SpanID().String()})
			return
		}
	}
	to.Observe(took.Seconds())
}
