package history

import (
	"strings"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// The wildcards of NATS: one part, and one or more at the end.
const (
	anyToken = "*"
	anyTail  = ">"
)

// checkPattern checks a pattern over event types; the empty one means all. The error is of code invalid_argument.
func checkPattern(pattern string) error {
	if pattern == "" || pattern == anyTail {
		return nil
	}
	tokens := strings.Split(pattern, ".")
	for i, token := range tokens {
		if token == anyToken || token == anyTail && i == len(tokens)-1 {
			tokens[i] = "x"
		}
	}
	if err := events.CheckType(strings.Join(tokens, ".")); err != nil {
		return events.Errorf(events.CodeInvalidArgument,
			"the pattern of event types is made of parts of A-Z a-z 0-9 _ - joined by dots; * stands for one part, a final > for all that follow: %w", err)
	}
	return nil
}

// matches reports whether an event type fits a pattern that was checked.
func matches(pattern, eventType string) bool {
	if pattern == "" || pattern == anyTail {
		return true
	}
	for {
		want, restPattern, morePattern := strings.Cut(pattern, ".")
		got, restType, moreType := strings.Cut(eventType, ".")
		switch {
		case want == anyTail:
			return true
		case want != anyToken && want != got, morePattern != moreType:
			return false
		case !morePattern:
			return true
		}
		pattern, eventType = restPattern, restType
	}
}
