package moral

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics count decisions, and what there was none of.
type metrics struct {
	decisions *prometheus.CounterVec
	unjudged  *prometheus.CounterVec
	seconds   *prometheus.HistogramVec
	threshold prometheus.Gauge
	reports   prometheus.Counter
	outcomes  prometheus.Counter
}

// Why something was not judged.
const (
	noScore     = "no_score"     // the request brought none, and there is no scorer
	noText      = "no_text"      // there is nothing to judge
	noScorer    = "scorer_error" // the scorer failed
	tooMuchText = "too_much_text"
)

// newMetrics makes and registers the metrics; a nil registerer keeps them unregistered.
func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		decisions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mlsdm_moral_decisions_total", Help: "Decisions of the moral filter: accept or reject, by stage.",
		}, []string{"stage", "decision"}),
		unjudged: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mlsdm_moral_unjudged_total", Help: "Prompts and pieces of answers without a decision, and why.",
		}, []string{"stage", "reason"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "mlsdm_moral_scorer_seconds", Help: "Time that the scorer of the moral filter took, by whether it gave a score.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"ok"}),
		threshold: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "mlsdm_moral_threshold", Help: "Least score that passes, as this replica last used it.",
		}),
		reports: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "mlsdm_moral_reports_lost_total", Help: "Events of the moral filter that could not be published.",
		}),
		outcomes: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "mlsdm_moral_outcomes_lost_total", Help: "Decisions of the moral filter that the other replicas will never know of.",
		}),
	}
	if reg == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.decisions, m.unjudged, m.seconds, m.threshold, m.reports, m.outcomes} {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("metrics of the moral filter: %w", err)
		}
	}
	return m, nil
}
