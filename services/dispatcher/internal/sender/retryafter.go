package sender

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// maxRetryAfter bounds how long a receiver may put us off at a time.
const maxRetryAfter = time.Hour

// retryAfter reads the header Retry-After (RFC 9110, 10.2.3): a number of seconds, or a date. What cannot be read, or
// lies in the past, is zero; more than an hour is an hour.
func retryAfter(value string, now time.Time) time.Duration {
	value = strings.TrimSpace(value)
	if seconds, err := strconv.ParseUint(value, 10, 32); err == nil {
		return min(time.Duration(seconds)*time.Second, maxRetryAfter)
	}
	if value != "" && strings.Trim(value, "0123456789") == "" { // a number past all bounds
		return maxRetryAfter
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	return min(max(at.Sub(now), 0), maxRetryAfter)
}
