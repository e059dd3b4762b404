package genai

import (
	"fmt"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"
)

const (
	// maxModels is how many models get labels of their own: there are servers that take every name that a caller thinks up.
	maxModels = 100
	// otherModel is the label of those that come after, and of those that have never answered.
	otherModel = "other"
)

// metrics are the client metrics of the conventions, by the names that Prometheus has for them.
type metrics struct {
	tokens   *prometheus.HistogramVec
	duration *prometheus.HistogramVec
	first    *prometheus.HistogramVec
	chunk    *prometheus.HistogramVec

	mu     sync.Mutex
	models map[answered]*series // that have labels of their own
}

// answered is a model that has answered to an operation.
type answered struct{ operation, provider, address, model string }

// series are the metrics of one model. Finding them by their labels takes longer than counting.
type series struct {
	duration, first, input, output *told
	chunk                          prometheus.Observer
}

// newMetrics makes and registers the metrics.
func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	labels := []string{"gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model", "server_address"}
	seconds := prometheus.ExponentialBuckets(0.01, 2, 14) // to 81.92
	histogram := func(name, help string, buckets []float64, more ...string) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, append(slices.Clip(labels), more...))
	}
	m := &metrics{
		models: make(map[answered]*series),
		tokens: histogram("gen_ai_client_token_usage", "Tokens of one attempt at a model, by type: input, cached ones included, or output.",
			prometheus.ExponentialBuckets(1, 4, 14), "gen_ai_token_type"),
		duration: histogram("gen_ai_client_operation_duration_seconds",
			"Time that one attempt at a model took, whole streams included, by what it failed with (empty without a failure).", seconds, "error_type"),
		first: histogram("gen_ai_client_operation_time_to_first_chunk_seconds", "Time until the first chunk of a stream.", seconds),
		chunk: histogram("gen_ai_client_operation_time_per_output_chunk_seconds", "Time between two chunks of a stream.", seconds),
	}
	for _, c := range []prometheus.Collector{m.tokens, m.duration, m.first, m.chunk} {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("GenAI metrics: %w", err)
		}
	}
	return m, nil
}

// of returns the metrics of a model that has answered, and whether it has labels of its own; of one that has not only if it has before.
func (m *metrics) of(which answered, ok bool) (s *series, own bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s = m.models[which]; s != nil {
		return s, true
	}
	if !ok {
		return nil, false
	}
	if own = len(m.models) < maxModels; !own {
		which.model = otherModel
		if s = m.models[which]; s != nil {
			return s, false
		}
	}
	values := which.labels()
	s = &series{
		duration: &told{to: m.duration.WithLabelValues(append(values, "")...)},
		first:    &told{to: m.first.WithLabelValues(values...)},
		chunk:    m.chunk.WithLabelValues(values...),
		input:    &told{to: m.tokens.WithLabelValues(append(values, "input")...)},
		output:   &told{to: m.tokens.WithLabelValues(append(values, "output")...)},
	}
	m.models[which] = s
	return s, own
}

// labels are the values of the labels that all metrics have.
func (a answered) labels() []string {
	values := make([]string, 0, 5) //nolint:mnd // and one more for those that have more
	return append(values, a.operation, a.provider, a.model, a.address)
}

// failed returns the duration of attempts that have failed.
func (m *metrics) failed(which answered, own bool, errorType string) prometheus.Observer {
	if !own {
		which.model = otherModel
	}
	return m.duration.WithLabelValues(append(which.labels(), errorType)...)
}

// told is one series, and when it got its last exemplar.
type told struct {
	to prometheus.Observer

	at    atomic.Int64  // in nanoseconds
	value atomic.Uint64 // the bits of it
}

// exemplarsEvery is how often a series gets an exemplar at the most: each takes as long as ten observations, and of those of one bucket
// only the last is kept. What is more than the last of them gets one in any case: that is what is looked for.
const exemplarsEvery = 100 * time.Millisecond

// observe counts a value, with an exemplar that names the trace if somebody will see it.
func (t *told) observe(value float64, span trace.Span) {
	if span == nil || !t.tells(value) {
		t.to.Observe(value)
		return
	}
	observe(t.to, value, span)
}

// tells reports whether an exemplar is due.
func (t *told) tells(value float64) bool {
	now, last := time.Now().UnixNano(), t.at.Load()
	if now-last < int64(exemplarsEvery) && value <= math.Float64frombits(t.value.Load()) {
		return false
	}
	t.at.Store(now)
	t.value.Store(math.Float64bits(value))
	return true
}

// observe counts a value, with the trace of a span if that is kept.
func observe(o prometheus.Observer, value float64, span trace.Span) {
	if with, can := o.(prometheus.ExemplarObserver); can && span != nil && span.SpanContext().IsSampled() {
		at := span.SpanContext()
		with.ObserveWithExemplar(value, prometheus.Labels{"trace_id": at.TraceID().String(), "span_id": at.SpanID().String()})
		return
	}
	o.Observe(value)
}
