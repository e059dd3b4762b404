// Package retry says whether and when failed work is tried again: marks on errors, and the delay between attempts.
//
// The marks survive wrapping with %w. An error without a mark is one that may pass and is tried again after the
// usual backoff of whoever does the work.
package retry

import (
	"errors"
	"time"
)

// Permanent marks err as one that trying again cannot cure. Permanent(nil) is nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return &permanentError{err: err}
}

// IsPermanent reports whether err, or an error that it wraps, was marked by [Permanent].
func IsPermanent(err error) bool {
	var p *permanentError
	return errors.As(err, &p)
}

// After marks err as one to be tried again no sooner than d from now, as a provider's Retry-After asks.
// A negative d counts as zero. After(nil, d) is nil. The outermost After of a chain is the one that counts.
func After(err error, d time.Duration) error {
	if err == nil {
		return nil
	}
	return &afterError{err: err, delay: max(d, 0)}
}

// Delay returns the wait that [After] put on err, or on an error that it wraps, and whether there is one.
func Delay(err error) (time.Duration, bool) {
	var a *afterError
	if !errors.As(err, &a) {
		return 0, false
	}
	return a.delay, true
}

// permanentError and afterError add a mark and no text: the message stays that of the cause.
type permanentError struct{ err error }

func (e *permanentError) Error() string { return e.err.Error() }
func (e *permanentError) Unwrap() error { return e.err }

type afterError struct {
	err   error
	delay time.Duration
}

func (e *afterError) Error() string { return e.err.Error() }
func (e *afterError) Unwrap() error { return e.err }
