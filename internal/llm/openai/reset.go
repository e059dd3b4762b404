package openai

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// reset reads when the limits that are used up start anew: x-ratelimit-reset-requests and its relatives, of the kinds of which
// x-ratelimit-remaining-… says that nothing is left. OpenAI writes durations ("6m0s", "12ms"), Azure seconds ("27").
func reset(h http.Header, now time.Time) time.Time {
	var last time.Time
	for _, kind := range []string{"requests", "tokens", "project-tokens", "input-tokens", "output-tokens"} {
		if h.Get("x-ratelimit-remaining-"+kind) != "0" {
			continue
		}
		value := strings.TrimSpace(h.Get("x-ratelimit-reset-" + kind))
		wait, err := time.ParseDuration(value)
		if seconds, numeric := strconv.ParseUint(value, 10, 31); numeric == nil {
			wait, err = time.Duration(seconds)*time.Second, nil
		}
		if err == nil && wait > 0 && now.Add(wait).After(last) {
			last = now.Add(wait)
		}
	}
	return last
}
