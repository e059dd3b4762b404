package llm

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// maxRetryAfter bounds what a provider may ask for; more is a mistake or an attack.
const maxRetryAfter = 24 * time.Hour

// RetryAfter reads how long a provider asks to be left alone: Retry-After-Ms (milliseconds), X-Ms-Retry-After-Ms
// (Azure's name for it), or Retry-After (seconds, or an HTTP date). What cannot be read, or lies in the past, is zero;
// more than a day is a day.
func RetryAfter(h http.Header, now time.Time) time.Duration {
	for _, name := range []string{"Retry-After-Ms", "X-Ms-Retry-After-Ms"} {
		if d, ok := number(h.Get(name), time.Millisecond); ok {
			return d
		}
	}
	value := strings.TrimSpace(h.Get("Retry-After"))
	if d, ok := number(value, time.Second); ok {
		return d
	}
	if at, err := http.ParseTime(value); err == nil {
		return min(max(at.Sub(now), 0), maxRetryAfter)
	}
	return 0
}

// number reads a count of units, which may have a fraction, within 0 to maxRetryAfter.
func number(s string, unit time.Duration) (time.Duration, bool) {
	f, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	if err != nil || math.IsNaN(f) {
		return 0, false
	}
	f = min(max(f*float64(unit), 0), float64(maxRetryAfter))
	return time.Duration(f), true
}
