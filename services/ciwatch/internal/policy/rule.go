// Package policy says what is watched and how, and when a broken branch is recovered, and how. It asks nothing and changes nothing.
package policy

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/tracker"
)

// Actions of a [Recovery].
const (
	// None does nothing.
	None = "none"
	// Publish publishes system.recovery_triggered, and no more: somebody else acts on it.
	Publish = tracker.ActionPublish
	// RerunFailedJobs and Rerun start the run that failed again: the jobs that failed, or all of it.
	RerunFailedJobs = tracker.ActionRerunFailedJobs
	Rerun           = tracker.ActionRerun
	// WorkflowDispatch starts a workflow anew on the branch.
	WorkflowDispatch = "workflow_dispatch"
	// Webhook posts to somebody.
	Webhook = "webhook"
)

// Actions returns all actions.
func Actions() []string {
	return []string{None, Publish, RerunFailedJobs, Rerun, WorkflowDispatch, Webhook}
}

// Defaults of a [Rule].
const (
	DefaultFailures          = 3
	DefaultPasses            = 1
	DefaultCooldown          = 5 * time.Minute
	DefaultAttemptsPerCommit = 1
	DefaultAttemptsPerHour   = 5
)

// DefaultBranch stands for the repository's default branch among the branches of a rule.
const DefaultBranch = "HEAD"

// Rule says how some runs are watched.
type Rule struct {
	// Name is what the rule is called in events and errors.
	Name string
	// Repositories, Workflows, Branches and Events are patterns, of which one has to match; none is all. Repositories are in lower case,
	// and may begin with the name of a forge and a colon. A workflow is matched by its name, the name of its file or its id. Among the
	// branches, [DefaultBranch] stands for the default one.
	Repositories, Workflows, Branches, Events []Pattern
	// PullRequests has the runs of pull requests watched too, by themselves; those of forks never are.
	PullRequests bool
	// Ignore has the runs, those of pull requests included, not watched at all.
	Ignore bool
	// FailuresToAlert, PassesToClose, StaleAfter, NeutralPasses and AllRuns are those of [tracker.Rules].
	FailuresToAlert, PassesToClose int
	StaleAfter                     time.Duration
	NeutralPasses, AllRuns         bool
	// Recovery says what is done about a branch that is degraded.
	Recovery Recovery
}

// Recovery says what is done about a branch that is degraded, and when it is not.
type Recovery struct {
	// Action is one of [Actions]; empty is [None].
	Action string
	// DryRun has it only said what would be done.
	DryRun bool
	// Cooldown is the least time between two recoveries of a workflow on a branch.
	Cooldown time.Duration
	// AttemptsPerCommit and AttemptsPerHour bound the recoveries of a workflow on a branch, as far as the state remembers them: 20 at most;
	// 0 is none at all.
	AttemptsPerCommit, AttemptsPerHour int
	// Branches and Events narrow what is recovered further; none is all.
	Branches, Events []Pattern
	// NeverWhenStep are matched with the names of the jobs and steps that failed: one match, and nothing is done. Nor is it while it is not
	// known that these are all names. Jobs that passed are not looked at: [Rerun] repeats them, [RerunFailedJobs] does not.
	NeverWhenStep []*regexp.Regexp
	// Workflow and Inputs are what is dispatched: a file name or id, and the workflow's inputs.
	Workflow string
	Inputs   map[string]string
	// URL and Secret are where and how a webhook is posted, as in the Standard Webhooks.
	URL    secret.Value
	Secret secret.Value
}

// Tracker is the part of the rule that the tracker needs.
func (r Rule) Tracker() tracker.Rules {
	return tracker.Rules{
		FailuresToAlert: r.FailuresToAlert, PassesToClose: r.PassesToClose, StaleAfter: r.StaleAfter, NeutralPasses: r.NeutralPasses,
		AllRuns: r.AllRuns, Cooldown: r.Recovery.Cooldown,
	}
}

// Rules are tried in their order: the first that matches a run is its rule.
type Rules []Rule

// For returns the rule of a run of a forge; ok is false when the run is not watched. The default branch may be empty when it is not known:
// nothing is then on it. In the rule that is returned, the branches of its recovery are those of the run's repository.
func (rs Rules) For(forgeName string, run forge.Run, defaultBranch string) (rule Rule, ok bool) {
	if run.FromFork {
		return Rule{}, false
	}
	for _, r := range rs {
		if r.matches(forgeName, run, defaultBranch) {
			r.Recovery.Branches = resolved(r.Recovery.Branches, defaultBranch)
			return r, !r.Ignore
		}
	}
	return Rule{}, false
}

// matches reports whether the rule is about a run.
func (r Rule) matches(forgeName string, run forge.Run, defaultBranch string) bool {
	if run.PullRequest && !r.PullRequests && !r.Ignore {
		return false
	}
	workflow := func(p Pattern) bool {
		return p.Match(run.Workflow) || run.File != "" && p.Match(run.File) || p.Match(strconv.FormatInt(run.WorkflowID, 10))
	}
	return r.watches(forgeName, run.Repository) && some(r.Workflows, workflow) &&
		some(r.Branches, onBranch(run.Branch, defaultBranch)) && some(r.Events, func(p Pattern) bool { return p.Match(run.Event) })
}

// watches reports whether the rule is about runs of a repository.
func (r Rule) watches(forgeName, repository string) bool {
	name := strings.ToLower(repository)
	return some(r.Repositories, func(p Pattern) bool { return p.Match(name) || p.Match(forgeName+":"+name) })
}

// resolved returns branches with the default one by its name, if that is known.
func resolved(branches []Pattern, defaultBranch string) []Pattern {
	if defaultBranch == "" || !slices.ContainsFunc(branches, Pattern.isDefault) {
		return branches
	}
	branches = slices.Clone(branches)
	for i, p := range branches {
		if p.isDefault() {
			branches[i] = Pattern{text: defaultBranch}
		}
	}
	return branches
}

// onBranch matches a branch.
func onBranch(branch, defaultBranch string) func(Pattern) bool {
	return func(p Pattern) bool {
		if p.isDefault() {
			return branch == defaultBranch && branch != ""
		}
		return p.Match(branch)
	}
}

// some reports whether one of patterns matches, or there is none.
func some(patterns []Pattern, match func(Pattern) bool) bool {
	return len(patterns) == 0 || slices.ContainsFunc(patterns, match)
}

// Branch returns the branch to which all that is watched of a repository belongs, so that the forge need not be asked for more; empty when
// there may be several.
func (rs Rules) Branch(forgeName, repository, defaultBranch string) string {
	only := ""
	for _, r := range rs {
		if r.Ignore || !r.watches(forgeName, repository) {
			continue
		}
		if r.PullRequests || len(r.Branches) == 0 {
			return ""
		}
		for _, p := range r.Branches {
			branch, ok := p.Literal()
			if p.isDefault() {
				branch, ok = defaultBranch, defaultBranch != ""
			}
			if !ok || only != "" && branch != only {
				return ""
			}
			only = branch
		}
	}
	return only
}

// AsksDefaultBranch reports whether it has to be known which branch is the default one.
func (rs Rules) AsksDefaultBranch() bool {
	return slices.ContainsFunc(rs, func(r Rule) bool {
		return slices.ContainsFunc(r.Branches, Pattern.isDefault) || slices.ContainsFunc(r.Recovery.Branches, Pattern.isDefault)
	})
}
