package anthropic

import (
	"net/http"
	"strings"
	"time"
)

// Reset reads from the headers of an answer when the limits that are used up start anew: the latest of the times
// anthropic-…-reset (RFC 3339) whose anthropic-…-remaining is 0; zero if there is none after now.
func Reset(h http.Header, now time.Time) time.Time {
	latest := time.Time{}
	for name, values := range h {
		limit, ok := strings.CutSuffix(name, "-Remaining")
		if !ok || !strings.HasPrefix(limit, "Anthropic-") || len(values) == 0 || strings.TrimSpace(values[0]) != "0" {
			continue
		}
		reset, err := time.Parse(time.RFC3339, strings.TrimSpace(h.Get(limit+"-Reset")))
		if err == nil && reset.After(now) && reset.After(latest) {
			latest = reset
		}
	}
	return latest
}
