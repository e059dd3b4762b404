package tracker

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge"
)

// Results of an attempt: what it says about the code.
const (
	failed  = 'f'
	passed  = 'p'
	neither = 'n'
)

// Run is what is remembered of a run.
type Run struct {
	ID     int64  `json:"i"`
	Number int    `json:"n"`
	SHA    string `json:"s,omitempty"`
	// Started is when the latest attempt started, in milliseconds since 1970, Took how long it took and Queue how long its first attempt
	// waited, in milliseconds, -1 when that is not known.
	Started int64 `json:"t"`
	Took    int64 `json:"d"`
	Queue   int64 `json:"q"`
	// Attempts are the last 6 that were seen, the oldest first, and Results a letter for each: failed, passed or neither. Gone is the
	// latest of those that were forgotten, Count how many were seen.
	Attempts []int  `json:"a"`
	Results  string `json:"r"`
	Gone     int    `json:"g,omitempty"`
	Count    int    `json:"c"`
	// Day is the day under which the run is counted, in days since 1970; 0 when it is not.
	Day int `json:"y,omitempty"`
	// Flaky says that the commit was told to be flaky with this run.
	Flaky bool `json:"f,omitempty"`
	// Jobs are those that failed, when they are known, ordered by name.
	Jobs []RunJob `json:"j,omitempty"`
}

// RunJob is a job of a run that failed.
type RunJob struct {
	Name string `json:"n"`
	// Attempt is the last one in which it failed. Flaky says that it was counted as flaky.
	Attempt int  `json:"a"`
	Flaky   bool `json:"f,omitempty"`
}

// resultOf reads a conclusion.
func resultOf(c forge.Conclusion, rules Rules) byte {
	switch {
	case c.Failed():
		return failed
	case c.Passed(), rules.NeutralPasses && c == forge.Neutral:
		return passed
	default:
		return neither
	}
}

// result is that of the last attempt that failed or passed.
func (r Run) result() byte {
	if i := strings.LastIndexAny(r.Results, string([]byte{failed, passed})); i >= 0 {
		return r.Results[i]
	}
	return neither
}

// compareRuns orders runs from old to new.
func compareRuns(a, b Run) int {
	return cmp.Or(cmp.Compare(a.Number, b.Number), cmp.Compare(a.ID, b.ID))
}

// Seen reports whether the attempt was consumed, or is too old to be.
func (s State) Seen(run forge.Run) bool {
	if run.Number < s.Floor {
		return true
	}
	i, ok := s.find(run)
	if !ok {
		return i == 0 && len(s.Runs) == maxRuns
	}
	known := s.Runs[i]
	return run.Attempt <= known.Gone || slices.Contains(known.Attempts, run.Attempt)
}

// find returns the place of a run, or where it belongs.
func (s *State) find(run forge.Run) (int, bool) {
	if i := s.indexOf(run.ID); i >= 0 {
		return i, true
	}
	return slices.BinarySearchFunc(s.Runs, Run{ID: run.ID, Number: run.Number}, compareRuns)
}

// indexOf returns the place of the run with an id, or -1.
func (s *State) indexOf(id int64) int {
	return slices.IndexFunc(s.Runs, func(r Run) bool { return r.ID == id })
}

// record takes an attempt in and returns the run's place and the attempt's result. There may be one run too many afterwards; see
// trim.
func (s *State) record(run forge.Run, rules Rules) (place int, result byte) {
	place, ok := s.find(run)
	if !ok {
		s.Runs = slices.Insert(s.Runs, place, Run{ID: run.ID, Number: run.Number, SHA: run.HeadSHA, Queue: queueOf(run)})
	}
	r := &s.Runs[place]
	result = resultOf(run.Conclusion, rules)
	was := r.result()
	r.add(run, result)
	s.countRun(r, was, run.CompletedAt)
	s.recordJobs(r, run)
	s.dropEarly(run)
	s.Workflow, s.File = cmp.Or(run.Workflow, s.Workflow), cmp.Or(run.File, s.File)
	if page, ok := strings.CutSuffix(run.URL, strconv.FormatInt(run.ID, 10)); ok {
		s.Page = page
	}
	if result != neither {
		s.showRun(run, result)
	}
	return place, result
}

// queueOf is how long the first attempt of a run waited; of a later one that is not known.
func queueOf(run forge.Run) int64 {
	if run.Counted && run.Attempt > 1 || run.CreatedAt.IsZero() || run.StartedAt.IsZero() {
		return -1
	}
	return span(run.CreatedAt, run.StartedAt).Milliseconds()
}

// add takes in an attempt.
func (r *Run) add(run forge.Run, result byte) {
	i, _ := slices.BinarySearch(r.Attempts, run.Attempt)
	if i == len(r.Attempts) && run.Attempt > r.Gone {
		r.Started, r.Took = run.StartedAt.UnixMilli(), span(run.StartedAt, run.CompletedAt).Milliseconds()
	}
	r.SHA = cmp.Or(r.SHA, run.HeadSHA)
	r.Attempts = slices.Insert(r.Attempts, i, run.Attempt)
	r.Results = r.Results[:i] + string(rune(result)) + r.Results[i:]
	r.Count++
	if len(r.Attempts) <= maxAttempts {
		return
	}
	// What says nothing goes first: the last result has to stay.
	drop := max(strings.IndexByte(r.Results, neither), 0)
	r.Gone = max(r.Gone, r.Attempts[drop])
	r.Attempts = slices.Delete(r.Attempts, drop, drop+1)
	r.Results = r.Results[:drop] + r.Results[drop+1:]
}

// attempts is how many the run has had, as far as one can tell.
func (r Run) attempts() int {
	if last := r.Attempts[len(r.Attempts)-1]; last <= 1000 { // a count, not a time
		return max(last, r.Count)
	}
	return r.Count
}

// showRun keeps what people are shown of a run that failed or passed.
func (s *State) showRun(run forge.Run, result byte) {
	shown := s.ciRun(run)
	shown.FailedJobs = nil
	newer := func(id int64, number, attempt int) bool {
		return forge.Compare(forge.Run{Number: number, ID: id, Attempt: attempt}, run) > 0
	}
	if l := s.LastRun; l == nil || !newer(l.RunID, l.RunNumber, l.RunAttempt) {
		s.LastRun = &shown
	}
	switch l := s.LastGood; {
	case result == passed && (l == nil || !newer(l.RunID, l.RunNumber, l.RunAttempt)):
		s.LastGood = &shown
	case result == failed && (s.Failed == nil || !newer(s.Failed.ID, s.Failed.Number, s.Failed.Attempt)):
		kept := s.bounded(run)
		s.Failed = &kept
	}
}

// trim forgets the oldest run when there are too many; a streak that it belongs to is carried on.
func (s *State) trim() {
	for len(s.Runs) > maxRuns {
		oldest := s.Runs[0]
		switch oldest.result() {
		case failed:
			if s.Carried == 0 {
				s.CarriedFirst = &Run{ID: oldest.ID, Number: oldest.Number, Started: oldest.Started, Attempts: []int{1}, Results: string(rune(failed)), Count: 1}
			}
			s.Carried++
			s.CarriedPasses = 0
		case passed:
			s.Carried, s.CarriedFirst = 0, nil
			if s.Degraded != nil && oldest.Number >= s.Degraded.FirstNumber {
				s.CarriedPasses++
			}
		}
		s.Runs = slices.Delete(s.Runs, 0, 1)
	}
}

// streakBelow counts the failed runs in a row that end directly below a place in Runs, and returns the first of them.
func (s *State) streakBelow(place int) (failures int, first Run) {
	for _, run := range slices.Backward(s.Runs[:place]) {
		switch run.result() {
		case failed:
			failures, first = failures+1, run
		case passed:
			return failures, first
		}
	}
	if s.CarriedFirst != nil {
		failures, first = failures+s.Carried, *s.CarriedFirst
	}
	return failures, first
}

// passes counts the passed runs in a row at the end, from the first failed run of the alarm on.
func (s *State) passes() int {
	count := 0
	for _, run := range slices.Backward(s.Runs) {
		if run.Number < s.Degraded.FirstNumber {
			return count
		}
		switch run.result() {
		case passed:
			count++
		case failed:
			return count
		}
	}
	return count + s.CarriedPasses
}

// startedAt is when the latest attempt started.
func (r Run) startedAt() time.Time {
	if r.Started <= 0 {
		return time.Time{}
	}
	return time.UnixMilli(r.Started).UTC()
}
