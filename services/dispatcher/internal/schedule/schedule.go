// Package schedule says how long to wait before a webhook is tried again, and when to give it up.
package schedule

import (
	"slices"
	"time"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

const (
	// spread is how far a wait may be from what it says, as a part of it: those who failed together must not all come back
	// together.
	spread = 0.2
	// fastJitter is at most added to a wait of the fast schedule.
	fastJitter = 500 * time.Millisecond
	// refusals is how many waits at most follow answers that say no.
	refusals = 2
)

// Schedule is the waits between the attempts to deliver one webhook. It is immutable; the zero Schedule makes one attempt.
type Schedule struct {
	waits []time.Duration
	fast  bool
}

// Fast returns the schedule of the Python client: three attempts, min(2^n, 5) seconds for n = 0, 1, … between them and up
// to half a second more.
func Fast() Schedule {
	return Schedule{waits: []time.Duration{1 * time.Second, 2 * time.Second}, fast: true}
}

// Standard returns the schedule that Standard Webhooks recommends: ten attempts over some three days, each wait ±20 %.
func Standard() Schedule {
	return Schedule{waits: []time.Duration{
		5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour, 10 * time.Hour, 14 * time.Hour,
		20 * time.Hour, 24 * time.Hour,
	}}
}

// Parse reads the Retry of an [events.EndpointSpec]: one name, "fast" or "standard", or the waits between attempts as
// durations of 0s to [events.MaxEndpointWait], at most [events.MaxEndpointRetries] of them, each ±20 %. Nothing is
// standard. Errors are an [events.Error] of code invalid_argument.
func Parse(retry []string) (Schedule, error) {
	switch {
	case len(retry) == 0, len(retry) == 1 && retry[0] == events.RetryStandard:
		return Standard(), nil
	case len(retry) == 1 && retry[0] == events.RetryFast:
		return Fast(), nil
	case len(retry) > events.MaxEndpointRetries:
		return Schedule{}, events.Errorf(events.CodeInvalidArgument, "retry has %d waits; at most %d are allowed", len(retry), events.MaxEndpointRetries)
	}
	waits := make([]time.Duration, len(retry))
	for i, text := range retry {
		d, err := time.ParseDuration(text)
		if err != nil || d < 0 || d > events.MaxEndpointWait {
			return Schedule{}, events.Errorf(events.CodeInvalidArgument,
				"retry has %.40q as wait %d; it is fast, or standard, or waits such as 5s and 2h, each at most %s", text, i+1, events.MaxEndpointWait)
		}
		waits[i] = d
	}
	return Schedule{waits: waits}, nil
}

// Format returns what [Parse] reads: a name where there is one, otherwise the waits.
func (s Schedule) Format() []string {
	switch {
	case s.fast && slices.Equal(s.waits, Fast().waits):
		return []string{events.RetryFast}
	case !s.fast && slices.Equal(s.waits, Standard().waits):
		return []string{events.RetryStandard}
	}
	texts := make([]string, len(s.waits))
	for i, wait := range s.waits {
		texts[i] = wait.String()
	}
	return texts
}

// Attempts returns how many attempts are made in all, at least 1.
func (s Schedule) Attempts() int { return len(s.waits) + 1 }

// Next returns how long to wait after an attempt that failed, and whether there is another at all. The attempt counts
// from 1. rnd returns a number in [0, 1), as [math/rand/v2.Float64] does; nil means no jitter.
func (s Schedule) Next(attempt int, rnd func() float64) (wait time.Duration, more bool) {
	attempt = max(attempt, 1)
	if attempt > len(s.waits) {
		return 0, false
	}
	wait = s.waits[attempt-1]
	switch {
	case rnd == nil:
		return wait, true
	case s.fast:
		return wait + time.Duration(rnd()*float64(fastJitter)), true
	default:
		return wait + time.Duration((2*rnd()-1)*spread*float64(wait)), true
	}
}

// Refusal returns the short schedule for receivers that said no (a redirect, or a 4xx that does not mean "later"): at most
// three attempts, with the first waits of this schedule between them.
func (s Schedule) Refusal() Schedule {
	return Schedule{waits: s.waits[:min(refusals, len(s.waits))], fast: s.fast}
}
