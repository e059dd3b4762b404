package policy

import (
	"fmt"
	"time"

	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/tracker"
)

// Decision is what is to be done about a branch now.
type Decision struct {
	// Act says that Recovery is to be planned; DryRun that it is to be told and not done. The reason of a dry run says what would be done.
	Act, DryRun bool
	Recovery    tracker.Recovery
	// WhyNot is a sentence for a person; empty when Act.
	WhyNot string
}

// Decide says what is to be done about a branch, as the rule, one that [Rules.For] returned, wants it. When a person asks for it, the
// threshold, the cooldown and the bounds on the number do not hold; everything else does.
func Decide(s tracker.State, rule Rule, now time.Time, asked bool) Decision {
	c := rule.Recovery
	if c.Action == "" || c.Action == None {
		return no("the rule %q recovers nothing", rule.Name)
	}
	run, ok := s.LastFailed()
	if !ok {
		return no("no run has failed since the last one that passed")
	}
	if why := whyNot(s, rule, run, now, asked); why != "" {
		return Decision{WhyNot: why}
	}
	return Decision{Act: true, DryRun: c.DryRun, Recovery: tracker.Recovery{
		Action: c.Action, Rule: rule.Name, Reason: reason(s, c, run, asked), RunID: run.ID, RunAttempt: run.Attempt, HeadSHA: run.HeadSHA, At: now,
	}}
}

// no is a decision to do nothing.
func no(format string, args ...any) Decision { return Decision{WhyNot: fmt.Sprintf(format, args...)} }

// reason says why a run is recovered and, in a dry run, what would be done.
func reason(s tracker.State, c Recovery, run forge.Run, asked bool) string {
	failures := s.ConsecutiveFailures()
	switch {
	case c.DryRun && asked:
		return "would " + deed(c, run) + ": asked for by a person"
	case c.DryRun && failures == 1:
		return fmt.Sprintf("would %s of %s on %s: it failed", deed(c, run), s.Workflow, s.Branch)
	case c.DryRun:
		return fmt.Sprintf("would %s of %s on %s: %d failures in a row", deed(c, run), s.Workflow, s.Branch, failures)
	case asked:
		return "asked for by a person"
	case failures == 1:
		return fmt.Sprintf("a failed run of %s on %s", s.Workflow, s.Branch)
	default:
		return fmt.Sprintf("%d failed runs in a row of %s on %s", failures, s.Workflow, s.Branch)
	}
}

// deed says what is done about a run.
func deed(c Recovery, run forge.Run) string {
	subject := fmt.Sprintf("run %d (attempt %d)", run.ID, run.Attempt)
	if !run.Counted {
		subject = fmt.Sprintf("run %d", run.ID)
	}
	switch c.Action {
	case RerunFailedJobs:
		return "rerun the failed jobs of " + subject
	case Rerun:
		return "rerun " + subject
	case WorkflowDispatch:
		return "start " + c.Workflow + " because of " + subject
	case Webhook:
		return "post a webhook about " + subject
	default:
		return "tell of " + subject
	}
}
