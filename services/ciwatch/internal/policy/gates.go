package policy

import (
	"fmt"
	"strconv"
	"time"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/tracker"
)

const (
	// GitHub runs again what is 30 days old at most, 50 times at most (docs.github.com, "Re-running workflows and jobs"; changelog of
	// 2026-04-10). What has 50 attempts is left alone, too.
	maxRerunAge = 30 * 24 * time.Hour
	maxAttempts = 50
	// patience is how long the result of a recovery is waited for.
	patience = 24 * time.Hour
)

// whyNot says why a run is not recovered; empty when it is.
func whyNot(s tracker.State, rule Rule, run forge.Run, now time.Time, asked bool) string {
	c := rule.Recovery
	if why := underWay(s, run, now); why != "" {
		return why
	}
	if !asked {
		if why := tooMany(s, c, run, now); why != "" {
			return why
		}
	}
	switch {
	case !some(c.Branches, onBranch(run.Branch, "")): // the default branch stands there by its name, see Rules.For
		return fmt.Sprintf("the rule %q recovers nothing on branch %s", rule.Name, run.Branch)
	case !some(c.Events, func(p Pattern) bool { return p.Match(run.Event) }):
		return fmt.Sprintf("the rule %q recovers nothing that was started by %s", rule.Name, strconv.Quote(run.Event))
	case run.FromFork:
		return "the run is a fork's"
	}
	if why := denied(rule, run); why != "" {
		return why
	}
	if c.reruns() {
		return unfit(run, now)
	}
	return ""
}

// reruns reports whether a run is started again.
func (c Recovery) reruns() bool { return c.Action == Rerun || c.Action == RerunFailedJobs }

// underWay says what is, whose result has to be waited for.
func underWay(s tracker.State, run forge.Run, now time.Time) string {
	for _, r := range s.Recoveries {
		waits := r.State == events.CIRecoveryAsked && r.Action != Publish && !r.Passed && now.Sub(r.AskedAt) < patience
		if r.State == events.CIRecoveryPlanned || waits {
			return fmt.Sprintf("the recovery %s (%s of run %d) is under way", r.ID, r.Action, r.RunID)
		}
	}
	for _, noted := range s.Pending {
		if says := noted.Run.Conclusion; !says.Failed() && !says.Passed() && says != forge.Neutral {
			continue
		}
		if forge.Compare(noted.Run, run) > 0 {
			return fmt.Sprintf("run %d is newer, and is not counted yet", noted.Run.ID)
		}
	}
	return ""
}

// tooMany says why it is too early, or was tried often enough.
func tooMany(s tracker.State, c Recovery, run forge.Run, now time.Time) string {
	if s.Degraded == nil {
		return "health is not degraded"
	}
	onCommit, lastHour, wait := 0, 0, ""
	for _, r := range s.Recoveries {
		if !counts(r, s.Episode, c.DryRun) {
			continue
		}
		if r.Episode == s.Episode && (r.State == events.CIRecoveryAsked || r.State == events.CIRecoveryDryRun) {
			return "this time of degraded health has had its recovery" // unless it fails, there is one
		}
		at := r.At
		if r.AskedAt.After(at) { // a forge that was away was asked later than was decided
			at = r.AskedAt
		}
		age := max(now.Sub(at), 0)
		if age < c.Cooldown {
			wait = fmt.Sprintf("the last recovery was %s ago; the cooldown is %s", age.Round(time.Second), c.Cooldown)
		}
		if age < time.Hour {
			lastHour++
		}
		if r.HeadSHA != "" && r.HeadSHA == run.HeadSHA || r.RunID == run.ID {
			onCommit++
		}
	}
	switch {
	case wait != "":
		return wait
	case onCommit >= c.AttemptsPerCommit:
		return fmt.Sprintf("the commit was recovered %s; the rule allows %d", times(onCommit), c.AttemptsPerCommit)
	case lastHour >= c.AttemptsPerHour:
		return fmt.Sprintf("there were %d recoveries in the last hour; the rule allows %d", lastHour, c.AttemptsPerHour)
	case c.reruns() && run.Counted && run.Attempt > c.AttemptsPerCommit:
		return fmt.Sprintf("the run has failed in attempt %d: it was run again before", run.Attempt)
	}
	return ""
}

// counts reports whether a recovery is one of those that are bounded. What was refused is, as it was tried; but not what ended with an
// earlier time of degraded health, which is how those end that nothing was left to do for. Dry runs count for dry runs.
func counts(r tracker.Recovery, episode int, dryRun bool) bool {
	switch r.State {
	case events.CIRecoveryRefused:
		return r.Episode == episode
	case events.CIRecoveryDryRun:
		return dryRun
	default:
		return true
	}
}

// times says how often.
func times(n int) string {
	if n == 1 {
		return "once"
	}
	return strconv.Itoa(n) + " times"
}

// denied says which step must never be run again.
func denied(rule Rule, run forge.Run) string {
	if len(rule.Recovery.NeverWhenStep) == 0 {
		return ""
	}
	for _, never := range rule.Recovery.NeverWhenStep {
		for _, job := range run.Failed {
			if never.MatchString(job.Name) {
				return fmt.Sprintf("the job %q failed, which the rule %q never repeats", job.Name, rule.Name)
			}
			for _, step := range job.FailedSteps {
				if never.MatchString(step) {
					return fmt.Sprintf("the step %q failed, which the rule %q never repeats", step, rule.Name)
				}
			}
		}
	}
	if !run.JobsKnown || mayBeCut(run.Failed) {
		return fmt.Sprintf("which steps failed is not fully known, and the rule %q has some that must not be repeated", rule.Name)
	}
	return ""
}

// What a state keeps of the jobs that failed: so many bytes as JSON, and so many of a name. What fits in, and leaves room for more, is all
// that there was.
const (
	keptJobs  = 4<<10 - 2*keptName - 300 // the last, if there was no room for it, had a name and no more than these
	keptName  = 128
	keptEmpty = 140 // a job without its texts
)

// mayBeCut reports whether there may have been more jobs or steps, or more of their names, than are known.
func mayBeCut(jobs []forge.Job) bool {
	size := 0
	count := func(name string) {
		size += len(strconv.Quote(name)) + 1
		if len(name) > keptName-4 { // which is where one is cut that ends in a character of four bytes
			size = keptJobs + 1
		}
	}
	cut := len(jobs) >= events.MaxCIJobs
	for _, job := range jobs {
		size += keptEmpty + len(job.Conclusion) + len(job.URL)
		count(job.Name)
		for _, step := range job.FailedSteps {
			count(step)
		}
		cut = cut || len(job.FailedSteps) >= events.MaxCISteps
	}
	return cut || size > keptJobs
}

// unfit says why the forge would not run it again, or in vain.
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
	case run.Counted && run.Attempt >= maxAttempts:
		return fmt.Sprintf("run %d has %d attempts already", run.ID, run.Attempt)
	}
	return ""
}
