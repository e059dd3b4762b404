package watch

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/pace"
)

// metrics are what is counted, and what is told of the states that this replica leads.
type metrics struct {
	polls    *prometheus.CounterVec
	pollS    *prometheus.HistogramVec
	free     *prometheus.CounterVec
	runs     *prometheus.CounterVec
	lastPoll *prometheus.GaugeVec
}

func newMetrics(registry prometheus.Registerer, w *Watch) (*metrics, error) {
	m := &metrics{
		polls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mlsdm_ci_polls_total", Help: "Polls of repositories, by forge and error code (ok without one).",
		}, []string{"forge", "code"}),
		pollS: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "mlsdm_ci_poll_seconds", Help: "How long a poll took, with all that was published because of it.",
			Buckets: []float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60},
		}, []string{"forge"}),
		free: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mlsdm_ci_not_modified_total", Help: "Polls that a forge answered without news (304), which cost none of the rate limit.",
		}, []string{"forge"}),
		runs: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mlsdm_ci_runs_total", Help: "Attempts of runs that were counted, by conclusion.",
		}, []string{"conclusion"}),
		lastPoll: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "mlsdm_ci_last_poll_timestamp_seconds", Help: "When a forge last answered, in Unix seconds.",
		}, []string{"forge"}),
	}
	if registry == nil {
		return m, nil
	}
	var errs []error
	for _, c := range []prometheus.Collector{m.polls, m.pollS, m.free, m.runs, m.lastPoll, newStates(w)} {
		errs = append(errs, registry.Register(c))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("registering ciwatch's metrics: %w", err)
	}
	return m, nil
}

// polled counts one poll.
func (m *metrics) polled(forgeName string, began time.Time, o pace.Outcome) {
	code := "ok"
	if o.Err != nil {
		code = string(events.CodeOf(o.Err))
	} else {
		m.lastPoll.WithLabelValues(forgeName).SetToCurrentTime()
	}
	if o.NotModified {
		m.free.WithLabelValues(forgeName).Inc()
	}
	m.polls.WithLabelValues(forgeName, code).Inc()
	m.pollS.WithLabelValues(forgeName).Observe(time.Since(began).Seconds())
}

// counted counts one attempt. What a forge may invent as a conclusion does not become a label.
func (m *metrics) counted(c forge.Conclusion) {
	if !c.Known() {
		c = "other"
	}
	m.runs.WithLabelValues(string(c)).Inc()
}

// states tells, whenever it is asked, of the states that this replica leads: nothing is left of those that are gone or led by another.
type states struct {
	watch                                                        *Watch
	streak, health, failureRate, recovery, green, queue, run     *prometheus.Desc
	remaining, limit, planned, cost, budget, stretch, repository *prometheus.Desc
	leads                                                        *prometheus.Desc
}

func newStates(w *Watch) *states {
	workflow := []string{"forge", "repository", "workflow", "branch"}
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, labels, nil)
	}
	return &states{
		watch:       w,
		streak:      desc("mlsdm_ci_consecutive_failures", "Failed runs in a row.", workflow...),
		health:      desc("mlsdm_ci_health", "1 for the state that health is in.", append(workflow, "health")...),
		failureRate: desc("mlsdm_ci_failure_ratio", "Share of the last 30 days' runs that failed, 0 to 1.", workflow...),
		recovery:    desc("mlsdm_ci_mean_time_to_recovery_seconds", "Mean time from degraded to healthy, over 30 days.", workflow...),
		green:       desc("mlsdm_ci_time_to_green_seconds", "Mean time from the first failed run of a streak to the run that ended it, over 30 days.", workflow...),
		queue:       desc("mlsdm_ci_queue_seconds", "How long the last 64 runs waited to start.", append(workflow, "quantile")...),
		run:         desc("mlsdm_ci_run_seconds", "How long the last 64 runs took.", append(workflow, "quantile")...),
		remaining:   desc("mlsdm_ci_quota_remaining", "Requests that a forge leaves to a credential in its current window.", "forge", "credential"),
		limit:       desc("mlsdm_ci_quota_limit", "Requests of a window.", "forge", "credential"),
		planned:     desc("mlsdm_ci_polls_planned_per_hour", "Routine polls that this replica plans an hour.", "forge"),
		cost:        desc("mlsdm_ci_requests_planned_per_hour", "Requests of these that are expected to count against the rate limit.", "forge"),
		budget:      desc("mlsdm_ci_requests_budget_per_hour", "Requests an hour with which the rate limit lasts.", "forge"),
		stretch:     desc("mlsdm_ci_poll_stretch", "By how much polls are spread to make the rate limit last; 1 is not at all.", "forge"),
		repository:  desc("mlsdm_ci_repositories", "Repositories that this replica polls.", "forge"),
		leads:       desc("mlsdm_ci_shards_led", "Parts of the repositories that this replica leads."),
	}
}

// Describe implements [prometheus.Collector].
func (s *states) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		s.streak, s.health, s.failureRate, s.recovery, s.green, s.queue, s.run, s.remaining, s.limit, s.planned, s.cost, s.budget, s.stretch,
		s.repository, s.leads,
	} {
		ch <- d
	}
}

// maxSeries bounds the workflows that are told of, each of which has some twenty time series.
const maxSeries = 2000

// Collect implements [prometheus.Collector].
func (s *states) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	now := time.Now()
	for _, q := range s.watch.Quotas() {
		gauge(s.remaining, float64(q.Remaining), q.Forge, q.Credential)
		gauge(s.limit, float64(q.Limit), q.Forge, q.Credential)
	}
	for name, p := range s.watch.plans {
		plan := p.planned(now)
		gauge(s.planned, plan.PollsPerHour, name)
		gauge(s.cost, plan.CostPerHour, name)
		gauge(s.budget, plan.BudgetPerHour, name)
		gauge(s.stretch, plan.Stretch, name)
		gauge(s.repository, float64(plan.Repositories), name)
	}
	led := 0
	for shard := range events.CIShards {
		if s.watch.leads(shard) {
			led++
		}
	}
	gauge(s.leads, float64(led))
	view, err := s.watch.seen()
	if err != nil {
		return // nothing is known yet
	}
	told := map[[4]string]bool{}
	all := view.all()
	slices.SortFunc(all, func(a, b *entry) int { return cmp.Compare(a.key, b.key) }) // so that they are the same ones each time, if there are too many
	for _, known := range all {
		if len(told) >= maxSeries {
			return
		}
		state := known.state
		if !s.watch.leads(known.shard) || !s.watch.watches(known.repository) {
			continue
		}
		labels := [4]string{state.Forge, state.Repository, state.Workflow, branchLabel(state.Branch, state.PullRequests)}
		rule, ok := s.watch.ruleOf(state)
		if !ok || told[labels] {
			continue
		}
		told[labels] = true
		status := state.Status(rule.Tracker(), now)
		l := labels[:]
		gauge(s.streak, float64(status.ConsecutiveFailures), l...)
		gauge(s.health, 1, append(l, status.Health)...)
		gauge(s.failureRate, status.Stats.FailureRate, l...)
		gauge(s.recovery, status.Stats.MeanTimeToRecovery, l...)
		gauge(s.green, status.Stats.TimeToGreen, l...)
		for _, q := range []struct {
			desc  *prometheus.Desc
			of, v float64
		}{
			{s.queue, .5, status.Stats.QueueP50},
			{s.queue, .95, status.Stats.QueueP95},
			{s.run, .5, status.Stats.RunP50},
			{s.run, .95, status.Stats.RunP95},
		} {
			gauge(q.desc, q.v, append(l, strconv.FormatFloat(q.of, 'g', -1, 64))...)
		}
	}
}

// branchLabel tells the runs of pull requests from those of their branch.
func branchLabel(branch string, pullRequests bool) string {
	if pullRequests {
		return branch + " (pull requests)"
	}
	return branch
}
