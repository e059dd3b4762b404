package ciwatch

import (
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	forge "github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/oldforge"
)

// metrics are what ciwatch counts.
type metrics struct {
	polls       *prometheus.CounterVec
	pollS       prometheus.Histogram
	notModified prometheus.Counter
	runs        *prometheus.CounterVec
	streak      *prometheus.GaugeVec
	degraded    *prometheus.GaugeVec
	quota       prometheus.Gauge
	lastPoll    prometheus.Gauge
}

func newMetrics(registry prometheus.Registerer) (*metrics, error) {
	workflow := []string{"workflow", "branch"}
	m := &metrics{
		polls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mlsdm_ci_polls_total", Help: "Polls of GitHub, by error code (ok without one).",
		}, []string{"code"}),
		pollS: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "mlsdm_ci_poll_seconds", Help: "How long a poll took, with all that was published because of it.",
			Buckets: []float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60},
		}),
		notModified: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "mlsdm_ci_github_not_modified_total", Help: "Answers of GitHub without news (304), which cost none of the rate limit.",
		}),
		runs: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mlsdm_ci_runs_total", Help: "Attempts of runs that were counted, by conclusion.",
		}, []string{"conclusion"}),
		streak: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "mlsdm_ci_consecutive_failures", Help: "Failed runs in a row, by workflow and branch.",
		}, workflow),
		degraded: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "mlsdm_ci_degraded", Help: "1 while health is degraded, by workflow and branch.",
		}, workflow),
		quota: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "mlsdm_ci_github_quota_remaining", Help: "Requests that GitHub's rate limit leaves in its current window.",
		}),
		lastPoll: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "mlsdm_ci_last_poll_timestamp_seconds", Help: "When GitHub last answered, in Unix seconds.",
		}),
	}
	if registry == nil {
		return m, nil
	}
	var errs []error
	for _, c := range []prometheus.Collector{m.polls, m.pollS, m.notModified, m.runs, m.streak, m.degraded, m.quota, m.lastPoll} {
		errs = append(errs, registry.Register(c))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("registering ciwatch's metrics: %w", err)
	}
	return m, nil
}

// polled counts one poll.
func (m *metrics) polled(began time.Time, err error) {
	code := "ok"
	if err != nil {
		code = string(events.CodeOf(err))
	} else {
		m.lastPoll.SetToCurrentTime()
	}
	m.polls.WithLabelValues(code).Inc()
	m.pollS.Observe(time.Since(began).Seconds())
}

// counted counts one attempt. What GitHub may invent as a conclusion does not become a label.
func (m *metrics) counted(c forge.Conclusion) {
	if !c.Known() {
		c = "other"
	}
	m.runs.WithLabelValues(string(c)).Inc()
}
