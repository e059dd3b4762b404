package policy_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/policy"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/tracker"
)

func TestDecide(t *testing.T) {
	t.Parallel()
	s, now := degraded(nil)
	d := policy.Decide(s, rule(), now, false)
	require.Equal(t, policy.Decision{Act: true, Recovery: tracker.Recovery{
		Action: "rerun_failed_jobs", Rule: "main branches", Reason: "3 failed runs in a row of CI on main", RunID: 1003, RunAttempt: 1,
		HeadSHA: run(3, 1, forge.Failure).HeadSHA, At: now,
	}}, d)
	r := rule()
	r.Recovery.DryRun = true
	dry := policy.Decide(s, r, now, false)
	require.True(t, dry.Act)
	require.True(t, dry.DryRun)
	require.Equal(t, "would rerun the failed jobs of run 1003 (attempt 1) of CI on main: 3 failures in a row", dry.Recovery.Reason)
}

func TestReasons(t *testing.T) {
	t.Parallel()
	one := run(1, 1, forge.Failure)
	r := rule()
	r.FailuresToAlert = 1
	s, _ := seen().Note(one, one.CompletedAt).Advance(r.Tracker(), one.CompletedAt, one.CompletedAt)
	three, _ := degraded(func(r *forge.Run) { r.Counted = false })
	for _, c := range []struct {
		s      tracker.State
		action string
		dry    bool
		asked  bool
		want   string
	}{
		{s, policy.Rerun, false, false, "a failed run of CI on main"},
		{s, policy.Rerun, false, true, "asked for by a person"},
		{s, policy.Rerun, true, false, "would rerun run 1001 (attempt 1) of CI on main: it failed"},
		{s, policy.Rerun, true, true, "would rerun run 1001 (attempt 1): asked for by a person"},
		{three, policy.Rerun, true, false, "would rerun run 1003 of CI on main: 3 failures in a row"},
		{three, policy.WorkflowDispatch, true, false, "would start recover.yml because of run 1003 of CI on main: 3 failures in a row"},
		{three, policy.Webhook, true, false, "would post a webhook about run 1003 of CI on main: 3 failures in a row"},
		{three, policy.Publish, true, false, "would tell of run 1003 of CI on main: 3 failures in a row"},
		{three, policy.Publish, false, false, "3 failed runs in a row of CI on main"},
	} {
		r.Recovery.Action, r.Recovery.DryRun, r.Recovery.Workflow = c.action, c.dry, "recover.yml"
		d := policy.Decide(c.s, r, one.CompletedAt, c.asked)
		require.Equal(t, c.want, requireActs(t, d).Reason)
		require.Equal(t, c.action, d.Recovery.Action)
		require.Equal(t, c.dry, d.DryRun)
	}
}

// TestGatesThatAlwaysHold: whoever asks, what a rule allows and a forge can do is all that is done.
func TestGatesThatAlwaysHold(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	rules := func(change func(*policy.Recovery)) policy.Rule {
		r := rule()
		change(&r.Recovery)
		return r
	}
	never := func(texts ...string) policy.Rule {
		return rules(func(c *policy.Recovery) { c.NeverWhenStep = expressions(texts...) })
	}
	for name, c := range map[string]struct {
		rule  policy.Rule
		last  func(*forge.Run) // what is done to the run that failed last
		later time.Duration    // after the run was created
		why   string           // empty: it is recovered
	}{
		"all is well":                {rule: rule()},
		"no action":                  {rule: rules(func(c *policy.Recovery) { c.Action = "" }), why: `the rule "main branches" recovers nothing`},
		"none":                       {rule: rules(func(c *policy.Recovery) { c.Action = policy.None }), why: `the rule "main branches" recovers nothing`},
		"the branch":                 {rule: rules(func(c *policy.Recovery) { c.Branches = patterns(t, "dev", "ma*") })},
		"another branch":             {rule: rules(func(c *policy.Recovery) { c.Branches = patterns(t, "dev") }), why: "recovers nothing on branch main"},
		"the event":                  {rule: rules(func(c *policy.Recovery) { c.Events = patterns(t, "schedule", "push") })},
		"another event":              {rule: rules(func(c *policy.Recovery) { c.Events = patterns(t, "schedule") }), why: `recovers nothing that was started by "push"`},
		"a fork":                     {rule: rule(), last: func(r *forge.Run) { r.FromFork = true }, why: "the run is a fork's"},
		"a fork, told":               {rule: rules(func(c *policy.Recovery) { c.Action = policy.Publish }), last: func(r *forge.Run) { r.FromFork = true }, why: "the run is a fork's"},
		"not started":                {rule: rule(), last: conclusion(forge.StartupFailure), why: "the workflow could not be started"},
		"not started, all of it":     {rule: rules(func(c *policy.Recovery) { c.Action = policy.Rerun }), last: conclusion(forge.StartupFailure), why: "the workflow could not be started"},
		"not started, told":          {rule: rules(func(c *policy.Recovery) { c.Action = policy.Publish }), last: conclusion(forge.StartupFailure)},
		"not started, dispatch":      {rule: rules(func(c *policy.Recovery) { c.Action = policy.WorkflowDispatch }), last: conclusion(forge.StartupFailure)},
		"timed out":                  {rule: rule(), last: conclusion(forge.TimedOut)},
		"30 days":                    {rule: rule(), later: 30 * day},
		"more than 30 days":          {rule: rule(), later: 30*day + time.Millisecond, why: "run 1003 is more than 30 days old"},
		"more than 30 days, webhook": {rule: rules(func(c *policy.Recovery) { c.Action = policy.Webhook }), later: 31 * day},
		"created at no time":         {rule: rule(), last: func(r *forge.Run) { r.CreatedAt = time.Time{} }},
		"at no time":                 {rule: rule(), last: func(r *forge.Run) { r.CreatedAt, r.StartedAt = time.Time{}, time.Time{} }, why: "run 1003 is more than 30 days old"},
		"no list":                    {rule: rule(), last: failing("deploy")},
		"another step":               {rule: never("(?i)deploy"), last: failing("test")},
		"a step":                     {rule: never("(?i)^run DEPLOY$"), last: failing("test", "deploy"), why: `the step "Run deploy" failed, which the rule "main branches" never repeats`},
		"a job":                      {rule: never("nothing", "^deploy"), last: failing("test", "deploy to prod"), why: `the job "deploy to prod" failed, which`},
		"no jobs known":              {rule: never("deploy"), why: "which steps failed is not fully known"},
		"some jobs known": {
			rule: never("deploy"), last: func(r *forge.Run) { failing("test")(r); r.JobsKnown = false },
			why: "which steps failed is not fully known",
		},
		"a job known to be bad": {
			rule: never("deploy"), last: func(r *forge.Run) { failing("deploy")(r); r.JobsKnown = false },
			why: `the job "deploy" failed`,
		},
		"told of, a job":  {rule: rules(func(c *policy.Recovery) { c.Action, c.NeverWhenStep = policy.Publish, expressions("deploy") }), last: failing("deploy"), why: `the job "deploy" failed`},
		"nothing failed?": {rule: never("deploy"), last: failing()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, now := degraded(c.last)
			if c.later > 0 {
				now = run(3, 1, forge.Failure).CreatedAt.Add(c.later)
			}
			for _, asked := range []bool{false, true} {
				for _, dry := range []bool{false, true} {
					c.rule.Recovery.DryRun = dry
					d := policy.Decide(s, c.rule, now, asked)
					if c.why == "" {
						requireActs(t, d)
						require.Equal(t, dry, d.DryRun)
						continue
					}
					requireNot(t, d, c.why)
				}
			}
		})
	}
}

// conclusion gives a run one.
func conclusion(c forge.Conclusion) func(*forge.Run) {
	return func(r *forge.Run) { r.Conclusion = c }
}

func TestAttemptsOfTheForge(t *testing.T) {
	t.Parallel()
	for attempt, why := range map[int]string{
		1: "", 2: "", 49: "", 50: "run 1003 has 50 attempts already", 51: "run 1003 has 51 attempts already", 1000: "run 1003 has 1000 attempts already",
	} {
		s, now := degraded(func(r *forge.Run) { r.Attempt = attempt })
		if d := policy.Decide(s, rule(), now, true); why == "" {
			requireActs(t, d)
		} else {
			requireNot(t, d, why)
		}
		r := rule()
		r.Recovery.Action = policy.Webhook
		requireActs(t, policy.Decide(s, r, now, true))
	}
	s, now := degraded(func(r *forge.Run) { r.Attempt, r.Counted = int(r.CompletedAt.Unix()), false })
	requireActs(t, policy.Decide(s, rule(), now, false)) // GitLab's are no counts
}

// TestOnlyWhatIsBroken: nothing is recovered before the threshold, nor after the newest run has passed.
func TestOnlyWhatIsBroken(t *testing.T) {
	t.Parallel()
	first, second, third := run(1, 1, forge.Failure), run(2, 1, forge.Failure), run(3, 1, forge.Failure)
	for _, asked := range []bool{false, true} {
		requireNot(t, policy.Decide(seen(), rule(), epoch(), asked), "no run has failed since the last one that passed")
		requireNot(t, policy.Decide(seen(run(1, 1, forge.Cancelled)), rule(), epoch(), asked), "no run has failed")
		requireNot(t, policy.Decide(seen(first, second, third, run(4, 1, forge.Success)), rule(), third.CompletedAt, asked), "no run has failed")
		requireNot(t, policy.Decide(seen(first, second, third, run(3, 2, forge.Success)), rule(), third.CompletedAt, asked), "no run has failed")
	}
	s := seen(first, second)
	requireNot(t, policy.Decide(s, rule(), second.CompletedAt, false), "health is not degraded")
	require.Equal(t, int64(1002), requireActs(t, policy.Decide(s, rule(), second.CompletedAt, true)).RunID, "a person may know better")

	s = seen(first, second, third, run(4, 1, forge.Cancelled), run(5, 1, forge.Skipped))
	require.Equal(t, int64(1003), requireActs(t, policy.Decide(s, rule(), third.CompletedAt, false)).RunID, "they say nothing")

	// An alarm that takes two passes to end goes on after the first, but nothing is broken then.
	r := rule()
	r.PassesToClose = 2
	pass := run(4, 1, forge.Success)
	s, _ = seen(first, second, third).Note(pass, pass.CompletedAt).Advance(r.Tracker(), pass.CompletedAt, pass.CompletedAt)
	require.NotNil(t, s.Degraded)
	requireNot(t, policy.Decide(s, r, pass.CompletedAt, false), "no run has failed since the last one that passed")
}

// TestWhatWaitsIsWaitedFor: a newer run that was told and is not counted yet may have passed.
func TestWhatWaitsIsWaitedFor(t *testing.T) {
	t.Parallel()
	s, now := degraded(nil)
	for name, c := range map[string]struct {
		waits forge.Run
		why   string
	}{
		"passed":            {run(4, 1, forge.Success), "run 1004 is newer, and is not counted yet"},
		"failed":            {run(4, 1, forge.Failure), "run 1004 is newer"},
		"neutral":           {run(4, 1, forge.Neutral), "run 1004 is newer"},
		"its next attempt":  {run(3, 2, forge.Success), "run 1003 is newer"},
		"cancelled":         {run(4, 1, forge.Cancelled), ""},
		"an older one":      {run(2, 2, forge.Success), ""},
		"what nobody knows": {run(4, 1, "odd"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, asked := range []bool{false, true} {
				d := policy.Decide(s.Note(c.waits, c.waits.CompletedAt), rule(), now, asked)
				if c.why == "" {
					requireActs(t, d)
					continue
				}
				requireNot(t, d, c.why)
			}
		})
	}
}

// TestAllThatWaitsIsLookedAt: also what waits behind something that says nothing.
func TestAllThatWaitsIsLookedAt(t *testing.T) {
	t.Parallel()
	s, now := degraded(nil)
	cancelled, passed := run(4, 1, forge.Cancelled), run(5, 1, forge.Success)
	s = s.Note(cancelled, cancelled.CompletedAt).Note(passed, passed.CompletedAt)
	requireNot(t, policy.Decide(s, rule(), now, true), "run 1005 is newer")
}

// TestOneAtATime: nothing is planned while a recovery is planned or its result is not in.
func TestOneAtATime(t *testing.T) {
	t.Parallel()
	s, now := degraded(nil)
	plan := func(action string) (tracker.State, string) {
		r := rule()
		r.Recovery.Action = action
		planned := s.Plan(requireActs(t, policy.Decide(s, r, now, false)))
		p, ok := planned.Planned()
		require.True(t, ok)
		return planned, p.ID
	}
	planned, id := plan(policy.RerunFailedJobs)
	for _, later := range []time.Duration{0, time.Hour, 48 * time.Hour} {
		requireNot(t, policy.Decide(planned, rule(), now.Add(later), true), "the recovery "+id+" (rerun_failed_jobs of run 1003) is under way")
	}
	asked := planned.Asked(id, now)
	requireNot(t, policy.Decide(asked, rule(), now.Add(24*time.Hour-time.Millisecond), true), "is under way")
	requireNot(t, policy.Decide(asked, rule(), now.Add(-time.Hour), true), "is under way")
	requireActs(t, policy.Decide(asked, rule(), now.Add(24*time.Hour), true)) // nobody waits for ever
	requireNot(t, policy.Decide(asked, rule(), now.Add(24*time.Hour), false), "this time of degraded health has had its recovery")

	published, id := plan(policy.Publish)
	requireActs(t, policy.Decide(published.Asked(id, now), rule(), now, true)) // nobody knows of anything that is under way
	requireNot(t, policy.Decide(published.Asked(id, now), rule(), now.Add(time.Hour), false), "has had its recovery")

	// The run passed when it was run again, but a newer one had failed: its result is in.
	useful := then(asked, run(4, 1, forge.Failure), late(run(3, 2, forge.Success), 5))
	require.True(t, useful.Recoveries[0].Passed)
	require.Equal(t, events.CIRecoveryAsked, useful.Recoveries[0].State)
	require.Equal(t, int64(1004), requireActs(t, policy.Decide(useful, rule(), now.Add(time.Hour), true)).RunID)
}

// late is a run that was completed some hours later than it was.
func late(r forge.Run, hours int) forge.Run {
	r.StartedAt, r.CompletedAt = r.StartedAt.Add(time.Duration(hours)*time.Hour), r.CompletedAt.Add(time.Duration(hours)*time.Hour)
	return r
}
