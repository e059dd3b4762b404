// Package tracker turns the completed attempts of one workflow on one branch into CI health and the events that tell of it.
//
// It is a pure state machine: a [State] and what was heard give the next State and what is to be published. What webhooks tell
// is noted, what a forge lists is listed, both wait in the state, and [State.Advance] consumes them in the order in which the
// attempts ended. It consumes an attempt when the forge has listed it or when it ended so long ago that nothing older is expected
// any more. So it does not matter in which order, how often and from where an attempt was told: the states and the events are
// those of a history that was watched from its first to its last attempt, provided that each attempt was told before a later one
// was consumed. One that comes even later changes the record and the streak and, if that changes health as it is now, tells so.
//
// Runs are ordered by their number. A later attempt of a run replaces the result of an earlier one, and what neither failed nor
// passed (cancelled, skipped, stale, action required, what nobody knows) leaves the result of its run, and the streak, as they
// were.
package tracker

import (
	"cmp"
	"time"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge"
)

// Rules say when health changes.
type Rules struct {
	// FailuresToAlert is the number of failed runs in a row at which health is degraded; less than 1 is 1.
	FailuresToAlert int
	// PassesToClose is the number of passed runs in a row at which degraded health is healthy again; less than 1 is 1, more than 64
	// is 64. Only runs from the first failed one of the alarm on are counted.
	PassesToClose int
	// StaleAfter is how long there may be no run; 0 is for ever.
	StaleAfter time.Duration
	// NeutralPasses counts neutral runs as passed; without it they count as nothing.
	NeutralPasses bool
	// AllRuns tells of each run that failed or passed, not only of those that change health.
	AllRuns bool
	// Cooldown is the least time between two recoveries. The tracker only tells it; see [State.Triggered].
	Cooldown time.Duration
}

// failures returns how many make an alarm.
func (r Rules) failures() int { return max(r.FailuresToAlert, 1) }

// passes returns how many end one.
func (r Rules) passes() int { return min(max(r.PassesToClose, 1), maxRuns) }

// Event is one thing to be published.
type Event struct {
	// ID is the same whoever tells it and however often, and differs for everything else.
	ID string
	// Time is when it happened.
	Time time.Time
	// Payload is valid by its own rules.
	Payload events.Payload
	// Trace is the trace context of what it comes of, as a traceparent; empty when that is not known.
	Trace string
}

// Advance consumes what was noted and listed, in the order of completion, and returns the state after it and what is to be
// published, in order. It stops at the first attempt that was not listed and was completed after settled: until then, one that
// was completed earlier may still be told. After that it tells, once until a run comes, that there was none for too long.
//
// Before [State.Begin] it does nothing. After [State.Resume] it leaves out what nobody needs to hear any more; see there.
func (s State) Advance(rules Rules, settled, now time.Time) (State, []Event) {
	if !s.Begun || !s.hasReady(settled) && !s.isNewlyStale(rules, now) {
		return s, nil
	}
	s = s.clone()
	b := batch{now: now, resumed: s.resumed, allRuns: rules.AllRuns, began: -1}
	for s.hasReady(settled) {
		noted := s.Pending[0]
		s.Pending = s.Pending[1:]
		s.consume(noted, rules, &b)
	}
	if s.isNewlyStale(rules, now) {
		b.add(s.goStale(rules))
	}
	s.resumed = time.Time{}
	return s, b.events
}

// hasReady reports whether the first that waits may be consumed.
func (s *State) hasReady(settled time.Time) bool {
	return len(s.Pending) > 0 && (s.Pending[0].Listed || !s.Pending[0].ended().After(settled))
}

// consume counts one attempt.
func (s *State) consume(noted Noted, rules Rules, b *batch) {
	run := s.attach(noted.Run)
	if s.Seen(run) {
		s.dropEarly(run)
		return
	}
	before := s.view()
	place, result := s.record(run, rules)
	moment := later(s.Last.CompletedAt, run.CompletedAt)
	s.Last = laterMark(s.Last, markOf(run))
	s.StaleTold = false
	from := len(b.events)
	switch result {
	case failed:
		b.add(s.tellFailed(run, place, before, rules)...)
		b.add(s.tellFlaky(run, noted.Passed, place)...)
		b.add(s.openAlarm(run, moment, rules)...)
	case passed:
		b.add(s.tellPassed(run, before, rules)...)
		b.add(s.tellFlaky(run, nil, place)...)
		b.add(s.closeAlarm(run, moment, rules)...)
	case neither:
	}
	after := s.view()
	b.add(s.closeRecoveries(run, result, before.trouble() && !after.trouble(), rules)...)
	for i := from; i < len(b.events); i++ {
		b.events[i].Trace = run.Trace
	}
	s.changed(before, after, moment)
	b.crossed(before.trouble(), after.trouble(), from, moment)
	s.trim()
	s.forget()
}

// tellFailed tells of a failed attempt that makes the streak longer.
func (s *State) tellFailed(run forge.Run, place int, before view, rules Rules) []Event {
	failures, _ := s.streakBelow(len(s.Runs))
	grown := failures > before.failures
	if !rules.AllRuns && (!grown || s.Degraded != nil) {
		return nil
	}
	if !grown {
		below, _ := s.streakBelow(place)
		failures = below + 1
	}
	return []Event{s.runEvent(run, events.CIRunFailed{CIRun: s.ciRun(run), ConsecutiveFailures: failures})}
}

// tellPassed tells of a passed attempt that ends the streak. When there is an alarm, its end is told instead.
func (s *State) tellPassed(run forge.Run, before view, rules Rules) []Event {
	failures, _ := s.streakBelow(len(s.Runs))
	if !rules.AllRuns && (before.failures == 0 || failures > 0 || s.Degraded != nil) {
		return nil
	}
	return []Event{s.runEvent(run, events.CIRunSucceeded{CIRun: s.ciRun(run)})}
}

// openAlarm tells that the threshold was crossed, or counts on.
func (s *State) openAlarm(run forge.Run, moment time.Time, rules Rules) []Event {
	failures, first := s.streakBelow(len(s.Runs))
	if s.Degraded != nil {
		s.Degraded.Failures = max(s.Degraded.Failures, failures)
		return nil
	}
	if failures < rules.failures() {
		return nil
	}
	s.Episode++
	s.CarriedPasses = 0
	s.Degraded = &Degradation{
		Since: moment, Failures: failures, FirstRunID: first.ID, FirstNumber: first.Number, FirstStartedAt: time.UnixMilli(first.Started).UTC(),
	}
	return []Event{s.episodeEvent(moment, events.CIDegraded{
		CIRun: s.ciRun(run), ConsecutiveFailures: failures, Threshold: rules.failures(), FirstFailedRunID: first.ID,
	})}
}

// closeAlarm tells that enough runs have passed.
func (s *State) closeAlarm(run forge.Run, moment time.Time, rules Rules) []Event {
	if s.Degraded == nil || s.passes() < rules.passes() {
		return nil
	}
	ev := s.episodeEvent(moment, events.CIRecovered{
		CIRun: s.ciRun(run), FailedRuns: s.Degraded.Failures, DegradedSince: s.Degraded.Since, RecoveryID: s.lastAsked(),
	})
	s.countRecovery(moment)
	s.Degraded = nil
	return []Event{ev}
}

// isNewlyStale reports whether there was no run for too long and nobody was told.
func (s *State) isNewlyStale(rules Rules, now time.Time) bool {
	at := s.staleAt(rules)
	return !s.StaleTold && !at.IsZero() && !now.Before(at) && s.LastRun != nil && s.Begun
}

// staleAt is when there will have been no run for too long; zero when never.
func (s *State) staleAt(rules Rules) time.Time {
	if rules.StaleAfter <= 0 || s.Last.CompletedAt.IsZero() {
		return time.Time{}
	}
	return s.Last.CompletedAt.Add(rules.StaleAfter)
}

// goStale tells that there was no run for too long.
func (s *State) goStale(rules Rules) Event {
	s.StaleTold = true
	payload := events.CIStale{CIRun: *s.LastRun, AfterSeconds: min(max(rules.StaleAfter.Seconds(), 1), maxDuration.Seconds()*100)}
	return Event{
		ID:   DeriveID(s.Last.CompletedAt, payload.EventType(), s.key(), runKey(s.Last.RunID, s.Last.Attempt)),
		Time: s.staleAt(rules), Payload: payload,
	}
}

// later returns the later of two times.
func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// laterMark returns the one that was completed later.
func laterMark(a, b Mark) Mark {
	if cmp.Or(a.CompletedAt.Compare(b.CompletedAt), cmp.Compare(a.Number, b.Number), cmp.Compare(a.RunID, b.RunID), cmp.Compare(a.Attempt, b.Attempt)) > 0 {
		return a
	}
	return b
}
