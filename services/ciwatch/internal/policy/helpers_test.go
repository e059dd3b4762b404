package policy_test

import (
	"fmt"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/policy"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/tracker"
)

// epoch is when the tests' first run was created.
func epoch() time.Time { return time.Date(2026, 5, 4, 9, 0, 0, 0, time.UTC) }

// patterns reads patterns.
func patterns(t *testing.T, texts ...string) []policy.Pattern {
	t.Helper()
	list := make([]policy.Pattern, len(texts))
	for i, text := range texts {
		var err error
		list[i], err = policy.NewPattern(text)
		require.NoError(t, err)
	}
	return list
}

// run makes a completed attempt of the run with a number: runs are an hour apart and take a minute, and each has a commit of its own.
func run(number, attempt int, conclusion forge.Conclusion) forge.Run {
	created := epoch().Add(time.Duration(number) * time.Hour)
	started := created.Add(time.Duration(attempt) * 2 * time.Minute)
	return forge.Run{
		Repository: "neuron7x/mlsdm", ID: int64(1000 + number), Attempt: attempt, Counted: true, Number: number, WorkflowID: 7, Workflow: "CI",
		File: "ci.yml", Branch: "main", Event: "push", HeadSHA: fmt.Sprintf("%040x", number), Done: true, Conclusion: conclusion,
		CreatedAt: created, StartedAt: started, CompletedAt: started.Add(time.Minute),
	}
}

// rule is a rule by which failed jobs run again, really, with the defaults.
func rule() policy.Rule {
	return policy.Rule{
		Name: "main branches", FailuresToAlert: policy.DefaultFailures, PassesToClose: policy.DefaultPasses,
		Recovery: policy.Recovery{
			Action: policy.RerunFailedJobs, Cooldown: policy.DefaultCooldown,
			AttemptsPerCommit: policy.DefaultAttemptsPerCommit, AttemptsPerHour: policy.DefaultAttemptsPerHour,
		},
	}
}

// seen returns a state that has seen runs one after another, each as soon as it was completed.
func seen(runs ...forge.Run) tracker.State {
	s := tracker.New(tracker.Identity{Forge: "github", Repository: "neuron7x/mlsdm", WorkflowID: 7, Workflow: "CI", File: "ci.yml", Branch: "main"})
	return then(s.Begin(epoch(), rule().Tracker()), runs...)
}

// then is a state that sees more.
func then(s tracker.State, runs ...forge.Run) tracker.State {
	for _, r := range runs {
		s, _ = s.Note(r, r.CompletedAt).Advance(rule().Tracker(), r.CompletedAt, r.CompletedAt)
	}
	return s
}

// degraded is a state after three failed runs, the last of which is what a test makes of it, and when that was.
func degraded(last func(*forge.Run)) (tracker.State, time.Time) {
	third := run(3, 1, forge.Failure)
	if last != nil {
		last(&third)
	}
	return seen(run(1, 1, forge.Failure), run(2, 1, forge.Failure), third), third.CompletedAt
}

// failing are the jobs of a run, each with one step that failed.
func failing(names ...string) func(*forge.Run) {
	return func(r *forge.Run) {
		r.JobsKnown = true
		for i, name := range names {
			r.Failed = append(r.Failed, forge.Job{
				ID: int64(i + 1), RunID: r.ID, Attempt: r.Attempt, Name: name, Conclusion: forge.Failure, FailedSteps: []string{"Run " + name},
			})
		}
	}
}

// expressions compiles regular expressions.
func expressions(texts ...string) []*regexp.Regexp {
	list := make([]*regexp.Regexp, len(texts))
	for i, text := range texts {
		list[i] = regexp.MustCompile(text)
	}
	return list
}

// requireActs requires that something is done.
func requireActs(t *testing.T, d policy.Decision) tracker.Recovery {
	t.Helper()
	require.Empty(t, d.WhyNot)
	require.True(t, d.Act)
	return d.Recovery
}

// requireNot requires that nothing is done, and says why.
func requireNot(t *testing.T, d policy.Decision, why string) {
	t.Helper()
	require.False(t, d.Act)
	require.False(t, d.DryRun)
	require.Zero(t, d.Recovery)
	require.Contains(t, d.WhyNot, why)
}
