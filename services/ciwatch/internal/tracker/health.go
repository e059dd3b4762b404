package tracker

import (
	"time"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge"
)

// view is health as far as runs make it.
type view struct {
	failures int
	word     string
}

// trouble reports whether health is failing or worse.
func (v view) trouble() bool {
	return v.word == events.CIFailing || v.word == events.CIDegradedHealth || v.word == events.CIRecovering
}

// view returns health as it is.
func (s *State) view() view {
	failures, _ := s.streakBelow(len(s.Runs))
	word := events.CIHealthy
	switch {
	case s.Degraded != nil && s.passes() > 0:
		word = events.CIRecovering
	case s.Degraded != nil:
		word = events.CIDegradedHealth
	case failures > 0:
		word = events.CIFailing
	case s.LastRun == nil:
		word = events.CIUnknown
	}
	return view{failures: failures, word: word}
}

// changed keeps when health, and the streak, became what they are.
func (s *State) changed(before, after view, moment time.Time) {
	switch {
	case before.failures == 0 && after.failures > 0:
		s.FailingSince = moment
	case before.failures > 0 && after.failures == 0:
		s.countGreen(moment)
		s.FailingSince = time.Time{}
	}
	if before.word != after.word {
		s.Since = moment
	}
}

// Health returns health in one word of pkg/events. Degraded health is recovering while runs pass again, fewer than it takes, and for
// a day at most while the result of a recovery that was asked for is not in. A workflow without a run for too long is stale, unless health
// is degraded: that alarm stays.
func (s State) Health(rules Rules, now time.Time) string {
	word, _ := s.healthSince(rules, now)
	return word
}

// healthSince returns health and since when it is so.
func (s *State) healthSince(rules Rules, now time.Time) (string, time.Time) {
	word := s.view().word
	switch word {
	case events.CIRecovering:
	case events.CIDegradedHealth:
		if asked := s.underWay(now); asked != nil {
			return events.CIRecovering, asked.AskedAt
		}
	case events.CIHealthy, events.CIFailing:
		if at := s.staleAt(rules); !at.IsZero() && !now.Before(at) {
			return events.CIStaleHealth, at
		}
	}
	return word, s.Since
}

// ConsecutiveFailures counts the failed runs since the last one that passed.
func (s State) ConsecutiveFailures() int {
	failures, _ := s.streakBelow(len(s.Runs))
	return failures
}

// LastFailed returns the newest run that failed, with the jobs that did as far as they are known, while the streak of failures
// lasts and the run is part of it.
func (s State) LastFailed() (forge.Run, bool) {
	if s.Failed == nil || s.ConsecutiveFailures() == 0 {
		return forge.Run{}, false
	}
	if i := s.indexOf(s.Failed.ID); i >= 0 && s.Runs[i].result() != failed {
		return forge.Run{}, false
	}
	return s.attach(*s.Failed), true
}
