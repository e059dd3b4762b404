package tracker_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/tracker"
)

// TestEveryScheduleIsTheSame is the promise of the package: histories of 12 attempts, told in any order, twice, late, or by polls only,
// end in the same state with the same events as if each attempt had been told when it ended.
//
// What a schedule must keep is what nobody could make up for: an attempt is told before a later one is consumed. That is so when it
// is told within the settling time or, where only what was listed is consumed, before the next poll; and before its run is started again, when
// the forge ceases to list it.
func TestEveryScheduleIsTheSame(t *testing.T) {
	t.Parallel()
	for part := range uint64(4) {
		t.Run(fmt.Sprint("part", part), func(t *testing.T) {
			t.Parallel()
			random := rand.New(rand.NewPCG(7, part))
			for range 125 {
				h, rules := randomHistory(random, 12), randomRules(random)
				want := inOrder(h, rules)
				for range 5 {
					waits := random.IntN(2) == 0
					steps := randomSteps(random, h, waits)
					requireSame(t, want, (&watcher{history: h, rules: rules, waits: waits, forgets: true, state: fresh()}).hear(t, steps), func() string { return explain(h, steps) })
				}
			}
		})
	}
}

func randomRules(random *rand.Rand) tracker.Rules {
	return tracker.Rules{
		FailuresToAlert: random.IntN(4), PassesToClose: random.IntN(3), AllRuns: random.IntN(2) == 0, NeutralPasses: random.IntN(2) == 0,
		StaleAfter: 10 * 24 * time.Hour,
	}
}

// randomSteps makes a schedule of webhooks and polls.
func randomSteps(random *rand.Rand, h history, waits bool) []step {
	var steps []step
	length := int(h.end().Sub(epoch())/time.Second) + 60
	for range random.IntN(6) {
		steps = append(steps, step{at: epoch().Add(time.Duration(random.IntN(length)) * time.Second), poll: true})
	}
	if !waits { // where nothing is told in time, a poll finds it
		for _, a := range h {
			if random.IntN(4) == 0 {
				steps = append(steps, step{at: between(random, a.run.CompletedAt, a.until(settle)), poll: true})
			}
		}
	}
	polls := slices.Clone(steps)
	slices.SortFunc(polls, compareSteps)
	for _, a := range h {
		ended, until := a.run.CompletedAt, h.end().Add(time.Minute)
		switch {
		case pollIn(polls, ended, a.until(settle)) != nil, waits && (a.next.IsZero() || pollIn(polls, ended, a.next) != nil):
			if random.IntN(2) == 0 {
				continue // lost
			}
		case !waits:
			until = a.until(settle)
		default:
			if next := pollIn(polls, a.next, until); next != nil {
				until = next.at
			}
		}
		steps = append(steps, step{at: between(random, ended, until), note: &a.run})
		for random.IntN(3) == 0 {
			steps = append(steps, step{at: between(random, ended, h.end().Add(time.Minute)), note: &a.run})
			if waits && !a.next.IsZero() || !waits {
				break
			}
		}
		for _, j := range a.jobs {
			if random.IntN(2) == 0 {
				steps = append(steps, step{at: between(random, ended, h.end().Add(time.Minute)), job: &j})
			}
		}
	}
	random.Shuffle(len(steps), func(i, j int) { steps[i], steps[j] = steps[j], steps[i] })
	slices.SortStableFunc(steps, compareSteps)
	return steps
}

// until is the end of the time in which an attempt has to be told: it is not long and ends before the run is started again.
func (a attempt) until(within time.Duration) time.Time {
	end := a.run.CompletedAt.Add(within)
	if !a.next.IsZero() && a.next.Before(end) {
		return a.next
	}
	return end
}

// between returns a time from from on and before to.
func between(random *rand.Rand, from, to time.Time) time.Time {
	return from.Add(time.Duration(random.Int64N(max(int64(to.Sub(from)), 1))))
}

// pollIn returns the first poll from from on and before to.
func pollIn(polls []step, from, to time.Time) *step {
	for _, p := range polls {
		if p.poll && !p.at.Before(from) && p.at.Before(to) {
			return &p
		}
	}
	return nil
}

// explain tells a schedule to the one who has to find out.
func explain(h history, steps []step) string {
	var b strings.Builder
	since := func(t time.Time) time.Duration { return t.Sub(epoch()) }
	for _, a := range h {
		fmt.Fprintf(&b, "%v ended %d.%d %s, again %v\n", since(a.run.CompletedAt), a.run.Number, a.run.Attempt, a.run.Conclusion, a.next)
	}
	for _, st := range steps {
		switch {
		case st.poll:
			fmt.Fprintf(&b, "%v poll\n", since(st.at))
		case st.job != nil:
			fmt.Fprintf(&b, "%v job %s of %d.%d\n", since(st.at), st.job.Name, st.job.RunID, st.job.Attempt)
		default:
			fmt.Fprintf(&b, "%v note %d.%d\n", since(st.at), st.note.Number, st.note.Attempt)
		}
	}
	return b.String()
}

// sixAttempts is a history in which each attempt changes something: an alarm that a rerun closes, and a failure after it.
func sixAttempts() history {
	at := func(number, n int, conclusion forge.Conclusion, started, completed int) attempt {
		r := run(number, n, conclusion)
		r.CreatedAt, r.StartedAt = epoch().Add(time.Duration(started)*time.Minute), epoch().Add(time.Duration(started)*time.Minute)
		r.CompletedAt = epoch().Add(time.Duration(completed) * time.Minute)
		return attempt{run: r, jobs: []forge.Job{job(r, "lint", conclusion)}}
	}
	h := history{
		at(1, 1, f, 0, 10), at(3, 1, f, 5, 20), at(2, 1, f, 1, 30), at(3, 2, s, 35, 40), at(2, 2, forge.Cancelled, 36, 50), at(4, 1, f, 37, 60),
	}
	h[1].next, h[2].next = h[3].run.StartedAt, h[4].run.StartedAt
	return h
}

// TestEveryScheduleOfSixAttempts goes through all of them: each attempt is told at once, after the next one, or never, with and
// without a poll after each. Schedules that lose what nobody could know are left out.
func TestEveryScheduleOfSixAttempts(t *testing.T) {
	t.Parallel()
	h := sixAttempts()
	want := inOrder(h, rules())
	require.Equal(t, "run_failed run_failed run_failed degraded flaky recovered run_failed", words(want.told))
	schedules := 0
	for polls := range 1 << (len(h) - 1) { // after the last, a poll comes in any case
		for choice := range 3 * 3 * 3 * 3 * 3 * 3 {
			if steps, ok := schedule(h, polls, choice); ok {
				schedules++
				requireSame(t, want, (&watcher{history: h, rules: rules(), waits: true, state: fresh()}).hear(t, steps), func() string { return explain(h, steps) })
			}
		}
	}
	t.Logf("%d schedules", schedules)
	require.Greater(t, schedules, 10000)
}

// schedule makes the one in which a poll follows the attempts that polls says, and the digits of choice to the base of 3 say when each attempt
// is told.
// It is none when an attempt is not told before a poll that would have listed it if its run had not been started again.
func schedule(h history, polls, choice int) ([]step, bool) {
	var steps []step
	for i, a := range h {
		if polls>>i&1 == 1 {
			steps = append(steps, step{at: a.run.CompletedAt.Add(3 * time.Minute), poll: true})
		}
	}
	for i, a := range h {
		told := a.run.CompletedAt
		switch choice % 3 {
		case 1:
			told = h[min(i+1, len(h)-1)].run.CompletedAt.Add(time.Minute)
		case 2:
			told = time.Time{}
		}
		choice /= 3
		if !a.next.IsZero() && pollIn(steps, a.run.CompletedAt, a.next) == nil {
			missed := pollIn(steps, a.next, h.end().Add(time.Hour))
			if told.IsZero() || missed != nil && missed.at.Before(told) {
				return nil, false
			}
		}
		if !told.IsZero() {
			steps = append(steps, step{at: told, note: &a.run})
		}
	}
	slices.SortStableFunc(steps, compareSteps)
	return steps, true
}

// TestEveryOrderOfSixAttempts tells all of them after the end, in all 720 orders, each once or twice.
func TestEveryOrderOfSixAttempts(t *testing.T) {
	t.Parallel()
	h := sixAttempts()
	want := inOrder(h, rules())
	orders := 0
	var permute func(order []int, rest []int)
	permute = func(order []int, rest []int) {
		if len(rest) == 0 {
			orders++
			var steps []step
			for i, place := range order {
				told := step{at: h.end().Add(time.Duration(i) * time.Millisecond), note: &h[place].run}
				steps = append(steps, told)
				if (orders+place)%3 == 0 {
					steps = append(steps, told)
				}
			}
			requireSame(t, want, (&watcher{history: h, rules: rules(), waits: true, state: fresh()}).hear(t, steps), func() string { return explain(h, steps) })
			return
		}
		for i := range rest {
			permute(append(slices.Clone(order), rest[i]), slices.Delete(slices.Clone(rest), i, i+1))
		}
	}
	permute(nil, []int{0, 1, 2, 3, 4, 5})
	require.Equal(t, 720, orders)
}

// FuzzAdvance consumes any attempts in any order, also far too late, with repeats and through the stored form, and compares the streak
// with one that is counted in the plainest way. Each byte of the input is an attempt: 5 bits of run, 1 of attempt, 2 of conclusion.
func FuzzAdvance(f *testing.F) {
	f.Add([]byte{0x00, 0x08, 0x10})
	f.Add([]byte{0x03, 0x07, 0x03, 0x0b, 0x0f, 0x10, 0x14})
	f.Add([]byte("three failures in a row, then a rerun"))
	f.Fuzz(func(t *testing.T, input []byte) {
		requireSound(t, input)
	})
}

// TestAnyOrder is the fuzz target on many inputs that are the same at every run.
func TestAnyOrder(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(7, 11))
	for range 150 {
		input := make([]byte, random.IntN(80))
		for i := range input {
			input[i] = byte(random.UintN(256))
		}
		requireSound(t, input)
	}
}

func requireSound(t *testing.T, input []byte) {
	t.Helper()
	conclusions := []forge.Conclusion{forge.Failure, forge.Success, forge.TimedOut, forge.Cancelled}
	state := fresh()
	seen := map[[2]int]forge.Run{}
	degraded, ids := false, map[string]bool{}
	for i, b := range input {
		r := run(int(b>>3)+1, int(b>>2&1)+1, conclusions[b&3])
		k := [2]int{r.Number, r.Attempt}
		_, known := seen[k]
		require.Equal(t, known, state.Seen(r))
		if !known {
			seen[k] = r
		}
		next, out := state.Note(r, r.CompletedAt).Advance(rules(), r.CompletedAt, r.CompletedAt)
		if known {
			require.Empty(t, out, "an attempt that was counted is counted again")
			require.Equal(t, encoded(t, state), encoded(t, next))
		}
		state = next
		for _, ev := range out {
			requireValid(t, ev)
			require.False(t, ids[ev.ID], "%s comes twice", ev.Payload.EventType())
			ids[ev.ID] = true
			switch ev.Payload.EventType() {
			case events.TypeCIDegraded:
				require.False(t, degraded, "degraded twice")
				degraded = true
			case events.TypeCIRecovered:
				require.True(t, degraded, "recovered from nothing")
				degraded = false
			}
		}
		if i%16 == 0 {
			state = stored(t, state)
		}
		want := plainStreak(seen)
		require.Equal(t, want, state.ConsecutiveFailures())
		require.Equal(t, degraded, state.Degraded != nil)
		require.False(t, !degraded && want >= 3, "a streak of %d is not degraded", want)
	}
}

// plainStreak counts the failed runs at the end of attempts, of which the last decisive one counts for its run.
func plainStreak(seen map[[2]int]forge.Run) int {
	var attempts []forge.Run
	for _, r := range seen {
		attempts = append(attempts, r)
	}
	slices.SortFunc(attempts, forge.Compare)
	last := map[int]bool{} // run number → failed
	var order []int
	for _, r := range attempts {
		if !r.Conclusion.Failed() && !r.Conclusion.Passed() {
			continue
		}
		if _, ok := last[r.Number]; !ok {
			order = append(order, r.Number)
		}
		last[r.Number] = r.Conclusion.Failed()
	}
	streak := 0
	for _, number := range slices.Backward(order) {
		if !last[number] {
			break
		}
		streak++
	}
	return streak
}
