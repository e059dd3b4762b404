package anthropic

import (
	"net/http"
	"strings"
	"time"
)

// reset reads from the headers of an answer when the limits that are used up start anew: the latest of the times
// anthropic-…-reset (RFC 3339) whose anthropic-…-remaining is 0; zero if there is none after now.
func reset(h http.Header, now time.Time) time.Time {
	latest := time.Time{}
	for name, values := range h {
		limit, ok := strings.CutSuffix(name, "-Remaining")
		if !ok || !strings.HasPrefix(limit, "Anthropic-") || len(values) == 0 || strings.TrimSpace(values[0]) != "0" {
			continue
		}
		at, err := time.Parse(time.RFC3339, strings.TrimSpace(h.Get(limit+"-Reset")))
		if err == nil && at.After(now) && at.After(latest) {
			latest = at
		}
	}
	return latest
}
