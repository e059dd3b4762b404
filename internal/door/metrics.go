package door

import (
	"fmt"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// metrics count what went through the doors.
type metrics struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	tokens   *prometheus.CounterVec
	inputs   *prometheus.CounterVec
	lost     prometheus.Counter

	mu     sync.Mutex
	models map[string]struct{} // that have labels of their own
}

// maxModels is how many models get labels of their own. Most providers have fewer, but there are servers that take every
// name that a caller thinks up, and each label costs memory for as long as the process lives.
const maxModels = 200

// otherModel is the label of the models that come after those.
const otherModel = "other"

// newMetrics makes and registers the metrics; a nil registerer keeps them unregistered.
func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		models: make(map[string]struct{}),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mlsdm_requests_total", Help: "Embed and generate requests that ended, by error code (ok without one).",
		}, []string{"kind", "door", "model", "code"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "mlsdm_request_seconds", Help: "Time from the arrival of a request to its reply.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120},
		}, []string{"kind", "door", "model"}),
		tokens: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mlsdm_tokens_total", Help: "Tokens, as the providers counted them.",
		}, []string{"kind", "model", "type"}),
		inputs: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mlsdm_embedded_inputs_total", Help: "Texts of embed requests, by whether the cache had their vectors.",
		}, []string{"model", "cache"}),
		lost: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "mlsdm_reports_lost_total", Help: "request.processed events that could not be published.",
		}),
	}
	if reg == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.requests, m.seconds, m.tokens, m.inputs, m.lost} {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("request metrics: %w", err)
		}
	}
	return m, nil
}

// label returns the label of a model.
func (m *metrics) label(model string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, known := m.models[model]; !known {
		if len(m.models) >= maxModels {
			return otherModel
		}
		m.models[model] = struct{}{}
	}
	return model
}

// count takes one request into account. The model is a label only for requests that succeeded: of the names that callers
// make up there is no end.
func (m *metrics) count(r *events.RequestProcessed) {
	code, model := "ok", r.Model
	if r.Outcome != events.OutcomeOK {
		code, model = string(r.Code), ""
	} else if model != "" {
		model = m.label(model)
	}
	m.requests.WithLabelValues(r.Kind, r.Door, model, code).Inc()
	m.seconds.WithLabelValues(r.Kind, r.Door, model).Observe(r.LatencyMS / 1000)
	if model == "" {
		return
	}
	if r.PromptTokens > 0 {
		m.tokens.WithLabelValues(r.Kind, model, "prompt").Add(float64(r.PromptTokens))
	}
	if r.CompletionTokens > 0 {
		m.tokens.WithLabelValues(r.Kind, model, "completion").Add(float64(r.CompletionTokens))
	}
	if r.Inputs > 0 {
		m.inputs.WithLabelValues(model, "hit").Add(float64(r.CachedInputs))
		m.inputs.WithLabelValues(model, "miss").Add(float64(r.Inputs - r.CachedInputs))
	}
}
