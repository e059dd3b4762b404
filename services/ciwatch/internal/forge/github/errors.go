package github

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge/rest"
)

// verdict is what an answer means for the credential that was used.
type verdict int

const (
	fine           verdict = iota // the credential was taken
	refused                       // the credential is not accepted
	hidden                        // it may not see or do this; another might
	primaryLimit                  // its requests are used up
	secondaryLimit                // it was used too fast
)

// Why an answer was not taken.
var (
	errRedirect = errors.New("a redirect leads away from the API")
	errShape    = errors.New("the answer is not what GitHub's API documents")
	errEcho     = errors.New("the cause repeats what was sent")
)

// judge says what the status of an answer means.
func judge(r *reply) verdict {
	h := r.header
	switch r.status {
	case http.StatusUnauthorized:
		return refused
	case http.StatusNotFound:
		return hidden
	case http.StatusTooManyRequests, http.StatusForbidden:
		message := strings.ToLower(r.message())
		switch {
		case strings.Contains(message, "secondary rate limit"), strings.Contains(message, "abuse detection"):
			return secondaryLimit
		case h.Get("X-Ratelimit-Remaining") == "0", strings.Contains(message, "api rate limit exceeded"):
			return primaryLimit
		case r.status == http.StatusTooManyRequests, h.Get("Retry-After") != "":
			return secondaryLimit
		case !r.write, strings.HasPrefix(message, "resource "), strings.HasPrefix(message, "must have "):
			return hidden // "Resource not accessible by integration", "Resource protected by organization SAML enforcement"
		}
	}
	return fine
}

// statusFailure turns an answer that is not a good one, and says nothing about limits, into an error of the contract. Of what
// GitHub wrote it repeats a line.
func (f *Forge) statusFailure(r *reply, what string) *events.Error {
	line := r.line()
	switch status := r.status; {
	case status == http.StatusUnauthorized:
		return f.failed(events.CodeUnauthenticated, "GitHub does not accept "+r.by, nil)
	case status == http.StatusNotFound:
		return f.failed(events.CodeNotFound, "GitHub knows no such thing, or hides it from "+r.by+": "+what, nil)
	case status == http.StatusForbidden && judge(r) == hidden:
		return f.failed(events.CodePermissionDenied, r.by+" may not do this; it needs actions:read, and actions:write to start runs: "+what+line, nil)
	case status == http.StatusRequestTimeout, status >= http.StatusInternalServerError:
		e := f.failed(events.CodeUnavailable, "GitHub answers "+strconv.Itoa(status), nil)
		if wait, said := askedWait(f.now(), r.header); said {
			e.RetryAfter = min(max(wait, 0), maxWait)
		}
		return e
	case status/100 == 2:
		return f.failed(events.CodeUnavailable, "GitHub answers "+strconv.Itoa(status)+", which its API does not document: "+what, nil)
	default:
		return f.failed(events.CodeFailedPrecondition, "GitHub refuses with "+strconv.Itoa(status)+": "+what+line, nil)
	}
}

// exchangeFailure turns what went wrong on the way into an error of the contract.
func (f *Forge) exchangeFailure(ctx context.Context, err error) *events.Error {
	var (
		told   *events.Error
		netErr net.Error
	)
	switch {
	case errors.As(err, &told):
		return told
	case ctx.Err() != nil:
		e := *events.AsError(ctx.Err())
		e.Provider = f.name
		return &e
	case errors.Is(err, rest.ErrBodyTooLarge), errors.Is(err, errShape):
		return f.failed(events.CodeUnavailable, err.Error(), nil)
	case errors.Is(err, errRedirect):
		return f.failed(events.CodeFailedPrecondition, "GitHub redirects away from its API; check the API's URL", nil)
	case errors.As(err, &netErr) && netErr.Timeout():
		return f.failed(events.CodeDeadlineExceeded, "GitHub did not answer in time", err)
	default:
		return f.failed(events.CodeUnavailable, "GitHub cannot be reached", err)
	}
}

// rateLimited asks to come back after a wait.
func (f *Forge) rateLimited(wait time.Duration) *events.Error {
	e := f.failed(events.CodeRateLimited, "GitHub's rate limit is used up", nil)
	e.RetryAfter = min(max(wait, leastWait), maxWait)
	return e
}

// failed makes an error of the contract that names the forge.
func (f *Forge) failed(code events.Code, message string, err error) *events.Error {
	return &events.Error{Code: code, Message: message, Retryable: code.Retryable(), Provider: f.name, Err: err}
}

// withoutSecret returns err, unless it repeats what was sent: whatever is not HTTP stands in the error about it.
func withoutSecret(err error, authorization string) error {
	if secret := strings.TrimPrefix(authorization, "Bearer "); secret != "" && strings.Contains(err.Error(), secret) {
		return errEcho
	}
	return err
}

// message is what GitHub says in an answer that is an error; empty if it says nothing.
func (r *reply) message() string {
	var body struct {
		Message string `json:"message"`
	}
	if json.Unmarshal(r.body, &body) != nil {
		return ""
	}
	return rest.Printable(body.Message)
}

// line is what GitHub says, as the end of a message for people. What was sent is not repeated, also where GitHub does.
func (r *reply) line() string {
	line := r.message()
	if secret := strings.TrimPrefix(r.authorization, "Bearer "); line == "" || secret != "" && strings.Contains(line, secret) {
		return ""
	}
	return ": " + rest.Text(line)
}
