package target

import (
	"strings"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// The wildcards of NATS: one token, and one or more at the end.
const (
	anyToken = "*"
	anyTail  = ">"
)

// CheckPattern checks a pattern over event types: an event type in which "*" may stand for one part, and a final ">" for
// one or more. "ci.*" means "ci.degraded" and not "ci.run.failed"; "ci.>" means both. Neither wildcard means the types that
// tell of deliveries and endpoints themselves: those have to be named. The error is of code invalid_argument.
func CheckPattern(pattern string) error {
	if pattern == anyTail {
		return nil
	}
	literal := make([]string, 0, 4)
	tokens := strings.Split(pattern, ".")
	for i, token := range tokens {
		switch {
		case token == anyToken, token == anyTail && i == len(tokens)-1:
			literal = append(literal, "x")
		case token == anyTail:
			return wrongPattern(pattern, "> stands at the end or not at all")
		default:
			literal = append(literal, token)
		}
	}
	if err := events.CheckType(strings.Join(literal, ".")); err != nil {
		return wrongPattern(pattern, events.AsError(err).Message)
	}
	return nil
}

func wrongPattern(pattern, reason string) error {
	return events.Errorf(events.CodeInvalidArgument, "the pattern %.80q: %s", pattern, reason)
}

// checkPatterns checks all patterns of an endpoint.
func checkPatterns(patterns []string) error {
	for _, pattern := range patterns {
		if err := CheckPattern(pattern); err != nil {
			return events.Errorf(events.CodeInvalidArgument, "events: %s", events.AsError(err).Message)
		}
	}
	return nil
}

// matches reports whether an event type fits a pattern.
func matches(pattern, eventType string) bool {
	for {
		want, restPattern, morePattern := strings.Cut(pattern, ".")
		got, restType, moreType := strings.Cut(eventType, ".")
		switch {
		case want == anyTail:
			return true
		case want != anyToken && want != got:
			return false
		case morePattern != moreType:
			return false
		case !morePattern:
			return true
		}
		pattern, eventType = restPattern, restType
	}
}
