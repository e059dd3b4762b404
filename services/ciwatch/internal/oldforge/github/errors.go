package github

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/google/go-github/v60/github"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// provider names GitHub in errors.
const provider = "github"

// Bounds of a wait that GitHub asks for: its documentation says a minute where an answer does not, and its windows are
// an hour long.
const (
	defaultWait = time.Minute
	maxWait     = time.Hour
)

// failure turns an error of go-github into one of the contract. Nothing that a server wrote is repeated: an answer may
// hold what was sent to it.
func (s *Source) failure(ctx context.Context, err error, resp *github.Response) *events.Error {
	var (
		primary   *github.RateLimitError
		secondary *github.AbuseRateLimitError
		netErr    net.Error
	)
	switch {
	case ctx.Err() != nil:
		e := *events.AsError(ctx.Err())
		e.Provider = provider
		return &e
	case errors.As(err, &primary):
		return rateLimited(time.Until(primary.Rate.Reset.Time))
	case errors.As(err, &secondary):
		if secondary.RetryAfter == nil {
			return rateLimited(defaultWait)
		}
		return rateLimited(*secondary.RetryAfter)
	case errors.Is(err, errBodyTooLarge):
		return failed(events.CodeUnavailable, "GitHub's answer is larger than 8 MiB", nil)
	case errors.Is(err, errNoToken):
		return failed(events.CodeUnauthenticated, "there is no token now: the store of secrets does not give it any more", nil)
	case errors.Is(err, errRedirect):
		return failed(events.CodeFailedPrecondition, "GitHub redirects to another host; check GITHUB_API_URL", nil)
	case resp != nil && resp.Response != nil && resp.StatusCode/100 != 2:
		return s.statusFailure(resp.Response)
	case resp != nil:
		return failed(events.CodeUnavailable, "GitHub's answer is not what its API documents", nil)
	case errors.As(err, &netErr) && netErr.Timeout():
		return failed(events.CodeDeadlineExceeded, "GitHub did not answer in time", cause(err))
	default:
		return failed(events.CodeUnavailable, "GitHub cannot be reached", cause(err))
	}
}

// statusFailure maps the status of an answer.
func (s *Source) statusFailure(resp *http.Response) *events.Error {
	switch status := resp.StatusCode; {
	case status == http.StatusTooManyRequests,
		status == http.StatusForbidden && resp.Header.Get("Retry-After") != "":
		return rateLimited(askedWait(resp.Header))
	case status == http.StatusUnauthorized:
		return failed(events.CodeUnauthenticated, "GitHub does not accept the token; check GITHUB_TOKEN", nil)
	case status == http.StatusForbidden:
		return failed(events.CodePermissionDenied, "the token may not read the runs; it needs actions:read on "+s.owner+"/"+s.name, nil)
	case status == http.StatusNotFound:
		return failed(events.CodeNotFound, "GitHub knows no such repository or workflow, or hides it from this token: "+s.target(), nil)
	case status == http.StatusRequestTimeout, status >= http.StatusInternalServerError:
		return failed(events.CodeUnavailable, "GitHub answers "+strconv.Itoa(status), nil)
	default:
		return failed(events.CodeFailedPrecondition, "GitHub refuses the request with "+strconv.Itoa(status)+": "+s.target(), nil)
	}
}

// target names what is watched.
func (s *Source) target() string {
	target := s.owner + "/" + s.name
	if s.workflow != "" {
		target += ", workflow " + s.workflow
	}
	return target
}

// askedWait reads Retry-After or, without it, the end of the rate limit's window.
func askedWait(h http.Header) time.Duration {
	if seconds, err := strconv.ParseInt(h.Get("Retry-After"), 10, 32); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := strconv.ParseInt(h.Get("X-RateLimit-Reset"), 10, 64); err == nil && h.Get("X-RateLimit-Remaining") == "0" {
		return time.Until(time.Unix(at, 0))
	}
	return defaultWait
}

// rateLimited asks to come back after a wait, within its bounds. A second is the least, since GitHub counts in seconds.
func rateLimited(wait time.Duration) *events.Error {
	e := failed(events.CodeRateLimited, "GitHub's rate limit is used up", nil)
	e.RetryAfter = min(max(wait, time.Second), maxWait)
	return e
}

// failed makes an error of the contract that names GitHub.
func failed(code events.Code, message string, err error) *events.Error {
	return &events.Error{Code: code, Message: message, Retryable: code.Retryable(), Provider: provider, Err: err}
}

// cause keeps what went wrong below HTTP, without the URL around it.
func cause(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}
