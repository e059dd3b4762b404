package client

import (
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// schedule says how long an event waits that a handler returned an error for.
type schedule struct {
	waits []time.Duration // one an attempt that failed; behind the last the event is given up
	share float64         // each wait is up to this much of itself shorter or longer
	extra time.Duration   // and up to this much longer
}

// RetryFast waits 1 s and 2 s between attempts, up to half a second more, three attempts in all: [events.RetryFast]. It is
// what [Client.Handle] does when nothing else is asked for.
func RetryFast() HandleOption { return retryOption(fastSchedule()) }

// RetryStandard waits 5 s, 5 m, 30 m, 2 h, 5 h, 10 h, 14 h, 20 h and 24 h between attempts, each ±20 %, ten attempts in all:
// [events.RetryStandard].
func RetryStandard() HandleOption {
	return retryOption(schedule{share: 0.2, waits: []time.Duration{
		5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour, 10 * time.Hour, 14 * time.Hour,
		20 * time.Hour, 24 * time.Hour,
	}})
}

// RetryWaits waits as given between attempts, each ±20 %: at most [events.MaxEndpointRetries] waits of 0 to
// [events.MaxEndpointWait]. Without any, an event is tried once.
func RetryWaits(waits ...time.Duration) HandleOption {
	return retryOption(schedule{share: 0.2, waits: slices.Clone(waits)})
}

func retryOption(s schedule) HandleOption {
	return handleOption(func(set *handleSettings) { set.retry = s })
}

func fastSchedule() schedule {
	return schedule{waits: []time.Duration{time.Second, 2 * time.Second}, extra: 500 * time.Millisecond}
}

// check checks the bounds.
func (s schedule) check() error {
	if len(s.waits) > events.MaxEndpointRetries {
		return events.Errorf(events.CodeInvalidArgument, "there are %d waits between attempts; at most %d are allowed", len(s.waits), events.MaxEndpointRetries)
	}
	for _, wait := range s.waits {
		if wait < 0 || wait > events.MaxEndpointWait {
			return events.Errorf(events.CodeInvalidArgument, "a wait between attempts is %s; it must be 0s to %s", wait, events.MaxEndpointWait)
		}
	}
	return nil
}

// attempts is how often an event is tried in all.
func (s schedule) attempts() int { return len(s.waits) + 1 }

// wait is how long to wait after an attempt, which counts from 1 and is not the last.
func (s schedule) wait(attempt int) time.Duration {
	if len(s.waits) == 0 {
		return 0
	}
	d := s.waits[min(attempt, len(s.waits))-1]
	d += time.Duration(float64(d) * s.share * (2*rand.Float64() - 1)) //nolint:gosec // spreads load, hides nothing
	return d + time.Duration(float64(s.extra)*rand.Float64())         //nolint:gosec // as above
}

// Permanent marks the error of a handler of [Client.Handle] as one that trying again cannot cure: the event is given up at
// once. The mark survives wrapping with %w. Permanent(nil) is nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return &permanentError{err}
}

type permanentError struct{ err error }

func (e *permanentError) Error() string { return e.err.Error() }

func (e *permanentError) Unwrap() error { return e.err }

// isPermanent reports whether err was marked by [Permanent].
func isPermanent(err error) bool {
	_, ok := errors.AsType[*permanentError](err)
	return ok
}
