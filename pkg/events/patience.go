package events

import (
	"strconv"
	"time"
)

// maxPatience bounds what a caller may ask for; anything longer is a mistake.
const maxPatience = 24 * time.Hour

// Deadline reads how long the caller of a request will wait: [HeaderDeadline], or [HeaderTimeoutMS] counted from
// arrived, whichever is sooner. ok is false when the caller did not say. A header that cannot be read is an [Error] of
// code invalid_argument.
func Deadline(header map[string][]string, arrived time.Time) (deadline time.Time, ok bool, err error) {
	if v := HeaderValue(header, HeaderDeadline); v != "" {
		deadline, err = time.Parse(time.RFC3339Nano, v)
		if err != nil {
			return time.Time{}, false, Errorf(CodeInvalidArgument, "%s is %q; it must be RFC 3339, like 2026-01-31T12:00:00Z", HeaderDeadline, truncate(v, 40))
		}
		ok = true
	}
	if v := HeaderValue(header, HeaderTimeoutMS); v != "" {
		ms, err := strconv.ParseInt(v, 10, 64)
		if err != nil || ms < 1 || ms > maxPatience.Milliseconds() {
			return time.Time{}, false, Errorf(CodeInvalidArgument, "%s is %q; it must be a whole number of 1 to %d milliseconds",
				HeaderTimeoutMS, truncate(v, 40), maxPatience.Milliseconds())
		}
		if t := arrived.Add(time.Duration(ms) * time.Millisecond); !ok || t.Before(deadline) {
			deadline = t
		}
		ok = true
	}
	return deadline, ok, nil
}

// ResultTTL reads how long the result of a durable request shall be kept: [HeaderResultTTL], or [DefaultResultTTL].
// A wish that is no duration of 1s to [MaxResultTTL] is an [Error] of code invalid_argument.
func ResultTTL(header map[string][]string) (time.Duration, error) {
	v := HeaderValue(header, HeaderResultTTL)
	if v == "" {
		return DefaultResultTTL, nil
	}
	ttl, err := time.ParseDuration(v)
	if err != nil || ttl < time.Second || ttl > MaxResultTTL {
		return 0, Errorf(CodeInvalidArgument, "%s is %q; it must be a duration of 1s to %s, like 90m", HeaderResultTTL, truncate(v, 40), MaxResultTTL)
	}
	return ttl, nil
}
