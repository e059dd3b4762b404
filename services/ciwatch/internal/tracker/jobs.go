package tracker

import (
	"cmp"
	"hash/fnv"
	"slices"
	"strings"
	"time"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge"
)

const (
	maxEarly      = 32  // attempts whose jobs were told before them
	maxPassed     = 128 // hashes of jobs that passed, of one attempt
	maxRunJobs    = 5 << 10
	earlyPatience = 24 * time.Hour
)

// EarlyJobs are jobs of an attempt that was not told yet.
type EarlyJobs struct {
	RunID   int64       `json:"run_id"`
	Attempt int         `json:"attempt"`
	Failed  []forge.Job `json:"failed,omitempty"`
	Passed  []uint32    `json:"passed,omitempty"`
	// At is when the last of them was completed.
	At time.Time `json:"at"`
}

// WantsJobs reports whether the jobs of a run are worth a request to the forge before the run is consumed: it failed, and which of its
// jobs did is not known. A run that could not start has none. Tell them with [State.NoteJobs].
func (s State) WantsJobs(run forge.Run) bool {
	if !run.Done || !run.Conclusion.Failed() || run.Conclusion == forge.StartupFailure || run.JobsKnown || s.Seen(run) {
		return false
	}
	i := s.waiting(run.ID, run.Attempt)
	return i < 0 || !s.Pending[i].Run.JobsKnown
}

// Wanting returns the attempts that wait and whose jobs are worth a request, the oldest first.
func (s State) Wanting() []forge.Run {
	var runs []forge.Run
	for _, noted := range s.Pending {
		if run := s.attach(noted.Run); s.WantsJobs(run) {
			runs = append(runs, run)
		}
	}
	return runs
}

// NoteJobs takes in all jobs of an attempt that waits, as the forge listed them: those that failed, and those that ran and passed. A job
// that GitHub keeps in an older attempt did not run in this one. From then on single jobs of the attempt change nothing.
func (s State) NoteJobs(run forge.Run, jobs []forge.Job) State {
	i := s.waiting(run.ID, run.Attempt)
	if i < 0 || !s.Pending[i].Run.Conclusion.Failed() {
		return s
	}
	s.Pending = slices.Clone(s.Pending)
	noted := &s.Pending[i]
	var broken []forge.Job
	noted.Passed = nil
	for _, job := range jobs {
		switch {
		case job.Conclusion.Failed():
			broken = append(broken, job)
		case job.Conclusion.Passed() && (job.Attempt == run.Attempt || !run.Counted):
			noted.Passed = withHash(noted.Passed, job.Name)
		}
	}
	noted.Run.Failed, noted.Run.JobsKnown = boundedJobs(broken), true
	return s
}

// NoteJob takes in a completed job that a webhook told. One that failed is remembered for its attempt, also if that is told later; one
// that passed where it matters, which is where the run or its commit failed before.
func (s State) NoteJob(job forge.Job) State {
	if job.RunID <= 0 || job.Attempt < 1 || job.Name == "" || !job.Conclusion.Failed() && !job.Conclusion.Passed() {
		return s
	}
	if i := s.waiting(job.RunID, job.Attempt); i >= 0 {
		if run := s.Pending[i].Run; run.JobsKnown || !run.Conclusion.Failed() {
			return s
		}
		s.Pending = slices.Clone(s.Pending)
		s.Pending[i].Run.Failed, s.Pending[i].Passed = withJob(s.Pending[i].Run.Failed, s.Pending[i].Passed, job)
		return s
	}
	if i := s.indexOf(job.RunID); i >= 0 {
		if known := s.Runs[i]; job.Attempt <= known.Gone || slices.Contains(known.Attempts, job.Attempt) {
			return s.noteLateJob(i, job)
		}
	}
	if job.Conclusion.Passed() && !s.matters(job) {
		return s
	}
	return s.noteEarlyJob(job)
}

// matters reports whether a job that passed may have failed before: its run or its commit did.
func (s *State) matters(job forge.Job) bool {
	return slices.ContainsFunc(s.Runs, func(r Run) bool {
		return strings.IndexByte(r.Results, failed) >= 0 && (r.ID == job.RunID || job.HeadSHA != "" && r.SHA == job.HeadSHA)
	}) || slices.ContainsFunc(s.Pending, func(n Noted) bool {
		return n.Run.Conclusion.Failed() && (n.Run.ID == job.RunID || job.HeadSHA != "" && n.Run.HeadSHA == job.HeadSHA)
	})
}

// noteLateJob remembers a failed job of an attempt that was consumed without any.
func (s State) noteLateJob(place int, job forge.Job) State {
	at := slices.Index(s.Runs[place].Attempts, job.Attempt)
	if at < 0 || s.Runs[place].Results[at] != failed || !job.Conclusion.Failed() {
		return s
	}
	last := s.Failed != nil && s.Failed.ID == job.RunID && s.Failed.Attempt == job.Attempt
	if last && s.Failed.JobsKnown {
		return s
	}
	s = s.clone()
	s.Runs[place].addJob(text(job.Name, maxName), job.Attempt)
	s.trimJobs()
	if last {
		run := *s.Failed
		run.Failed, _ = withJob(run.Failed, nil, job)
		s.Failed = &run
	}
	return s
}

// noteEarlyJob remembers a job of an attempt that was not told yet.
func (s State) noteEarlyJob(job forge.Job) State {
	s.Early = slices.Clone(s.Early)
	i := slices.IndexFunc(s.Early, func(e EarlyJobs) bool { return e.RunID == job.RunID && e.Attempt == job.Attempt })
	if i < 0 {
		i = len(s.Early)
		s.Early = append(s.Early, EarlyJobs{RunID: job.RunID, Attempt: job.Attempt})
	}
	early := &s.Early[i]
	early.Failed, early.Passed = withJob(early.Failed, early.Passed, job)
	early.At = later(early.At, instant(job.CompletedAt))
	slices.SortFunc(s.Early, func(a, b EarlyJobs) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.RunID, b.RunID), cmp.Compare(a.Attempt, b.Attempt))
	})
	s.Early = s.Early[max(len(s.Early)-maxEarly, 0):]
	return s
}

// takeEarly moves the jobs that were told before an attempt to it.
func (s *State) takeEarly(run forge.Run) {
	place := s.waiting(run.ID, run.Attempt)
	i := slices.IndexFunc(s.Early, func(e EarlyJobs) bool { return e.RunID == run.ID && e.Attempt == run.Attempt })
	if place < 0 || i < 0 {
		return
	}
	early := s.Early[i]
	s.Early = slices.Delete(slices.Clone(s.Early), i, i+1)
	if noted := s.Pending[place]; noted.Run.Conclusion.Failed() && !noted.Run.JobsKnown {
		s.Pending = slices.Clone(s.Pending)
		s.Pending[place].Run.Failed, s.Pending[place].Passed = boundedJobs(early.Failed), early.Passed
	}
}

// dropEarly forgets the jobs that were told before an attempt.
func (s *State) dropEarly(run forge.Run) {
	s.Early = slices.DeleteFunc(s.Early, func(e EarlyJobs) bool { return e.RunID == run.ID && e.Attempt == run.Attempt })
}

// recordJobs remembers which jobs of a run failed.
func (s *State) recordJobs(r *Run, run forge.Run) {
	for _, job := range run.Failed {
		attempt := run.Attempt
		if run.Counted && job.Attempt >= 1 {
			attempt = min(job.Attempt, attempt)
		}
		r.addJob(job.Name, attempt)
	}
	s.trimJobs()
}

// addJob remembers that a job failed in an attempt.
func (r *Run) addJob(name string, attempt int) {
	i, ok := slices.BinarySearchFunc(r.Jobs, name, func(j RunJob, name string) int { return strings.Compare(j.Name, name) })
	switch {
	case ok:
		r.Jobs[i].Attempt = max(r.Jobs[i].Attempt, attempt)
	case len(r.Jobs) < events.MaxCIJobs:
		r.Jobs = slices.Insert(r.Jobs, i, RunJob{Name: name, Attempt: attempt})
	}
}

// trimJobs forgets the jobs of the oldest runs when there are too many.
func (s *State) trimJobs() {
	size := 0
	for i := range slices.Backward(s.Runs) {
		for _, job := range s.Runs[i].Jobs {
			size += cost(job.Name) + 40
		}
		if size > maxRunJobs {
			s.Runs[i].Jobs = nil
		}
	}
}

// withJob adds a job to those that failed or to those that passed. The first word on a job is the last.
func withJob(broken []forge.Job, passing []uint32, job forge.Job) ([]forge.Job, []uint32) {
	if job.Conclusion.Passed() {
		return broken, withHash(passing, job.Name)
	}
	if slices.ContainsFunc(broken, func(j forge.Job) bool { return j.ID == job.ID && j.Name == text(job.Name, maxName) }) {
		return broken, passing
	}
	return boundedJobs(append(slices.Clone(broken), job)), passing
}

// withHash adds the hash of a name; of too many, the smallest are kept.
func withHash(hashes []uint32, name string) []uint32 {
	h := hash(name)
	i, ok := slices.BinarySearch(hashes, h)
	if ok {
		return hashes
	}
	hashes = slices.Insert(slices.Clone(hashes), i, h)
	return hashes[:min(len(hashes), maxPassed)]
}

// hash is that of a job's name as it is kept.
func hash(name string) uint32 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(text(name, maxName))) // a hash takes everything
	return h.Sum32()
}

// boundedJobs returns failed jobs as they are kept: in the order of their ids, at most 20, with bounded texts, which all together do not
// take more than 4 KiB.
func boundedJobs(jobs []forge.Job) []forge.Job {
	if len(jobs) == 0 {
		return nil
	}
	jobs = slices.Clone(jobs)
	slices.SortStableFunc(jobs, func(a, b forge.Job) int { return cmp.Or(cmp.Compare(a.ID, b.ID), strings.Compare(a.Name, b.Name)) })
	out := make([]forge.Job, 0, min(len(jobs), events.MaxCIJobs))
	left := maxJobBytes
	for _, job := range jobs[:min(len(jobs), events.MaxCIJobs)] {
		kept := forge.Job{
			ID: job.ID, Attempt: max(job.Attempt, 0), Name: named(text(job.Name, maxName)),
			Conclusion: forge.Conclusion(text(string(job.Conclusion), maxWord)),
		}
		if left -= 140 + cost(kept.Name) + cost(string(kept.Conclusion)); left < 0 {
			break
		}
		if url := address(job.URL); cost(url) <= left {
			kept.URL = url
			left -= cost(url)
		}
		for _, step := range job.FailedSteps[:min(len(job.FailedSteps), events.MaxCISteps)] {
			step = text(step, maxName)
			if cost(step)+3 > left {
				break
			}
			kept.FailedSteps = append(kept.FailedSteps, step)
			left -= cost(step) + 3
		}
		out = append(out, kept)
	}
	return out
}

// cost is how many bytes a text takes in JSON.
func cost(s string) int { return len(s) + strings.Count(s, `"`) + strings.Count(s, `\`) }
