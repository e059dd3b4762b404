package tracker

import (
	"strconv"
	"time"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Status returns what people are shown.
func (s State) Status(rules Rules, now time.Time) events.CIWorkflowStatus {
	stats := s.Stats(now)
	out := events.CIWorkflowStatus{
		Forge: s.Forge, Repository: s.Repository, Workflow: named(s.Workflow), WorkflowID: s.WorkflowID, Branch: named(s.Branch),
		PullRequests: s.PullRequests, ConsecutiveFailures: s.ConsecutiveFailures(), LastRun: s.lastRun(), LastGood: s.LastGood, Stats: &stats,
	}
	out.Health, out.Since = s.healthSince(rules, now)
	if s.Degraded != nil {
		out.DegradedSince = s.Degraded.Since
	}
	if r, ok := s.LastRecovery(); ok {
		out.LastRecoveryAt = r.AskedAt
	}
	if n := len(s.Recoveries); n > 0 {
		out.Recovery = s.Recoveries[n-1].line()
	}
	out.Flaky = s.rates(dayOf(now))
	out.Flaky = out.Flaky[:min(len(out.Flaky), events.MaxCIJobs)]
	return out
}

// lastRun returns the last run with the jobs that failed.
func (s *State) lastRun() *events.CIRun {
	if s.LastRun == nil || s.Failed == nil || s.LastRun.RunID != s.Failed.ID || s.LastRun.RunAttempt != s.Failed.Attempt {
		return s.LastRun
	}
	run := s.ciRun(*s.Failed)
	return &run
}

// line says how a recovery does, for a person.
func (r Recovery) line() string {
	line := r.Action + " of run " + strconv.FormatInt(r.RunID, 10) + ": "
	switch r.State {
	case events.CIRecoveryDryRun:
		line += "not done, because of the dry run"
	default:
		line += r.State
	}
	if r.Reason != "" {
		line += " (" + r.Reason + ")"
	}
	return line
}

// History returns what was counted and done, the newest first: at most limit runs, all of them when it is 0.
func (s State) History(limit int) events.CIHistory {
	if limit <= 0 || limit > len(s.Runs) {
		limit = len(s.Runs)
	}
	workflow, branch := named(s.Workflow), named(s.Branch)
	out := events.CIHistory{Runs: make([]events.CIPastRun, 0, limit)}
	for i := range limit {
		r := s.Runs[len(s.Runs)-1-i]
		past := events.CIPastRun{
			Workflow: workflow, Branch: branch, RunID: r.ID, RunNumber: r.Number, Attempts: r.attempts(), Result: r.word(), HeadSHA: r.SHA,
			Flaky: r.Flaky, StartedAt: r.startedAt(), QueueSeconds: float64(max(r.Queue, 0)) / 1000, RunSeconds: float64(r.Took) / 1000,
		}
		if s.Page != "" {
			past.URL = s.Page + strconv.FormatInt(r.ID, 10)
		}
		for _, job := range r.Jobs {
			past.FailedJobs = append(past.FailedJobs, job.Name)
		}
		out.Runs = append(out.Runs, past)
	}
	for i := range s.Recoveries {
		r := s.Recoveries[len(s.Recoveries)-1-i]
		out.Recoveries = append(out.Recoveries, r.told(workflow, branch))
	}
	for i := range s.Days {
		d := s.Days[len(s.Days)-1-i]
		out.Days = append(out.Days, events.CIDay{
			Day:      time.Unix(int64(d.Day)*secondsOfDay, 0).UTC().Format(time.DateOnly),
			Workflow: workflow, Branch: branch, Runs: d.Runs, Failed: d.Failed,
		})
	}
	return out
}

// told is a recovery as people are shown it.
func (r Recovery) told(workflow, branch string) events.CIRecovery {
	return events.CIRecovery{
		ID: r.ID, Workflow: workflow, Branch: branch, Action: r.Action, Rule: r.Rule, State: r.State, Reason: r.Reason, RunID: r.RunID,
		RunAttempt: r.RunAttempt, HeadSHA: r.HeadSHA, At: r.At,
	}
}

// word is the run's result in a word.
func (r Run) word() string {
	switch r.result() {
	case failed:
		return "failed"
	case passed:
		return "passed"
	default:
		return "neither"
	}
}
