package tracker

import (
	"cmp"
	"slices"
	"time"

	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge"
)

// maxPending bounds what waits between two calls of Advance.
const maxPending = 128

// Noted is an attempt that was told and is not consumed.
type Noted struct {
	// Run is the attempt, without what it shares with the state.
	Run forge.Run `json:"run"`
	// Listed says that the forge has listed it.
	Listed bool `json:"listed,omitempty"`
	// At is when it was told first.
	At time.Time `json:"at"`
	// Passed are hashes of the names of the jobs that ran and passed, when it failed.
	Passed []uint32 `json:"passed,omitempty"`
}

// ended is when the attempt was completed: never later than it was told, whatever the forge's clock says.
func (n Noted) ended() time.Time {
	if !n.At.IsZero() && n.At.Before(n.Run.CompletedAt) {
		return n.At
	}
	return n.Run.CompletedAt
}

// Note takes in what a webhook told at a time: it waits until Advance consumes it. What waits already, was consumed, or is no
// completed attempt changes nothing, but for jobs that are known now and were not.
//
// At most 128 attempts wait. When the state is stored, it holds as many of them as fit into it: usually more than 60, and at least
// the first. Those that were completed last are left out: a poll tells of them again.
func (s State) Note(run forge.Run, at time.Time) State {
	if s.Pending = s.noted(run, at, false); len(s.Pending) > maxPending {
		s.Pending = s.Pending[:maxPending]
	}
	s.takeEarly(run)
	return s
}

// Listed takes in what the forge listed at a time: the completed runs, each with its latest attempt. Call Advance before the state is
// stored, so that nothing is left out, however many they are.
func (s State) Listed(runs []forge.Run, at time.Time) State {
	for _, run := range runs {
		s.Pending = s.noted(run, at, true)
		s.takeEarly(run)
	}
	return s
}

// noted returns what waits, with an attempt more.
func (s *State) noted(run forge.Run, at time.Time, listed bool) []Noted {
	if !run.Done || run.ID <= 0 || s.Seen(run) {
		return s.Pending
	}
	run = s.bounded(run)
	next := Noted{Run: run, Listed: listed, At: instant(at)}
	i := s.waiting(run.ID, run.Attempt)
	if i < 0 {
		i, _ = slices.BinarySearchFunc(s.Pending, next, compareNoted)
		return slices.Insert(slices.Clone(s.Pending), i, next)
	}
	was := s.Pending[i]
	next.Run.Trace = cmp.Or(was.Run.Trace, next.Run.Trace)
	news := listed && !was.Listed
	if !news && (!run.JobsKnown || was.Run.JobsKnown) {
		return s.Pending
	}
	if !news {
		next.Run = was.Run
		next.Run.Failed, next.Run.JobsKnown = run.Failed, true
	}
	if was.Run.JobsKnown || !run.JobsKnown && next.Run.Conclusion.Failed() {
		next.Run.Failed, next.Run.JobsKnown = was.Run.Failed, was.Run.JobsKnown
	}
	next.Listed, next.Passed = was.Listed || listed, was.Passed
	if was.At.Before(next.At) {
		next.At = was.At
	}
	pending := slices.Clone(s.Pending)
	pending[i] = next
	slices.SortStableFunc(pending, compareNoted)
	return pending
}

// compareNoted orders by completion.
func compareNoted(a, b Noted) int { return forge.CompareCompleted(a.Run, b.Run) }

// waiting returns the place of an attempt that waits, or -1.
func (s *State) waiting(id int64, attempt int) int {
	return slices.IndexFunc(s.Pending, func(n Noted) bool { return n.Run.ID == id && n.Run.Attempt == attempt })
}

// Due is when [State.Advance] has something to do even if nothing is told until then: at once, a time in the past, when an attempt may be
// consumed; when the first that waits was completed, to which the caller adds how long it takes to settle; or when there will have been
// no run for too long. It is zero if that is never.
func (s State) Due(rules Rules) time.Time {
	if !s.Begun {
		return time.Time{}
	}
	due := time.Time{}
	if at := s.staleAt(rules); !s.StaleTold && s.LastRun != nil {
		due = at
	}
	if len(s.Pending) > 0 {
		if at := s.Pending[0].ended(); due.IsZero() || at.Before(due) {
			due = at
		}
	}
	return due
}
