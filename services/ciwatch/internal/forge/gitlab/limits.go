package gitlab

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge"
)

// usualLimit is that of gitlab.com for who carries a token, of a minute; it is reckoned with for as long as no limit was told.
const usualLimit = 2000

// Bounds of a wait that GitLab asks for: its windows are a minute long, but may be set to hours. It counts in seconds.
const (
	leastWait   = time.Second
	defaultWait = time.Minute
	maxWait     = time.Hour
)

// left is how much of the limit there is now.
func (c *credential) left(now time.Time) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.quota.Limit > 0 && now.Before(c.quota.Reset):
		return c.quota.Remaining
	case c.quota.Limit > 0:
		return c.quota.Limit
	default:
		return usualLimit
	}
}

// known returns the credential's quota as of now: the window that was told may have ended.
func (c *credential) known(now time.Time) forge.Quota {
	c.mu.Lock()
	defer c.mu.Unlock()
	q := c.quota
	if q.Limit > 0 && !now.Before(q.Reset) {
		q.Remaining, q.Spent = q.Limit, 0
	}
	return q
}

// count notes what an answer says of the rate limit, and that it cost a request: GitLab counts before it looks whether anything has
// changed.
func (c *credential) count(now time.Time, h http.Header) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.quota.Limit > 0 && !now.Before(c.quota.Reset) {
		c.quota.Spent = 0 // another window
	}
	c.quota.Spent++
	limit, err1 := strconv.Atoi(h.Get("Ratelimit-Limit"))
	remaining, err2 := strconv.Atoi(h.Get("Ratelimit-Remaining"))
	reset, err3 := strconv.ParseInt(h.Get("Ratelimit-Reset"), 10, 64)
	if err1 != nil || err2 != nil || err3 != nil || limit <= 0 || remaining < 0 {
		return // it has no limits, or says so only to who has met one
	}
	// The limit is told as one of a minute, also where the window is an hour; what was seen and what remains are of the window.
	const believable = 1 << 30
	if observed, err := strconv.Atoi(h.Get("Ratelimit-Observed")); err == nil && observed >= 0 && remaining > 0 {
		limit = max(limit, min(observed, believable)+min(remaining, believable))
	}
	ends := time.Unix(min(max(reset, 0), now.Add(maxWait).Unix()), 0)
	c.quota.Limit, c.quota.Remaining, c.quota.Reset, c.quota.At = limit, min(remaining, limit), ends.UTC(), now.UTC()
	if remaining == 0 && ends.After(c.rest) { // the next request would be refused
		c.rest = ends
	}
}

// resting returns how long GitLab wants to be left alone with this credential.
func (c *credential) resting(now time.Time) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return max(c.rest.Sub(now), 0)
}

// limited has the credential rest, and returns for how long.
func (c *credential) limited(now time.Time, h http.Header) time.Duration {
	wait, said := askedWait(now, h)
	if !said {
		wait = defaultWait
	}
	wait = min(max(wait, leastWait), maxWait)
	c.mu.Lock()
	defer c.mu.Unlock()
	if until := now.Add(wait); until.After(c.rest) {
		c.rest = until
	}
	return c.rest.Sub(now)
}

// askedWait reads Retry-After or, without it, the end of the rate limit's window if that is used up.
func askedWait(now time.Time, h http.Header) (wait time.Duration, said bool) {
	if text := strings.TrimSpace(h.Get("Retry-After")); text != "" {
		if seconds, err := strconv.ParseInt(text, 10, 32); err == nil {
			return time.Duration(seconds) * time.Second, true
		}
		if at, err := http.ParseTime(text); err == nil {
			return at.Sub(now), true
		}
	}
	if at, err := strconv.ParseInt(h.Get("Ratelimit-Reset"), 10, 64); err == nil && h.Get("Ratelimit-Remaining") == "0" {
		return time.Unix(min(max(at, 0), now.Add(2*maxWait).Unix()), 0).Sub(now), true
	}
	return 0, false
}
