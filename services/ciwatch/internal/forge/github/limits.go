package github

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge"
)

// Limits as GitHub documents them, for as long as it has not told its own.
const (
	usualLimit     = 5000
	anonymousLimit = 60
)

// Bounds of a wait that GitHub asks for: its documentation says a minute where an answer does not, and its windows are an hour
// long. GitHub counts in seconds.
const (
	leastWait   = time.Second
	defaultWait = time.Minute
	maxWait     = time.Hour
)

// left is how much of the limit there is now.
func (c *credential) left(now time.Time) int {
	switch {
	case c.quota.Limit > 0 && now.Before(c.quota.Reset):
		return c.quota.Remaining
	case c.quota.Limit > 0:
		return c.quota.Limit
	case c.anonymous():
		return anonymousLimit
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

// count notes what an answer says of the rate limit, and what it cost.
func (c *credential) count(now time.Time, status int, h http.Header) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.quota.Limit > 0 && !now.Before(c.quota.Reset) {
		c.quota.Spent = 0 // another window
	}
	if status != http.StatusNotModified || c.anonymous() {
		c.quota.Spent++
	}
	if resource := h.Get("X-Ratelimit-Resource"); resource != "" && resource != "core" || status == http.StatusUnauthorized {
		return // it is the limit of something, or of somebody, else
	}
	limit, err1 := strconv.Atoi(h.Get("X-Ratelimit-Limit"))
	remaining, err2 := strconv.Atoi(h.Get("X-Ratelimit-Remaining"))
	reset, err3 := strconv.ParseInt(h.Get("X-Ratelimit-Reset"), 10, 64)
	if err1 != nil || err2 != nil || err3 != nil || limit <= 0 || remaining < 0 {
		return // a GitHub Enterprise Server may have no limits
	}
	ends := time.Unix(reset, 0)
	if latest := now.Add(maxWait); ends.After(latest) {
		ends = latest
	}
	c.quota.Limit, c.quota.Remaining, c.quota.Reset, c.quota.At = limit, min(remaining, limit), ends.UTC(), now.UTC()
	if c.quota.Remaining == 0 && ends.After(c.rest) { // the next request would be refused, and held against us
		c.rest = ends
	}
}

// resting returns how long GitHub wants to be left alone with this credential.
func (c *credential) resting(now time.Time) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return max(c.rest.Sub(now), 0)
}

// limited has the credential rest, and returns for how long. A secondary limit that comes again makes it longer.
func (c *credential) limited(now time.Time, why verdict, h http.Header) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	wait, said := askedWait(now, h)
	if why == secondaryLimit {
		c.strikes++
		if !said {
			wait = defaultWait
		}
		if c.strikes > 1 {
			wait = max(wait, defaultWait<<min(c.strikes-1, 6))
		}
	} else if !said {
		wait = defaultWait
	}
	wait = min(max(wait, leastWait), maxWait)
	if until := now.Add(wait); until.After(c.rest) {
		c.rest = until
	}
	return c.rest.Sub(now)
}

// restFor has the credential rest.
func (c *credential) restFor(now time.Time, wait time.Duration) verdict {
	c.mu.Lock()
	defer c.mu.Unlock()
	if until := now.Add(wait); until.After(c.rest) {
		c.rest = until
	}
	return primaryLimit
}

// accepted notes that GitHub took the credential and answered.
func (c *credential) accepted() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.strikes, c.refusals, c.aside, c.why = 0, 0, time.Time{}, nil
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
	if at, err := strconv.ParseInt(h.Get("X-Ratelimit-Reset"), 10, 64); err == nil && h.Get("X-Ratelimit-Remaining") == "0" {
		return time.Unix(min(max(at, 0), now.Add(2*maxWait).Unix()), 0).Sub(now), true
	}
	return 0, false
}

// pollInterval is how long GitHub wants to be left alone before the same question.
func pollInterval(h http.Header) time.Duration {
	seconds, err := strconv.ParseInt(h.Get("X-Poll-Interval"), 10, 32)
	if err != nil || seconds <= 0 {
		return 0
	}
	return min(time.Duration(seconds)*time.Second, maxWait)
}

// setAside has the credential not be used for a while, since GitHub does not accept it.
func (c *credential) setAside(now time.Time, refused string, why *events.Error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.aside = now.Add(min(firstAside<<min(c.refusals, 8), maxAside))
	c.refusals++
	c.refused, c.why = fingerprintOf(refused), why
}

// problem returns why the credential is not used. One whose token is another by now is used.
func (c *credential) problem() (Problem, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.why == nil {
		return Problem{}, false
	}
	return Problem{Name: c.name, Err: c.why, Until: c.aside}, true
}

// usable reports whether the credential may be used now: it was not set aside, or for long enough, or it has changed since.
func (c *credential) usable(now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !now.Before(c.aside) {
		return true
	}
	if c.app != nil {
		return c.app.rekeyed()
	}
	text := strings.TrimSpace(c.token.Reveal())
	return text != "" && fingerprintOf("Bearer "+text) != c.refused
}
