package tracker

import (
	"slices"
	"time"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge"
)

const (
	stateVersion = 2
	maxRuns      = 64 // remembered one by one; of older ones only the streak that they ended with is known
	maxAttempts  = 6  // of one run, remembered one by one
)

// maxDuration bounds what is believed of an attempt's length; GitHub ends a run after 35 days.
const maxDuration = 366 * 24 * time.Hour

// Identity says which runs are tracked together.
type Identity struct {
	// Forge is the forge's name in the configuration, Repository "owner/name".
	Forge      string `json:"forge"`
	Repository string `json:"repository"`
	// WorkflowID is the forge's id of the workflow; Workflow is its name for people and File the name of its file, as they were last
	// told.
	WorkflowID int64  `json:"workflow_id"`
	Workflow   string `json:"workflow"`
	File       string `json:"file,omitempty"`
	// Branch is the branch; with PullRequests, it is the runs of pull requests from that branch, which are tracked by themselves.
	Branch       string `json:"branch"`
	PullRequests bool   `json:"pull_requests,omitempty"`
}

// State is what is known of one workflow on one branch. It is a value: its methods leave it as it is and return the next one. It is
// kept as JSON, see [State.Encode]; make one with [New].
type State struct {
	// Version is that of this form.
	Version int `json:"version"`
	Identity
	// Fence is that of the lease under which the state was written last. The tracker does not use it.
	Fence uint64 `json:"fence,omitempty"`
	// Begun says that the watch has begun, see [State.Begin]. Floor is the number of the oldest run that was known then: older ones are
	// never counted, even if they show up because a newer one was deleted.
	Begun bool `json:"begun,omitempty"`
	Floor int  `json:"floor,omitempty"`
	// Last is the last attempt that was consumed, in order of completion. StaleTold says that it was told that none followed.
	Last      Mark `json:"last,omitzero"`
	StaleTold bool `json:"stale_told,omitempty"`
	// Runs are the last runs, at most 64, the oldest first.
	Runs []Run `json:"runs,omitempty"`
	// Carried counts the failed runs in a row directly before Runs, and CarriedFirst is the first of them. CarriedPasses counts the
	// passed ones, when health is degraded.
	Carried       int  `json:"carried,omitempty"`
	CarriedFirst  *Run `json:"carried_first,omitempty"`
	CarriedPasses int  `json:"carried_passes,omitempty"`
	// FailingSince is when the streak of failures that lasts began, Since when health became what it is.
	FailingSince time.Time `json:"failing_since,omitzero"`
	Since        time.Time `json:"since,omitzero"`
	// Degraded is there while health is degraded. Episode counts how often it was.
	Degraded *Degradation `json:"degraded,omitempty"`
	Episode  int          `json:"episode,omitempty"`
	// LastRun is the newest run that failed or passed, LastGood the newest that passed; both without failed jobs. Failed is the newest
	// that failed, with them, see [State.LastFailed].
	LastRun  *events.CIRun `json:"last_run,omitempty"`
	LastGood *events.CIRun `json:"last_good,omitempty"`
	Failed   *forge.Run    `json:"last_failed,omitempty"`
	// Page is the address of a run's page up to the run's id.
	Page string `json:"page,omitempty"`
	// Days are counts by day, at most 30, the oldest first.
	Days []Day `json:"days,omitempty"`
	// Flaky are the jobs that came to two conclusions on one commit, at most 200 and 5 KiB, ordered by name.
	Flaky []FlakyJob `json:"flaky,omitempty"`
	// Recoveries are the last ones, at most 20, the newest last.
	Recoveries []Recovery `json:"recoveries,omitempty"`
	// Early are jobs that were told before their run, at most 32 attempts of runs, as they were told.
	Early []EarlyJobs `json:"early,omitempty"`
	// Pending are the attempts that were told and are not consumed, in order of completion.
	Pending []Noted `json:"pending,omitempty"`

	resumed time.Time
}

// Mark is a place in the order of completion.
type Mark struct {
	CompletedAt time.Time `json:"completed_at"`
	Number      int       `json:"number"`
	RunID       int64     `json:"run_id"`
	Attempt     int       `json:"attempt"`
}

// Degradation is one time of degraded health.
type Degradation struct {
	// Since is when the threshold was crossed.
	Since time.Time `json:"since"`
	// Failures is the longest streak so far.
	Failures int `json:"failures"`
	// FirstRunID, FirstNumber and FirstStartedAt are of the run with which the streak began.
	FirstRunID     int64     `json:"first_run_id"`
	FirstNumber    int       `json:"first_number"`
	FirstStartedAt time.Time `json:"first_started_at"`
}

// New returns the state of a workflow that was never seen. Nothing is consumed before [State.Begin].
func New(id Identity) State {
	return State{Version: stateVersion, Identity: Identity{
		Forge: text(id.Forge, maxName), Repository: text(id.Repository, maxRepository), WorkflowID: id.WorkflowID,
		Workflow: text(id.Workflow, maxName), File: text(id.File, maxName), Branch: text(id.Branch, maxBranch), PullRequests: id.PullRequests,
	}}
}

// Begin starts the watch; a second time it does nothing. Call it when the forge has listed the workflow's runs for the first time.
//
// What was completed before watchedSince is history and makes no events, with one exception: the streak of failures that still
// lasts is news. So of what waits, all runs up to the last that passed before watchedSince are taken in silently, and the rest is
// left to [State.Advance]. Runs that are older than all that wait are never counted.
func (s State) Begin(watchedSince time.Time, rules Rules) State {
	if s.Begun {
		return s
	}
	s = s.clone()
	s.Begun = true
	lastPassed := s.lastPassed(watchedSince, rules)
	for i, noted := range s.Pending {
		if i == 0 || noted.Run.Number < s.Floor {
			s.Floor = noted.Run.Number
		}
	}
	var news []Noted
	for _, noted := range s.Pending {
		if noted.Run.Number > lastPassed || !noted.Run.CompletedAt.Before(watchedSince) {
			news = append(news, noted)
			continue
		}
		s.remember(noted, rules)
	}
	s.Pending = news
	return s
}

// lastPassed returns the number of the newest run that waits and passed before a time; -1 when none did.
func (s *State) lastPassed(before time.Time, rules Rules) int {
	results := map[int64]byte{}
	for _, noted := range s.Pending { // in order of completion: the later attempt counts
		if result := resultOf(noted.Run.Conclusion, rules); result != neither && noted.Run.CompletedAt.Before(before) {
			results[noted.Run.ID] = result
		}
	}
	last := -1
	for _, noted := range s.Pending {
		if results[noted.Run.ID] == passed {
			last = max(last, noted.Run.Number)
		}
	}
	return last
}

// remember counts an attempt from before the watch.
func (s *State) remember(noted Noted, rules Rules) {
	run := s.attach(noted.Run)
	if s.Seen(run) {
		return
	}
	before := s.view()
	s.record(run, rules)
	s.Last = laterMark(s.Last, markOf(run))
	s.changed(before, s.view(), s.Last.CompletedAt)
	s.trim()
	s.forget()
}

// markOf is the place of a run.
func markOf(run forge.Run) Mark {
	return Mark{CompletedAt: run.CompletedAt, Number: run.Number, RunID: run.ID, Attempt: run.Attempt}
}

// clone returns a copy that shares nothing that is ever changed.
func (s State) clone() State {
	s.Runs = slices.Clone(s.Runs)
	for i := range s.Runs {
		s.Runs[i].Attempts = slices.Clone(s.Runs[i].Attempts)
		s.Runs[i].Jobs = slices.Clone(s.Runs[i].Jobs)
	}
	s.Days = slices.Clone(s.Days)
	s.Flaky = slices.Clone(s.Flaky)
	for i := range s.Flaky {
		s.Flaky[i].Days = slices.Clone(s.Flaky[i].Days)
	}
	s.Recoveries = slices.Clone(s.Recoveries)
	s.Early = slices.Clone(s.Early)
	s.Pending = slices.Clone(s.Pending)
	if s.Degraded != nil {
		degraded := *s.Degraded
		s.Degraded = &degraded
	}
	return s
}
