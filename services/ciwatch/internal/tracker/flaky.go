package tracker

import (
	"cmp"
	"slices"
	"strings"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge"
)

const (
	maxFlaky      = 200
	maxFlakyBytes = 5 << 10
)

// FlakyJob is a job that came to two conclusions on one commit.
type FlakyJob struct {
	Name string `json:"n"`
	// Days are pairs of a day, in days since 1970, and the number of commits of that day on which it did so, the oldest first.
	Days [][2]int `json:"d"`
}

// tellFlaky counts the jobs that failed on a commit before and passed in the attempt, and tells so once a commit. Ran are the
// jobs of a failed attempt that passed; all of one that passed did.
func (s *State) tellFlaky(run forge.Run, ran []uint32, place int) []Event {
	if run.HeadSHA == "" {
		return nil
	}
	payload := events.CIFlaky{CIRun: s.ciRun(run)}
	told := false
	for i, other := range s.Runs {
		if other.SHA != run.HeadSHA {
			continue
		}
		told = told || other.Flaky
		switch attempt := other.failedBefore(run); {
		case attempt == 0, payload.FailedAttempt > 0:
		case i == place:
			payload.FailedRunID, payload.FailedAttempt = other.ID, attempt
		case !s.isLate(run):
			payload.FailedRunID = other.ID
		}
	}
	if payload.FailedRunID == 0 {
		return nil
	}
	names := s.flakyNow(run, ran)
	for _, name := range names {
		s.countFlake(name, dayOf(run.CompletedAt))
	}
	if told || len(names) == 0 && run.Conclusion.Failed() {
		return nil
	}
	s.Runs[place].Flaky = true
	for _, job := range s.rates(dayOf(run.CompletedAt)) {
		if slices.Contains(names, job.Name) && len(payload.Jobs) < events.MaxCIJobs {
			payload.Jobs = append(payload.Jobs, job)
		}
	}
	id := DeriveID(run.StartedAt, payload.EventType(), s.key(), run.HeadSHA)
	return []Event{{ID: id, Time: run.CompletedAt, Payload: payload}}
}

// isLate reports whether an attempt, which was consumed, is not the last one in order of completion.
func (s *State) isLate(run forge.Run) bool { return s.Last != markOf(run) }

// failedBefore returns the last failed attempt of r that is no later one of the same run; 0 when there is none.
func (r Run) failedBefore(run forge.Run) int {
	for i, attempt := range slices.Backward(r.Attempts) {
		if r.Results[i] == failed && (r.ID != run.ID || attempt < run.Attempt) {
			return attempt
		}
	}
	return 0
}

// flakyNow returns the names of the jobs that failed on the commit of an attempt, passed in it, and were not counted for this
// commit, ordered; and marks them.
func (s *State) flakyNow(run forge.Run, ran []uint32) []string {
	var names, counted []string
	for _, other := range s.Runs {
		if other.SHA != run.HeadSHA || other.ID != run.ID && s.isLate(run) {
			continue
		}
		for j, job := range other.Jobs {
			switch {
			case job.Flaky:
				counted = append(counted, job.Name)
			case other.ID == run.ID && job.Attempt >= run.Attempt, slices.ContainsFunc(run.Failed, func(f forge.Job) bool { return f.Name == job.Name }):
			case run.Conclusion.Failed() && !slices.Contains(ran, hash(job.Name)):
			default:
				other.Jobs[j].Flaky = true
				names = append(names, job.Name)
			}
		}
	}
	slices.Sort(names)
	return slices.DeleteFunc(slices.Compact(names), func(name string) bool { return slices.Contains(counted, name) })
}

// countFlake counts a commit of a day for a job.
func (s *State) countFlake(name string, day int) {
	i, ok := slices.BinarySearchFunc(s.Flaky, name, func(j FlakyJob, name string) int { return strings.Compare(j.Name, name) })
	if !ok {
		s.Flaky = slices.Insert(s.Flaky, i, FlakyJob{Name: name})
	}
	job := &s.Flaky[i]
	at, ok := slices.BinarySearchFunc(job.Days, day, func(d [2]int, day int) int { return cmp.Compare(d[0], day) })
	if !ok {
		job.Days = slices.Insert(job.Days, at, [2]int{day, 0})
	}
	job.Days[at][1]++
	s.trimFlaky()
}

// trimFlaky forgets jobs when there are too many: those first that were flaky the longest ago, and of them the last by name.
func (s *State) trimFlaky() {
	size := 0
	for _, job := range s.Flaky {
		size += job.size()
	}
	for len(s.Flaky) > maxFlaky || size > maxFlakyBytes {
		drop := 0
		for i, job := range s.Flaky {
			if job.Days[len(job.Days)-1][0] <= s.Flaky[drop].Days[len(s.Flaky[drop].Days)-1][0] {
				drop = i
			}
		}
		size -= s.Flaky[drop].size()
		s.Flaky = slices.Delete(s.Flaky, drop, drop+1)
	}
}

// size is how many bytes a job takes in JSON, at most.
func (j FlakyJob) size() int { return cost(j.Name) + 20 + 16*len(j.Days) }

// rates returns how flaky the jobs were in the 30 days up to a day, the worst first.
func (s *State) rates(today int) []events.CIFlakyJob {
	commits := 0
	for _, day := range s.Days {
		if day.isRecent(today) {
			commits += day.Commits
		}
	}
	var jobs []events.CIFlakyJob
	for _, job := range s.Flaky {
		flakes := 0
		for _, day := range job.Days {
			if day[0] > today-maxDays {
				flakes += day[1]
			}
		}
		if flakes > 0 {
			of := max(commits, flakes)
			jobs = append(jobs, events.CIFlakyJob{Name: job.Name, Rate: float64(flakes) / float64(of), Flakes: flakes, Commits: of})
		}
	}
	slices.SortStableFunc(jobs, func(a, b events.CIFlakyJob) int { return cmp.Compare(b.Flakes, a.Flakes) })
	return jobs
}
