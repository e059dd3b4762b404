// Package tracker turns the completed runs of one workflow on one branch into CI health and the events that tell of it.
//
// It is a pure state machine: a [State] and a run give the next State and what is to be published. What counts is the
// set of attempts seen, not the order in which they came: runs are ordered by their number, a later attempt of a run
// replaces the result of an earlier one, and what neither failed nor passed (cancelled, skipped, neutral, stale, action
// required) leaves the result of its run, and the streak, as they were.
package tracker

import (
	"fmt"
	"slices"
	"time"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	forge "github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/oldforge"
)

// ActionNotify is the only recovery action so far: whoever listens to system.recovery_triggered acts.
const ActionNotify = "notify"

// maxDuration bounds what is believed of an attempt's length; GitHub ends a run after 35 days.
const maxDuration = 366 * 24 * time.Hour

// Rules say when health changes.
type Rules struct {
	// Threshold is the number of failed runs in a row at which health is degraded; at least 1.
	Threshold int
	// Cooldown is the least time between two recoveries.
	Cooldown time.Duration
}

// Event is one thing to be published.
type Event struct {
	// ID is the same whenever the same State meets the same run, and differs for everything else.
	ID string
	// Time is when it happened.
	Time time.Time
	// Payload is valid by its own rules.
	Payload events.Payload
}

// Start returns the state of a workflow that was never seen before, and those of runs that must still be observed.
//
// What ended before the watch began is history and makes no events, with one exception: the streak of failures that
// still lasts is news. So all up to the last success from before watchedSince is taken in silently.
func Start(repository string, runs []forge.Run, watchedSince time.Time) (State, []forge.Run) {
	runs = slices.Clone(runs)
	slices.SortStableFunc(runs, Compare)
	state := State{Version: stateVersion, Repository: repository}
	if len(runs) > 0 {
		state.Floor = runs[0].Number
	}
	news := 0
	for i, run := range runs {
		if run.Conclusion.Passed() && run.CompletedAt.Before(watchedSince) {
			news = i + 1
		}
	}
	for _, run := range runs[:news] {
		if !state.Seen(run) {
			state, _ = state.record(run)
			state = state.trim()
		}
	}
	return state, runs[news:]
}

// Observe counts one run and returns the state after it and what is to be published, in order. A run that was counted
// before, or is older than all that the state remembers, changes nothing. The state that it is called on stays as it was.
func (s State) Observe(run forge.Run, rules Rules, now time.Time) (State, []Event) {
	if s.Seen(run) {
		return s, nil
	}
	next, at := s.record(run)
	var out []Event
	switch result := resultOf(run.Conclusion); result {
	case failed:
		before, _ := next.streakBelow(at)
		out = append(out, next.event(run, run.CompletedAt, runID(run), events.CIRunFailed{CIRun: next.ciRun(run), ConsecutiveFailures: before + 1}))
	case passed:
		out = append(out, next.event(run, run.CompletedAt, runID(run), events.CIRunSucceeded{CIRun: next.ciRun(run)}))
		out = append(out, next.flaky(run, at)...)
	default:
		return next.trim(), nil
	}
	out = append(out, next.changeHealth(run, rules)...)
	out = append(out, next.recover(run, rules, now)...)
	return next.trim(), out
}

// flaky tells, once a commit, that it failed before and passes now. Attempts that come in the wrong order make none.
func (s *State) flaky(run forge.Run, at int) []Event {
	if run.HeadSHA == "" {
		return nil
	}
	payload := events.CIFlaky{CIRun: s.ciRun(run)}
	for i, other := range s.Runs[:at+1] {
		if other.SHA != run.HeadSHA {
			continue
		}
		if other.Flaky {
			return nil
		}
		for _, attempt := range other.Attempts {
			switch {
			case attempt.Result != failed:
			case i < at:
				payload.FailedRunID, payload.FailedAttempt = other.ID, 0
			case attempt.Number < run.Attempt:
				payload.FailedRunID, payload.FailedAttempt = other.ID, attempt.Number
			}
		}
	}
	if payload.FailedRunID == 0 {
		return nil
	}
	s.Runs[at].Flaky = true
	return []Event{s.event(run, run.CompletedAt, fmt.Sprintf("%d\n%s\n%s", s.WorkflowID, s.Branch, run.HeadSHA), payload)}
}

// changeHealth tells that the threshold was crossed, or that the branch is green again.
func (s *State) changeHealth(run forge.Run, rules Rules) []Event {
	failures, first := s.streakBelow(len(s.Runs))
	switch {
	case s.Degraded == nil && failures >= max(rules.Threshold, 1):
		s.Episode++
		s.Degraded = &Degradation{Since: run.CompletedAt, Failures: failures, FirstRunID: first.ID, FirstStartedAt: first.StartedAt}
		return []Event{s.episodeEvent(run.CompletedAt, events.CIDegraded{
			CIRun: s.ciRun(run), ConsecutiveFailures: failures, Threshold: max(rules.Threshold, 1), FirstFailedRunID: first.ID,
		})}
	case s.Degraded != nil && failures == 0:
		ev := s.episodeEvent(run.CompletedAt, events.CIRecovered{
			CIRun: s.ciRun(run), FailedRuns: s.Degraded.Failures, DegradedSince: s.Degraded.Since,
		})
		s.Degraded = nil
		return []Event{ev}
	case s.Degraded != nil:
		s.Degraded.Failures = max(s.Degraded.Failures, failures)
	}
	return nil
}

// recover triggers the recovery of an episode, once: when health degrades or, if the cooldown forbids it then, with the
// first failed run after it.
func (s *State) recover(run forge.Run, rules Rules, now time.Time) []Event {
	if s.Degraded == nil || s.RecoveredEpisode == s.Episode || !run.Conclusion.Failed() {
		return nil
	}
	if !s.LastRecoveryAt.IsZero() && now.Sub(s.LastRecoveryAt) < rules.Cooldown {
		return nil
	}
	s.RecoveredEpisode, s.LastRecoveryAt = s.Episode, now.UTC()
	failures, _ := s.streakBelow(len(s.Runs))
	return []Event{s.episodeEvent(now.UTC(), events.SystemRecoveryTriggered{
		Trigger: events.TypeCIDegraded, Action: ActionNotify,
		Reason:     fmt.Sprintf("%d failed runs of %s in a row on %s", failures, s.Workflow, s.Branch),
		Repository: s.Repository, Workflow: s.Workflow, Branch: s.Branch, RunID: run.ID,
		ConsecutiveFailures: failures, CooldownSeconds: rules.Cooldown.Seconds(),
	})}
}

// ciRun is run as events show it.
func (s *State) ciRun(run forge.Run) events.CIRun {
	return events.CIRun{
		Repository: s.Repository, Workflow: run.Workflow, WorkflowID: run.WorkflowID, Branch: run.Branch,
		RunID: run.ID, RunAttempt: run.Attempt, RunNumber: run.Number, Conclusion: string(run.Conclusion),
		HeadSHA: run.HeadSHA, URL: run.URL, StartedAt: run.StartedAt, CompletedAt: run.CompletedAt,
		DurationSeconds: min(max(run.CompletedAt.Sub(run.StartedAt), 0), maxDuration).Seconds(),
	}
}
