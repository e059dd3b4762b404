package policy_test

import (
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/policy"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/tracker"
)

// done plans a recovery of a state, as the rule has it, and has it asked for; what comes of it are more runs.
func done(t *testing.T, s tracker.State, r policy.Rule, at time.Time, more ...forge.Run) tracker.State {
	t.Helper()
	s = s.Plan(requireActs(t, policy.Decide(s, r, at, false)))
	planned, ok := s.Planned()
	require.True(t, ok)
	return then(s.Asked(planned.ID, at), more...)
}

func TestOneForEachTimeOfDegradedHealth(t *testing.T) {
	t.Parallel()
	r := rule()
	s, now := degraded(nil)
	s = done(t, s, r, now)
	more := then(s, run(4, 1, forge.Failure), run(5, 1, forge.Failure))
	requireNot(t, policy.Decide(more, r, now.Add(26*time.Hour), false), "this time of degraded health has had its recovery")

	// One that did not help ends, and a new commit may be recovered.
	useless := then(s, run(3, 2, forge.Failure))
	requireNot(t, policy.Decide(useless, r, now.Add(time.Hour), false), "the commit was recovered once; the rule allows 1")
	useless = then(useless, run(4, 1, forge.Failure))
	require.Equal(t, int64(1004), requireActs(t, policy.Decide(useless, r, now.Add(time.Hour), false)).RunID)

	// The next time of degraded health has one of its own.
	again := then(s, run(4, 1, forge.Success), run(5, 1, forge.Failure), run(6, 1, forge.Failure), run(7, 1, forge.Failure))
	require.Equal(t, int64(1007), requireActs(t, policy.Decide(again, r, now.Add(4*time.Hour), false)).RunID)
}

func TestCooldown(t *testing.T) {
	t.Parallel()
	r := rule()
	s, now := degraded(nil)
	s = then(done(t, s, r, now, run(3, 2, forge.Failure)), run(4, 1, forge.Failure))
	requireNot(t, policy.Decide(s, r, now, false), "the last recovery was 0s ago; the cooldown is 5m0s")
	requireNot(t, policy.Decide(s, r, now.Add(5*time.Minute-time.Millisecond), false), "the last recovery was 5m0s ago; the cooldown is 5m0s")
	requireNot(t, policy.Decide(s, r, now.Add(-time.Hour), false), "the last recovery was 0s ago")
	requireActs(t, policy.Decide(s, r, now.Add(5*time.Minute), false))
	requireActs(t, policy.Decide(s, r, now, true)) // a person does not wait
	r.Recovery.Cooldown = 0
	requireActs(t, policy.Decide(s, r, now, false))

	// It counts from when it was asked for: the forge may have been away.
	r = rule()
	s, now = degraded(nil)
	s = s.Plan(requireActs(t, policy.Decide(s, r, now, false)))
	planned, _ := s.Planned()
	s = then(s.Asked(planned.ID, now.Add(50*time.Minute)), late(run(3, 2, forge.Failure), 1), late(run(4, 1, forge.Failure), 1))
	requireNot(t, policy.Decide(s, r, now.Add(54*time.Minute), false), "the last recovery was 4m0s ago")
	requireActs(t, policy.Decide(s, r, now.Add(55*time.Minute), false))
}

func TestAttemptsOnACommit(t *testing.T) {
	t.Parallel()
	r := rule()
	s, now := degraded(nil)
	for _, c := range []struct {
		allowed int
		why     []string // after so many attempts
	}{
		{0, []string{"the commit was recovered 0 times; the rule allows 0"}},
		{1, []string{"", "the commit was recovered once; the rule allows 1"}},
		{2, []string{"", "", "the commit was recovered 2 times; the rule allows 2"}},
	} {
		r.Recovery.AttemptsPerCommit = c.allowed
		state, at := s, now
		for attempt, why := range c.why {
			d := policy.Decide(state, r, at, false)
			if why != "" {
				requireNot(t, d, why)
				requireActs(t, policy.Decide(state, r, at, true))
				continue
			}
			require.Equal(t, attempt+1, requireActs(t, d).RunAttempt)
			state = done(t, state, r, at, late(run(3, attempt+2, forge.Failure), attempt))
			at = at.Add(time.Hour)
		}
	}

	// The same commit in another run is the same commit.
	r = rule()
	same := func(number int) forge.Run {
		another := run(number, 1, forge.Failure)
		another.HeadSHA = run(3, 1, forge.Failure).HeadSHA
		return another
	}
	once := done(t, s, r, now, run(3, 2, forge.Failure))
	requireNot(t, policy.Decide(then(once, same(4)), r, now.Add(time.Hour), false), "the commit was recovered once")
	nameless := func(number, attempt int) forge.Run {
		another := run(number, attempt, forge.Failure)
		another.HeadSHA = ""
		return another
	}
	s, now = degraded(func(r *forge.Run) { r.HeadSHA = "" })
	once = done(t, s, r, now, nameless(3, 2))
	requireNot(t, policy.Decide(once, r, now.Add(time.Hour), false), "the commit was recovered once")
	requireActs(t, policy.Decide(then(once, nameless(4, 1)), r, now.Add(time.Hour), false)) // two that nobody knows are not one
}

// TestWhatSomebodyElseRanAgain: a run that failed again after somebody ran it again is not run a third time.
func TestWhatSomebodyElseRanAgain(t *testing.T) {
	t.Parallel()
	s, now := degraded(nil)
	s = then(s, run(3, 2, forge.Failure))
	r := rule()
	requireNot(t, policy.Decide(s, r, now, false), "the run has failed in attempt 2: it was run again before")
	r.Recovery.Action = policy.Rerun
	requireNot(t, policy.Decide(s, r, now, false), "the run has failed in attempt 2")
	requireActs(t, policy.Decide(s, r, now, true))
	r.Recovery.AttemptsPerCommit = 2
	requireActs(t, policy.Decide(s, r, now, false))
	r.Recovery.AttemptsPerCommit, r.Recovery.Action = 1, policy.WorkflowDispatch
	requireActs(t, policy.Decide(s, r, now, false)) // which is something else
}

func TestAttemptsInAnHour(t *testing.T) {
	t.Parallel()
	r := rule()
	r.Recovery.Cooldown, r.Recovery.AttemptsPerHour = 0, 3
	s, now := degraded(nil)
	for i := range 3 {
		s = done(t, s, r, now.Add(time.Duration(i)*time.Minute), late(run(3+i, 2, forge.Failure), -i), late(run(4+i, 1, forge.Failure), -i))
	}
	requireNot(t, policy.Decide(s, r, now.Add(3*time.Minute), false), "there were 3 recoveries in the last hour; the rule allows 3")
	requireNot(t, policy.Decide(s, r, now.Add(time.Hour-time.Millisecond), false), "there were 3 recoveries in the last hour")
	requireActs(t, policy.Decide(s, r, now.Add(time.Hour), false))
	requireActs(t, policy.Decide(s, r, now.Add(3*time.Minute), true))
	r.Recovery.AttemptsPerHour = 0
	requireNot(t, policy.Decide(s, r, now.Add(100*time.Hour), false), "there were 0 recoveries in the last hour; the rule allows 0")
}

// TestRefusalsCount: a forge that refuses, because the token may not for example, is not asked about every run that fails.
func TestRefusalsCount(t *testing.T) {
	t.Parallel()
	r := rule()
	r.Recovery.AttemptsPerHour = 2
	s, now := degraded(nil)
	refused := func(s tracker.State, at time.Time) tracker.State {
		s = s.Plan(requireActs(t, policy.Decide(s, r, at, false)))
		planned, ok := s.Planned()
		require.True(t, ok)
		s, _ = s.Refused(planned.ID, "no such permission", at)
		return s
	}
	s = refused(s, now)
	requireNot(t, policy.Decide(s, r, now.Add(10*time.Minute), false), "the commit was recovered once")
	s = then(s, run(4, 1, forge.Failure))
	requireNot(t, policy.Decide(s, r, now.Add(time.Minute), false), "the last recovery was 1m0s ago")
	s = then(refused(s, now.Add(10*time.Minute)), run(5, 1, forge.Failure))
	requireNot(t, policy.Decide(s, r, now.Add(20*time.Minute), false), "there were 2 recoveries in the last hour")
	requireActs(t, policy.Decide(s, r, now.Add(70*time.Minute), false))

	// What nothing was left to do for does not hold up the next time.
	s, now = degraded(nil)
	s = s.Plan(requireActs(t, policy.Decide(s, r, now, false)))
	s = then(s, run(4, 1, forge.Success))
	require.Equal(t, events.CIRecoveryRefused, s.Recoveries[0].State)
	s = then(s, run(5, 1, forge.Failure), run(6, 1, forge.Failure), run(7, 1, forge.Failure))
	requireActs(t, policy.Decide(s, r, now.Add(time.Minute), false))
	s = then(done(t, s, r, now.Add(time.Minute), run(7, 2, forge.Failure)), run(8, 1, forge.Failure))
	requireNot(t, policy.Decide(s, r, now.Add(2*time.Minute), false), "the last recovery was 1m0s ago") // what follows it counts
}

// TestTheEndOfADryRun: a dry run is as rare as what it stands for, and nothing that was done once it is over.
func TestTheEndOfADryRun(t *testing.T) {
	t.Parallel()
	r := rule()
	r.Recovery.DryRun = true
	s, now := degraded(nil)
	s = s.Plan(requireActs(t, policy.Decide(s, r, now, false)))
	planned, ok := s.Planned()
	require.True(t, ok)
	s = s.DryRun(planned.ID, now)
	requireNot(t, policy.Decide(s, r, now.Add(time.Hour), false), "this time of degraded health has had its recovery")
	next := then(s, run(4, 1, forge.Success), run(5, 1, forge.Failure), run(6, 1, forge.Failure), run(7, 1, forge.Failure))
	requireNot(t, policy.Decide(next, r, now.Add(time.Minute), false), "the last recovery was 1m0s ago")
	r.Recovery.DryRun = false
	requireActs(t, policy.Decide(s, r, now, false))
	requireActs(t, policy.Decide(next, r, now.Add(time.Minute), false))
}

// TestWhatIsCutOffMayBeADeployment: states keep the jobs of a run up to a bound. Whatever the run had, a step that must not be repeated is
// never one that was cut off.
func TestWhatIsCutOffMayBeADeployment(t *testing.T) {
	t.Parallel()
	r := rule()
	r.Recovery.NeverWhenStep = expressions("deploy")
	random := rand.New(rand.NewPCG(1, 2))
	letters := []string{"a", `"`, `\`, "я", "語", " ", "<"}
	name := func(most int) string {
		var b strings.Builder
		for b.Len() < 1+random.IntN(most) {
			b.WriteString(letters[random.IntN(len(letters))])
		}
		return b.String()
	}
	acted, refused := 0, 0
	for range 400 {
		most := 1 + random.IntN(200)
		last := run(3, 1, forge.Failure)
		last.JobsKnown = true
		for i := range 1 + random.IntN(24) {
			job := forge.Job{ID: int64(i + 1), RunID: last.ID, Attempt: 1, Name: strconv.Itoa(i) + name(most), Conclusion: forge.Failure}
			for range random.IntN(1 + random.IntN(24)) {
				job.FailedSteps = append(job.FailedSteps, name(most))
			}
			if random.IntN(2) == 0 {
				job.URL = "https://forge.example/" + strings.Repeat("x", random.IntN(450))
			}
			last.Failed = append(last.Failed, job)
		}
		s := seen(run(1, 1, forge.Failure), run(2, 1, forge.Failure), last)
		if policy.Decide(s, r, last.CompletedAt, false).Act {
			acted++
		} else {
			refused++
		}
		job := &last.Failed[random.IntN(len(last.Failed))]
		if job.FailedSteps == nil || random.IntN(2) == 0 {
			job.Name += "deploy"
		} else {
			job.FailedSteps[random.IntN(len(job.FailedSteps))] += "deploy"
		}
		s = seen(run(1, 1, forge.Failure), run(2, 1, forge.Failure), last)
		requireNot(t, policy.Decide(s, r, last.CompletedAt, true), "main branches")
	}
	require.Greater(t, acted, 40, "what fits is known")
	require.Greater(t, refused, 40)

	for jobs, known := range map[int]bool{1: true, 10: true, 19: true, 20: false} {
		s, now := degraded(failing(strings.Split(strings.TrimSuffix(strings.Repeat("j,", jobs), ","), ",")...))
		require.Equal(t, known, policy.Decide(s, r, now, false).Act, jobs)
	}
	for steps, known := range map[int]bool{0: true, 19: true, 20: false} {
		s, now := degraded(func(r *forge.Run) {
			failing("test")(r)
			r.Failed[0].FailedSteps = strings.Split(strings.TrimSuffix(strings.Repeat("s,", steps), ","), ",")[:steps]
		})
		require.Equal(t, known, policy.Decide(s, r, now, false).Act, steps)
	}
	for length, known := range map[int]bool{124: true, 125: false, 128: false} {
		s, now := degraded(failing(strings.Repeat("x", length-4)))
		require.Equal(t, known, policy.Decide(s, r, now, false).Act, length)
	}
}

// FuzzDecide: whatever a state that was stored says, there is either a recovery or a reason.
func FuzzDecide(f *testing.F) {
	s, _ := degraded(failing("test"))
	data, err := s.Encode()
	require.NoError(f, err)
	f.Add(data, int64(0), true)
	f.Fuzz(func(t *testing.T, data []byte, later int64, asked bool) {
		s, err := tracker.Decode(data)
		if err != nil {
			return
		}
		for _, action := range append(policy.Actions(), "", "odd") {
			r := rule()
			r.Recovery.Action, r.Recovery.NeverWhenStep = action, expressions("x")
			d := policy.Decide(s, r, epoch().Add(time.Duration(later)), asked)
			require.NotEqual(t, d.Act, d.WhyNot != "")
			if d.Act {
				require.NotEmpty(t, d.Recovery.Reason)
				require.Equal(t, action, d.Recovery.Action)
			}
		}
	})
}
