package policy

import (
	"fmt"
	"time"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/tracker"
)

// What GitHub runs again: a run of at most 30 days, at most 50 times (docs.github.com, "Re-running workflows and jobs"; changelog of 2026-04-10).
const (
	maxRerunAge = 30 * 24 * time.Hour
	maxReruns   = 50
)

// Decision is what is to be done about a branch now.
type Decision struct {
	// Act says that Recovery is to be planned; DryRun that it is to be told and not done.
	Act, DryRun bool
	Recovery    tracker.Recovery
	// WhyNot is a sentence for a person; empty when Act.
	WhyNot string
}

// Decide says what is to be done about a branch, as the rule wants it. When a person asks for it, the threshold, the cooldown and
// the bounds on the number do not hold; everything else does.
func Decide(s tracker.State, rule Rule, now time.Time, asked bool) Decision {
	c := rule.Recovery
	if c.Action == "" || c.Action == None {
		return no("the rule %q recovers nothing", rule.Name)
	}
	run, ok := s.LastFailed()
	if !ok {
		return no("no run has failed that is known")
	}
	if why := whyNot(s, rule, run, now, asked); why != "" {
		return Decision{WhyNot: why}
	}
	reason := fmt.Sprintf("%d failed runs of %s in a row on %s", s.ConsecutiveFailures(), s.Workflow, s.Branch)
	if s.ConsecutiveFailures() == 1 {
		reason = fmt.Sprintf("a failed run of %s on %s", s.Workflow, s.Branch)
	}
	if asked {
		reason = "asked for by a person"
	}
	return Decision{Act: true, DryRun: c.DryRun, Recovery: tracker.Recovery{
		Action: c.Action, Rule: rule.Name, Reason: reason, RunID: run.ID, RunAttempt: run.Attempt, HeadSHA: run.HeadSHA, At: now,
	}}
}

// no is a decision to do nothing.
func no(format string, args ...any) Decision { return Decision{WhyNot: fmt.Sprintf(format, args...)} }

// whyNot says why a run is not recovered; empty when it is.
func whyNot(s tracker.State, rule Rule, run forge.Run, now time.Time, asked bool) string {
	c := rule.Recovery
	if why := underWay(s, now); why != "" {
		return why
	}
	if !asked {
		if why := tooMany(s, c, run, now); why != "" {
			return why
		}
	}
	switch {
	case !some(c.Branches, func(p Pattern) bool { return p.Match(run.Branch) }):
		return fmt.Sprintf("the rule %q recovers nothing on branch %s", rule.Name, run.Branch)
	case !some(c.Events, func(p Pattern) bool { return p.Match(run.Event) }):
		return fmt.Sprintf("the rule %q recovers nothing that was started by %s", rule.Name, run.Event)
	case run.FromFork:
		return "the run is a fork's"
	}
	if why := denied(rule, run); why != "" {
		return why
	}
	if c.Action == RerunFailedJobs || c.Action == Rerun {
		return unfit(run, now)
	}
	return ""
}

// patience is how long the result of a recovery is waited for.
const patience = 24 * time.Hour

// underWay says which recovery is.
func underWay(s tracker.State, now time.Time) string {
	for _, r := range s.Recoveries {
		waits := r.State == events.CIRecoveryAsked && r.Action != Publish && !r.Passed && now.Sub(r.AskedAt) < patience
		if r.State == events.CIRecoveryPlanned || waits {
			return fmt.Sprintf("the recovery %s (%s of run %d) is under way", r.ID, r.Action, r.RunID)
		}
	}
	return ""
}

// tooMany says why it is too early, or was tried often enough.
func tooMany(s tracker.State, c Recovery, run forge.Run, now time.Time) string {
	if s.Degraded == nil {
		return "health is not degraded"
	}
	for _, r := range s.Recoveries {
		if r.Episode == s.Episode && (r.State == events.CIRecoveryAsked || r.State == events.CIRecoveryDryRun) {
			return "this time of degraded health has had its recovery" // unless it fails, there is one
		}
	}
	onCommit, lastHour := 0, 0
	for _, r := range s.Recoveries {
		if r.State == events.CIRecoveryRefused && r.AskedAt.IsZero() && r.RunID != run.ID {
			continue // nothing was done, and it was about another run
		}
		if age := now.Sub(r.At); age < c.Cooldown {
			return fmt.Sprintf("the last recovery was %s ago; the cooldown is %s", age.Round(time.Second), c.Cooldown)
		} else if age < time.Hour {
			lastHour++
		}
		if r.HeadSHA != "" && r.HeadSHA == run.HeadSHA || r.RunID == run.ID {
			onCommit++
		}
	}
	switch {
	case onCommit >= c.AttemptsPerCommit:
		return fmt.Sprintf("the commit was recovered %d times; the rule allows %d", onCommit, c.AttemptsPerCommit)
	case lastHour >= c.AttemptsPerHour:
		return fmt.Sprintf("there were %d recoveries in the last hour; the rule allows %d", lastHour, c.AttemptsPerHour)
	case (c.Action == Rerun || c.Action == RerunFailedJobs) && run.Counted && run.Attempt > c.AttemptsPerCommit:
		return fmt.Sprintf("the run has failed in attempt %d: it was run again before", run.Attempt)
	}
	return ""
}

// denied says which step must never be run again.
func denied(rule Rule, run forge.Run) string {
	if len(rule.Recovery.NeverWhenStep) == 0 {
		return ""
	}
	if !run.JobsKnown {
		return fmt.Sprintf("which steps failed is not known, and the rule %q has some that must not be repeated", rule.Name)
	}
	for _, never := range rule.Recovery.NeverWhenStep {
		for _, job := range run.Failed {
			for _, name := range append([]string{job.Name}, job.FailedSteps...) {
				if never.MatchString(name) {
					return fmt.Sprintf("%q failed, which the rule %q never repeats", name, rule.Name)
				}
			}
		}
	}
	return ""
}

// unfit says why the forge would not run it again.
func unfit(run forge.Run, now time.Time) string {
	created := run.CreatedAt
	if created.IsZero() {
		created = run.StartedAt
	}
	switch {
	case run.Conclusion == forge.StartupFailure:
		return "the workflow could not be started, which is an error in its file: another run would fail in the same way"
	case now.Sub(created) > maxRerunAge:
		return fmt.Sprintf("run %d is more than 30 days old", run.ID)
	case run.Counted && run.Attempt > maxReruns:
		return fmt.Sprintf("run %d was run again %d times", run.ID, run.Attempt-1)
	}
	return ""
}

