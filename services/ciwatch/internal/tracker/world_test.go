package tracker_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/tracker"
)

// settle is how long an attempt that no poll has listed waits.
const settle = 5 * time.Second

// attempt is what truly happened.
type attempt struct {
	run  forge.Run
	jobs []forge.Job
	next time.Time // when the next attempt of the run started; zero if there is none
}

// history is what truly happened, in order of completion.
type history []attempt

// listed is what the forge lists at a time: of each run its latest attempt, if that is completed.
func (h history) listed(at time.Time) []forge.Run {
	var runs []forge.Run
	for _, a := range h {
		if !a.run.CompletedAt.After(at) && (a.next.IsZero() || a.next.After(at)) {
			runs = append(runs, a.run)
		}
	}
	slices.SortFunc(runs, func(a, b forge.Run) int { return forge.Compare(b, a) })
	return runs
}

// jobsOf is what the forge lists as jobs of an attempt.
func (h history) jobsOf(run forge.Run) []forge.Job {
	i := slices.IndexFunc(h, func(a attempt) bool { return a.run.ID == run.ID && a.run.Attempt == run.Attempt })
	return h[i].jobs
}

// end is when nothing happens any more.
func (h history) end() time.Time { return h[len(h)-1].run.CompletedAt }

// randomHistory makes a history of some attempts, of fewer runs, with all conclusions, equal times and commits that are built again.
func randomHistory(random *rand.Rand, size int) history {
	var h history
	number := random.IntN(3)
	for len(h) < size {
		number += 1 + random.IntN(2)
		created := epoch().Add(time.Duration(random.IntN(400)) * time.Second)
		sha := fmt.Sprintf("%040x", 1+random.IntN(5))
		for n := 1; n <= 1+random.IntN(4) && len(h) < size; n++ {
			r := run(number, n, randomConclusion(random))
			r.HeadSHA, r.CreatedAt, r.Event = sha, created, "push"
			r.StartedAt = created
			if n > 1 {
				r.StartedAt = h[len(h)-1].run.CompletedAt.Add(time.Duration(1+random.IntN(90)) * time.Second)
				h[len(h)-1].next = r.StartedAt
			}
			r.CompletedAt = r.StartedAt.Add(time.Duration(random.IntN(120)) * time.Second)
			h = append(h, attempt{run: r, jobs: randomJobs(random, r)})
		}
	}
	slices.SortFunc(h, func(a, b attempt) int { return forge.CompareCompleted(a.run, b.run) })
	return h
}

func randomConclusion(random *rand.Rand) forge.Conclusion {
	switch random.IntN(10) {
	case 0, 1, 2, 3:
		return forge.Failure
	case 4, 5, 6:
		return forge.Success
	default:
		all := append(forge.Conclusions(), "invented_later")
		return all[random.IntN(len(all))]
	}
}

func randomJobs(random *rand.Rand, r forge.Run) []forge.Job {
	var jobs []forge.Job
	if r.Conclusion == forge.StartupFailure {
		return nil // it had none
	}
	for i, name := range []string{"lint", "unit tests", "end to end"} {
		conclusion := forge.Success
		if r.Conclusion.Failed() && random.IntN(2) == 0 {
			conclusion = forge.Failure
		}
		j := job(r, name, conclusion)
		j.ID = r.ID*1000 + int64(r.Attempt)*10 + int64(i)
		jobs = append(jobs, j)
	}
	return jobs
}

// step is one thing that a watcher hears or does.
type step struct {
	at   time.Time
	note *forge.Run
	job  *forge.Job
	poll bool
}

// compareSteps orders by time.
func compareSteps(a, b step) int { return a.at.Compare(b.at) }

// watcher is what the service does with what it hears.
type watcher struct {
	history history
	rules   tracker.Rules
	// waits says that nothing settles: only what was listed is consumed. forgets says that the state is stored and read in between.
	waits, forgets bool
	state          tracker.State
	told           []tracker.Event
	end            string // the stored form of the state
}

// take hears or does one thing and advances.
func (w *watcher) take(st step) {
	switch {
	case st.poll:
		w.state = w.state.Listed(w.history.listed(st.at), st.at)
	case st.job != nil:
		w.state = w.state.NoteJob(*st.job)
	case st.note != nil:
		w.state = w.state.Note(*st.note, st.at)
	}
	settled := st.at.Add(-settle)
	if w.waits {
		settled = time.Time{}
	}
	w.advance(settled, st.at)
}

// advance asks for the jobs of what failed, and consumes.
func (w *watcher) advance(settled, now time.Time) {
	for _, run := range w.state.Wanting() {
		w.state = w.state.NoteJobs(run, w.history.jobsOf(run))
	}
	var out []tracker.Event
	w.state, out = w.state.Advance(w.rules, settled, now)
	w.told = append(w.told, out...)
}

// finish polls a last time, long after all that happened.
func (w *watcher) finish() {
	end := w.history.end().Add(time.Hour)
	w.take(step{at: end, poll: true})
	w.advance(end, end.Add(60*24*time.Hour))
}

// inOrder is the plain run: each attempt is told when it is completed, and consumed at once.
func inOrder(h history, rules tracker.Rules) *watcher {
	w := &watcher{history: h, rules: rules, state: fresh()}
	for _, a := range h {
		w.state = w.state.Note(a.run, a.run.CompletedAt)
		w.advance(a.run.CompletedAt, a.run.CompletedAt)
	}
	w.finish()
	return w
}

// hear hears all steps in order.
func (w *watcher) hear(t *testing.T, steps []step) *watcher {
	t.Helper()
	for i, st := range steps {
		w.take(st)
		if w.forgets && i%6 == 5 {
			w.state = stored(t, w.state)
		}
	}
	w.finish()
	return w
}

// requireSame compares all that can be seen of two.
func requireSame(t *testing.T, want, got *watcher, why func() string) {
	t.Helper()
	if want.end == "" {
		want.end = encoded(t, want.state)
	}
	if end := encoded(t, got.state); words(want.told) != words(got.told) || want.end != end {
		require.Equal(t, words(want.told), words(got.told), why())
		require.JSONEq(t, want.end, end, why())
	}
	require.Equal(t, want.told, got.told)
}
