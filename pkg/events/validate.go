package events

import (
	"math"
	"slices"
	"strings"
)

// maxSeconds bounds durations in payloads: a hundred years.
const maxSeconds = 100 * 366 * 24 * 3600

// firstError returns the first error that is not nil.
func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// required checks that a text is there.
func required(field, value string) error {
	if value == "" {
		return Errorf(CodeInvalidArgument, "%s is missing", field)
	}
	return nil
}

// atLeast checks a whole number's lower bound.
func atLeast(field string, value, least int64) error {
	if value < least {
		return Errorf(CodeInvalidArgument, "%s is %d; it must be at least %d", field, value, least)
	}
	return nil
}

// inRange checks that a number is finite and within its bounds.
func inRange(field string, value, least, most float64) error {
	if math.IsNaN(value) || value < least || value > most {
		return Errorf(CodeInvalidArgument, "%s is %g; it must be %g to %g", field, value, least, most)
	}
	return nil
}

// oneOf checks a closed set of words.
func oneOf(field, value string, allowed ...string) error {
	if !slices.Contains(allowed, value) {
		return Errorf(CodeInvalidArgument, "%s is %q; it must be %s", field, truncate(value, 40), strings.Join(allowed, " or "))
	}
	return nil
}
