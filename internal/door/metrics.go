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
	cost     *prometheus.CounterVec
	unpriced *prometheus.CounterVec
	inputs   *prometheus.CounterVec
	lost     prometheus.Counter

	mu     sync.Mutex
	models map[string]struct{} // that have labels of their own
	good   map[served]*counters
}

// served is a kind of requests that were answered.
type served struct{ kind, door, model string }

// counters are what is counted of them: finding it by its labels takes longer than counting.
type counters struct {
	requests           prometheus.Counter
	seconds            prometheus.Observer
	prompt, completion prometheus.Counter // nil until there is something to count
	hit, miss          prometheus.Counter // likewise
}

// maxModels is how many models get labels of their own. Most providers have fewer, but there are servers that take every
// name that a caller thinks up, and each label costs memory for as long as the process lives.
const maxModels = 200

// otherModel is the label of the models that come after those.
const otherModel = "other"

// newMetrics makes and registers the metrics; a nil registerer keeps them unregistered.
func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		models: make(map[string]struct{}), good: make(map[served]*counters),
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
		cost: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mlsdm_cost_total", Help: "What requests cost, in the currency of the price table.",
		}, []string{"kind", "model"}),
		unpriced: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mlsdm_unpriced_total", Help: "Requests whose cost is not known, as the price table does not have their model.",
		}, []string{"kind", "model"}),
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
	for _, c := range []prometheus.Collector{m.requests, m.seconds, m.tokens, m.cost, m.unpriced, m.inputs, m.lost} {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("request metrics: %w", err)
		}
	}
	return m, nil
}

// label returns the label of a model. The lock is held.
func (m *metrics) label(model string) string {
	if _, known := m.models[model]; !known {
		if len(m.models) >= maxModels {
			return otherModel
		}
		m.models[model] = struct{}{}
	}
	return model
}

// of returns the counters of a request that was answered; there are as many as there are labels.
func (m *metrics) of(r *events.RequestProcessed) (counted counters, model string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if model = r.Model; model != "" {
		model = m.label(model)
	}
	which := served{r.Kind, r.Door, model}
	c := m.good[which]
	if c == nil {
		c = &counters{requests: m.requests.WithLabelValues(r.Kind, r.Door, model, "ok"), seconds: m.seconds.WithLabelValues(r.Kind, r.Door, model)}
		m.good[which] = c
	}
	if model != "" && r.PromptTokens > 0 && c.prompt == nil {
		c.prompt = m.tokens.WithLabelValues(r.Kind, model, "prompt")
	}
	if model != "" && r.CompletionTokens > 0 && c.completion == nil {
		c.completion = m.tokens.WithLabelValues(r.Kind, model, "completion")
	}
	if model != "" && r.Inputs > 0 && c.hit == nil {
		c.hit, c.miss = m.inputs.WithLabelValues(model, "hit"), m.inputs.WithLabelValues(model, "miss")
	}
	return *c, model
}

// count takes one request into account. The model is a label only for requests that succeeded: of the names that callers
// make up there is no end.
func (m *metrics) count(r *events.RequestProcessed) {
	if r.Outcome != events.OutcomeOK {
		m.requests.WithLabelValues(r.Kind, r.Door, "", string(r.Code)).Inc()
		m.seconds.WithLabelValues(r.Kind, r.Door, "").Observe(r.LatencyMS / 1000)
		return
	}
	c, model := m.of(r)
	c.requests.Inc()
	c.seconds.Observe(r.LatencyMS / 1000)
	if model == "" {
		return
	}
	if r.PromptTokens > 0 {
		c.prompt.Add(float64(r.PromptTokens))
	}
	if r.CompletionTokens > 0 {
		c.completion.Add(float64(r.CompletionTokens))
	}
	if r.Cost > 0 {
		m.cost.WithLabelValues(r.Kind, model).Add(r.Cost)
	}
	if r.Unpriced {
		m.unpriced.WithLabelValues(r.Kind, model).Inc()
	}
	if r.Inputs > 0 {
		c.hit.Add(float64(r.CachedInputs))
		c.miss.Add(float64(r.Inputs - r.CachedInputs))
	}
}
