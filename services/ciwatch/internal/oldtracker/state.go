package tracker

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	forge "github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/oldforge"
)

const (
	stateVersion = 1
	maxRuns      = 64 // remembered one by one; of older ones only the streak that they ended with is known
	maxAttempts  = 64 // of one run; GitHub allows 50 reruns
)

// State is what is known of one workflow on one branch. It is kept as JSON; its zero value is not usable, see [Start].
type State struct {
	// Version is that of this form.
	Version int `json:"version"`
	// Repository is "owner/name".
	Repository string `json:"repository"`
	// WorkflowID, Workflow and Branch say which runs are tracked; the name is that of the last run.
	WorkflowID int64  `json:"workflow_id"`
	Workflow   string `json:"workflow"`
	Branch     string `json:"branch"`
	// Floor is the number of the oldest run that was listed when the watch began; older ones are never counted, even if
	// they show up because a newer one was deleted.
	Floor int `json:"floor,omitempty"`
	// Runs are the last runs, at most 64, the oldest first.
	Runs []Run `json:"runs"`
	// Carried counts the failed runs in a row directly before Runs, and CarriedFirst is the first of them.
	Carried      int  `json:"carried,omitempty"`
	CarriedFirst *Run `json:"carried_first,omitempty"`
	// Degraded is there while health is degraded.
	Degraded *Degradation `json:"degraded,omitempty"`
	// Episode counts how often health degraded; RecoveredEpisode is the last one for which recovery was triggered.
	Episode          int `json:"episode,omitempty"`
	RecoveredEpisode int `json:"recovered_episode,omitempty"`
	// LastRecoveryAt is when recovery was last triggered.
	LastRecoveryAt time.Time `json:"last_recovery_at,omitzero"`
	// LastRun is the newest run that failed or passed.
	LastRun *events.CIRun `json:"last_run,omitempty"`
}

// Degradation is one time of degraded health.
type Degradation struct {
	// Since is when the threshold was crossed.
	Since time.Time `json:"since"`
	// Failures is the longest streak so far.
	Failures int `json:"failures"`
	// FirstRunID and FirstStartedAt are of the run with which the streak began.
	FirstRunID     int64     `json:"first_run_id"`
	FirstStartedAt time.Time `json:"first_started_at"`
}

// Run is what is remembered of a run.
type Run struct {
	ID        int64     `json:"id"`
	Number    int       `json:"number"`
	SHA       string    `json:"sha,omitempty"`
	StartedAt time.Time `json:"started_at"`
	// Attempts are those that were seen, the oldest first.
	Attempts []Attempt `json:"attempts"`
	// Flaky says that the commit was reported as flaky with this run.
	Flaky bool `json:"flaky,omitempty"`
}

// Attempt is one attempt of a run.
type Attempt struct {
	Number int    `json:"n"`
	Result Result `json:"r"`
}

// Result is what an attempt says about the code.
type Result string

const (
	failed  Result = "failed"
	passed  Result = "passed"
	neither Result = "neither"
)

// resultOf reads a conclusion.
func resultOf(c forge.Conclusion) Result {
	switch {
	case c.Failed():
		return failed
	case c.Passed():
		return passed
	default:
		return neither
	}
}

// result is that of the last attempt that failed or passed.
func (r Run) result() Result {
	for _, attempt := range slices.Backward(r.Attempts) {
		if attempt.Result != neither {
			return attempt.Result
		}
	}
	return neither
}

// Compare orders runs of one workflow from old to new: by number, id and attempt.
func Compare(a, b forge.Run) int {
	return cmp.Or(cmp.Compare(a.Number, b.Number), cmp.Compare(a.ID, b.ID), cmp.Compare(a.Attempt, b.Attempt))
}

// ConsecutiveFailures counts the failed runs since the last one that passed.
func (s State) ConsecutiveFailures() int {
	failures, _ := s.streakBelow(len(s.Runs))
	return failures
}

// Seen reports whether the attempt was counted before, or is too old to be counted.
func (s State) Seen(run forge.Run) bool {
	i, ok := s.find(run)
	if !ok {
		return run.Number < s.Floor || i == 0 && len(s.Runs) == maxRuns
	}
	attempts := s.Runs[i].Attempts
	j, ok := findAttempt(attempts, run.Attempt)
	return ok || j == 0 && len(attempts) == maxAttempts
}

// find returns the place of a run, or where it belongs.
func (s State) find(run forge.Run) (int, bool) {
	if i := slices.IndexFunc(s.Runs, func(r Run) bool { return r.ID == run.ID }); i >= 0 {
		return i, true
	}
	return slices.BinarySearchFunc(s.Runs, run, func(r Run, run forge.Run) int {
		return cmp.Or(cmp.Compare(r.Number, run.Number), cmp.Compare(r.ID, run.ID))
	})
}

func findAttempt(attempts []Attempt, number int) (int, bool) {
	return slices.BinarySearchFunc(attempts, number, func(a Attempt, n int) int { return cmp.Compare(a.Number, n) })
}

// record returns a copy of s that has seen run, and the run's place in it. It may hold one run too many; see trim.
func (s State) record(run forge.Run) (State, int) {
	s = s.clone()
	at, ok := s.find(run)
	if !ok {
		s.Runs = slices.Insert(s.Runs, at, Run{ID: run.ID, Number: run.Number, SHA: run.HeadSHA, StartedAt: run.StartedAt})
	}
	attempts := s.Runs[at].Attempts
	i, _ := findAttempt(attempts, run.Attempt)
	attempts = slices.Insert(attempts, i, Attempt{Number: run.Attempt, Result: resultOf(run.Conclusion)})
	s.Runs[at].Attempts = attempts[max(len(attempts)-maxAttempts, 0):]
	s.WorkflowID, s.Workflow, s.Branch = run.WorkflowID, run.Workflow, run.Branch
	if resultOf(run.Conclusion) != neither && !s.hasNewer(run) {
		last := s.ciRun(run)
		s.LastRun = &last
	}
	return s, at
}

// hasNewer reports whether LastRun is newer than run.
func (s State) hasNewer(run forge.Run) bool {
	if s.LastRun == nil {
		return false
	}
	return Compare(forge.Run{Number: s.LastRun.RunNumber, ID: s.LastRun.RunID, Attempt: s.LastRun.RunAttempt}, run) > 0
}

// trim forgets the oldest run when there are too many; a streak that it belongs to is carried on.
func (s State) trim() State {
	for len(s.Runs) > maxRuns {
		oldest := s.Runs[0]
		switch oldest.result() {
		case failed:
			if s.Carried == 0 {
				oldest.Attempts = nil
				s.CarriedFirst = &oldest
			}
			s.Carried++
		case passed:
			s.Carried, s.CarriedFirst = 0, nil
		case neither:
		}
		s.Runs = s.Runs[1:]
	}
	return s
}

// streakBelow counts the failed runs in a row that end directly below a place in Runs, and returns the first of them.
func (s State) streakBelow(place int) (failures int, first Run) {
	for _, run := range slices.Backward(s.Runs[:place]) {
		switch run.result() {
		case failed:
			failures, first = failures+1, run
		case passed:
			return failures, first
		case neither:
		}
	}
	if s.CarriedFirst != nil {
		failures, first = failures+s.Carried, *s.CarriedFirst
	}
	return failures, first
}

// clone returns a copy that shares nothing that is ever changed.
func (s State) clone() State {
	s.Runs = slices.Clone(s.Runs)
	for i := range s.Runs {
		s.Runs[i].Attempts = slices.Clone(s.Runs[i].Attempts)
	}
	if s.Degraded != nil {
		degraded := *s.Degraded
		s.Degraded = &degraded
	}
	return s
}

// Encode returns the form that is kept.
func (s State) Encode() ([]byte, error) { return json.Marshal(s) }

// Decode reads what [State.Encode] wrote. It refuses what it cannot have written, so that a state that someone else
// changed, or that a newer version wrote, is never taken for an empty one.
func Decode(data []byte) (State, error) {
	var s State
	if err := json.Unmarshal(data, &s); err != nil {
		return State{}, fmt.Errorf("the stored CI state is not readable: %w", err)
	}
	switch {
	case s.Version != stateVersion:
		return State{}, fmt.Errorf("the stored CI state has version %d; this program reads version %d", s.Version, stateVersion)
	case len(s.Runs) > maxRuns, s.Carried < 0, (s.Carried > 0) != (s.CarriedFirst != nil):
		return State{}, errors.New("the stored CI state contradicts itself")
	case !slices.IsSortedFunc(s.Runs, func(a, b Run) int { return cmp.Or(cmp.Compare(a.Number, b.Number), cmp.Compare(a.ID, b.ID)) }):
		return State{}, errors.New("the runs of the stored CI state are not in order")
	}
	for _, run := range s.Runs {
		if len(run.Attempts) == 0 || len(run.Attempts) > maxAttempts ||
			!slices.IsSortedFunc(run.Attempts, func(a, b Attempt) int { return cmp.Compare(a.Number, b.Number) }) {
			return State{}, fmt.Errorf("run %d of the stored CI state has no usable attempts", run.ID)
		}
	}
	return s, nil
}
