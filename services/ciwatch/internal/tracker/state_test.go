package tracker_test

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/tracker"
)

func TestStateIsBounded(t *testing.T) {
	t.Parallel()
	state := fresh()
	for number := 1; number <= 500; number++ {
		state, _ = observe(t, state, rules(), run(number, 1, f))
		require.Equal(t, number, state.ConsecutiveFailures(), "what is forgotten still counts")
	}
	require.Len(t, state.Runs, 64)
	require.Less(t, len(encoded(t, state)), 16<<10)
	require.Equal(t, int64(1001), state.Degraded.FirstRunID)

	require.True(t, state.Seen(run(1, 2, s)), "older than all that is remembered")
	same, told := observe(t, state, rules(), run(1, 2, s))
	require.Empty(t, told)
	require.Equal(t, encoded(t, state), encoded(t, same))

	for attempt := 2; attempt <= 200; attempt++ {
		state, _ = observe(t, state, rules(), run(500, attempt, forge.Cancelled))
	}
	require.Len(t, state.Runs[63].Attempts, 6)
	require.True(t, state.Seen(run(500, 3, f)))
	require.Equal(t, 500, state.ConsecutiveFailures(), "the result stays when its attempt is far back")
	require.Equal(t, 200, state.History(1).Runs[0].Attempts)

	state, told = observe(t, state, rules(), run(501, 1, s))
	require.Equal(t, []string{"recovered(501.1)"}, told)
	for number := 502; number <= 600; number++ {
		state, _ = observe(t, state, rules(), run(number, 1, forge.Cancelled))
	}
	require.Zero(t, state.ConsecutiveFailures(), "a success that is forgotten still ends the streak")
	state, _ = observe(t, state, rules(), run(601, 1, f))
	require.Equal(t, 1, state.ConsecutiveFailures())
}

func TestPassesThatAreForgottenStillCount(t *testing.T) {
	t.Parallel()
	two := rules()
	two.PassesToClose = 2
	state, _ := observe(t, fresh(), two, run(1, 1, f), run(2, 1, f), run(3, 1, f), run(4, 1, s))
	for number := 5; number <= 100; number++ {
		state, _ = observe(t, stored(t, state), two, run(number, 1, forge.Skipped))
	}
	require.Equal(t, events.CIRecovering, state.Health(two, epoch()))
	_, told := observe(t, state, two, run(101, 1, s))
	require.Equal(t, []string{"recovered(101.1)"}, told)
}

// hostile is a text that takes much room wherever it is.
func hostile(random *rand.Rand) string {
	return strings.Repeat(string([]rune{'"', '\\', '<', '\u2028', '\x00', '😀'}[random.IntN(6)]), 300) + "\xff" + strings.Repeat(`"\`, 100)
}

func TestHostileNamesFitIntoTheState(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	quotes := strings.Repeat(`"\`, 300)
	state := tracker.New(tracker.Identity{Forge: quotes, Repository: quotes, Workflow: quotes, File: quotes, Branch: quotes, WorkflowID: 1 << 62}).Begin(epoch(), rules())
	largest, core := 0, 0
	for number := 1; number <= 72; number++ {
		for attempt := 1; attempt <= 7; attempt++ {
			r := run(number, attempt, []forge.Conclusion{f, s}[attempt%2])
			r.Counted, r.Attempt = false, 2_000_000_000+attempt
			r.ID, r.Number = 1<<62+int64(number), 1<<60+number
			r.HeadSHA, r.Title, r.Author, r.Event, r.Workflow = fmt.Sprintf("%064d", number), quotes, quotes, hostile(random), quotes
			r.URL = "https://forge.example/" + strings.Repeat("a", 350) + strconv.FormatInt(r.ID, 10)
			var jobs []forge.Job
			for i := range 40 {
				j := job(r, fmt.Sprint(i, number%20, quotes), f, quotes, hostile(random), quotes)
				j.URL = r.URL
				jobs = append(jobs, j)
			}
			state = state.Note(r, r.CompletedAt).NoteJobs(r, jobs).NoteJob(job(run(number+1000, attempt, f), quotes, f, quotes, quotes))
			if attempt == 7 && number > 70 {
				for wait := range 200 {
					w := r
					w.Attempt += 1000 + wait
					state = state.Note(w, w.CompletedAt.Add(time.Hour))
				}
			}
			if number > 68 {
				largest = max(largest, len(encoded(t, state)))
				without := state
				without.Pending = nil
				core = max(core, len(encoded(t, without)))
			}
			var out []tracker.Event
			state, out = state.Advance(allRuns(), r.CompletedAt, r.CompletedAt)
			for _, ev := range out {
				requireValid(t, ev)
			}
			state = state.Plan(tracker.Recovery{ID: fmt.Sprint(number, attempt, quotes), Action: quotes, Rule: quotes, Reason: hostile(random), RunID: r.ID, RunAttempt: r.Attempt, HeadSHA: r.HeadSHA})
			state, _ = state.Refused(state.Recoveries[len(state.Recoveries)-1].ID, quotes, r.CompletedAt)
		}
		state = stored(t, state)
	}
	require.Len(t, state.Runs, 64)
	require.Len(t, state.Recoveries, 20)
	require.Greater(t, largest, 60<<10, "the test is worth it")
	require.Less(t, core, 56<<10, "there is room for what waits")
}

func TestPendingIsBounded(t *testing.T) {
	t.Parallel()
	state := fresh()
	for number := 300; number >= 1; number-- {
		state = state.Note(run(number, 1, s), epoch())
	}
	require.Len(t, state.Pending, 128)
	require.Equal(t, 1, state.Pending[0].Run.Number, "the first are kept")
	back := stored(t, state)
	require.Greater(t, len(back.Pending), 60)
	require.Equal(t, state.Pending[:len(back.Pending)], back.Pending)
}

func TestNothingWaitsForAClockThatIsAhead(t *testing.T) {
	t.Parallel()
	ahead := run(1, 1, f)
	now := ahead.CompletedAt.Add(-24 * time.Hour)
	state := fresh().Note(ahead, now)
	require.Equal(t, now, state.Due(rules()))
	_, out := state.Advance(rules(), now, now.Add(settle))
	require.Equal(t, "run_failed", words(out))
}

func TestWhatIsNoAttemptIsNotNoted(t *testing.T) {
	t.Parallel()
	running, nameless := run(1, 1, f), run(1, 1, f)
	running.Done, nameless.ID = false, 0
	for _, r := range []forge.Run{running, nameless, {}} {
		require.Empty(t, fresh().Note(r, epoch()).Listed([]forge.Run{r}, epoch()).Pending)
	}
}

func TestMethodsLeaveTheirStateAlone(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(3, 4))
	for range 40 {
		h := randomHistory(random, 12)
		w := &watcher{history: h, rules: rules(), state: fresh()}
		steps := randomSteps(random, h, false)
		for _, st := range steps {
			before := w.state
			was := encoded(t, before)
			w.take(st)
			planned := w.state.Plan(tracker.Recovery{Action: "rerun", RunID: h[0].run.ID, RunAttempt: 1})
			planned.Asked(planned.Recoveries[0].ID, st.at)
			planned.Advance(rules(), h.end(), h.end())
			require.Equal(t, was, encoded(t, before))
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	good, _ := observe(t, fresh(), rules(), run(1, 1, f), run(2, 1, f))
	_ = stored(t, good)
	const of = `{"version":2,"forge":"","repository":"","workflow_id":0,"workflow":"","branch":""`
	_, err := tracker.Decode([]byte(of + `}`))
	require.NoError(t, err)
	for name, bad := range map[string]string{
		"nothing":          ``,
		"no JSON":          of,
		"wrong type":       of + `,"runs":"many"}`,
		"no version":       `{}`,
		"older":            `{"version":1}`,
		"newer":            `{"version":3,"something":"new"}`,
		"unknown":          of + `,"something":1}`,
		"more":             of + `}{}`,
		"carried":          of + `,"carried":3}`,
		"negative":         of + `,"carried":-1}`,
		"no attempts":      of + `,"runs":[{"i":1,"n":1,"t":0,"d":0,"q":0,"a":[],"r":"","c":0}]}`,
		"no result":        of + `,"runs":[{"i":1,"n":1,"t":0,"d":0,"q":0,"a":[1],"r":"","c":1}]}`,
		"unknown result":   of + `,"runs":[{"i":1,"n":1,"t":0,"d":0,"q":0,"a":[1],"r":"x","c":1}]}`,
		"attempts mixed":   of + `,"runs":[{"i":1,"n":1,"t":0,"d":0,"q":0,"a":[2,1],"r":"ff","c":2}]}`,
		"runs mixed":       of + `,"runs":[{"i":2,"n":2,"t":0,"d":0,"q":0,"a":[1],"r":"f","c":1},{"i":1,"n":1,"t":0,"d":0,"q":0,"a":[1],"r":"f","c":1}]}`,
		"days mixed":       of + `,"days":[{"d":2,"r":1},{"d":1,"r":1}]}`,
		"degraded of none": of + `,"degraded":{"since":"2026-05-04T09:00:00Z","failures":0,"first_run_id":1,"first_number":1,"first_started_at":"2026-05-04T09:00:00Z"}}`,
		"a flaky job":      of + `,"flaky":[{"n":"x","d":[]}]}`,
		"a recovery":       of + `,"recoveries":[{"id":"x","action":"rerun","state":"invented","run_id":1,"run_attempt":1,"number":1,"at":"2026-05-04T09:00:00Z"}]}`,
		"what waits":       of + `,"pending":[{"run":{"id":0,"attempt":1,"done":true},"at":"2026-05-04T09:00:00Z"}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := tracker.Decode([]byte(bad))
			require.ErrorContains(t, err, "the stored CI state")
		})
	}
	_, err = tracker.Decode([]byte(`{"version":3,"something":"new"}`))
	require.ErrorContains(t, err, "version 3")
}

func FuzzDecode(f *testing.F) {
	state := tracker.New(identity()).Note(run(1, 1, forge.Failure), epoch()).Begin(epoch(), rules())
	for _, at := range []time.Time{epoch(), epoch().Add(9 * time.Hour)} {
		state, _ = state.Advance(rules(), at, at)
		data, err := state.Encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		state, err := tracker.Decode(data)
		if err != nil {
			return
		}
		now := epoch().Add(100 * time.Hour)
		state, _ = state.Note(run(50, 1, forge.Failure), now).Advance(rules(), now, now)
		state.Status(rules(), now)
		state.History(10)
		_, _ = state.Encode()
	})
}

// BenchmarkDecodeTheLargest reads a state with much of everything.
func BenchmarkDecodeTheLargest(b *testing.B) {
	state := manyRuns()
	for number := 200; number < 400; number++ {
		r := run(number, 1, forge.Failure)
		state = state.Note(r, r.CompletedAt).NoteJobs(r, []forge.Job{job(r, strings.Repeat("x", 100), forge.Failure, strings.Repeat("y", 100))})
	}
	data, err := state.Encode()
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if _, err := tracker.Decode(data); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	state := manyRuns()
	for b.Loop() {
		if _, err := state.Encode(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	data, err := manyRuns().Encode()
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if _, err := tracker.Decode(data); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAdvance(b *testing.B) {
	state := manyRuns()
	r := run(1000, 1, forge.Failure)
	for b.Loop() {
		state.Note(r, r.CompletedAt).Advance(rules(), r.CompletedAt, r.CompletedAt)
	}
}

// manyRuns is a state that remembers as many runs as it can.
func manyRuns() tracker.State {
	state := fresh()
	for number := 1; number <= 100; number++ {
		r := run(number, 1, []forge.Conclusion{forge.Failure, forge.Success}[number%2])
		state = state.Note(r, r.CompletedAt).NoteJobs(r, []forge.Job{job(r, "unit tests (linux, 1.26)", forge.Failure, "go test")})
		state, _ = state.Advance(rules(), r.CompletedAt, r.CompletedAt)
	}
	return state
}
