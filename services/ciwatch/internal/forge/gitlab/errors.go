package gitlab

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge/rest"
)

// verdict is what an answer means for the credential that was used.
type verdict int

const (
	fine    verdict = iota // the credential was taken
	refused                // the credential is not accepted
	hidden                 // it may not see or do this; another might
	limited                // its requests are used up
)

// Why an answer was not taken.
var (
	errRedirect = errors.New("a redirect leads away from the API")
	errShape    = errors.New("the answer is not what GitLab's API documents")
	errEcho     = errors.New("the cause repeats what was sent")
)

// judge says what the status of an answer means.
func judge(r *reply) verdict {
	switch r.status {
	case http.StatusUnauthorized:
		if r.token.IsZero() {
			return hidden // what it says of everything that is not public
		}
		return refused
	case http.StatusForbidden, http.StatusNotFound:
		return hidden
	case http.StatusTooManyRequests:
		return limited
	default:
		return fine
	}
}

// statusFailure turns an answer that is not a good one, and says nothing about limits, into an error of the contract. Of what
// GitLab wrote it repeats a line.
func (f *Forge) statusFailure(r *reply, what string) *events.Error {
	line := r.line()
	switch status := r.status; {
	case status == http.StatusUnauthorized && r.token.IsZero():
		return f.failed(events.CodeUnauthenticated, "GitLab tells this to nobody without a token: "+what, nil)
	case status == http.StatusUnauthorized:
		return f.failed(events.CodeUnauthenticated, "GitLab does not accept "+r.by, nil)
	case status == http.StatusNotFound:
		return f.failed(events.CodeNotFound, "GitLab knows no such thing, or hides it from "+r.by+": "+what, nil)
	case status == http.StatusForbidden:
		return f.failed(events.CodePermissionDenied, r.by+" may not do this; it needs read_api, and api with the role Developer to start pipelines: "+what+line, nil)
	case status == http.StatusRequestTimeout, status >= http.StatusInternalServerError:
		e := f.failed(events.CodeUnavailable, "GitLab answers "+strconv.Itoa(status), nil)
		if wait, said := askedWait(f.now(), r.header); said {
			e.RetryAfter = min(max(wait, 0), maxWait)
		}
		return e
	case status/100 == 2:
		return f.failed(events.CodeUnavailable, "GitLab answers "+strconv.Itoa(status)+", which its API does not document: "+what, nil)
	default:
		return f.failed(events.CodeFailedPrecondition, "GitLab refuses with "+strconv.Itoa(status)+": "+what+line, nil)
	}
}

// exchangeFailure turns what went wrong on the way into an error of the contract.
func (f *Forge) exchangeFailure(ctx context.Context, err error) *events.Error {
	var netErr net.Error
	switch {
	case ctx.Err() != nil:
		e := *events.AsError(ctx.Err())
		e.Provider = f.name
		return &e
	case errors.Is(err, rest.ErrBodyTooLarge), errors.Is(err, errShape):
		return f.failed(events.CodeUnavailable, err.Error(), nil)
	case errors.Is(err, errRedirect):
		return f.failed(events.CodeFailedPrecondition, "GitLab redirects away from its API; check the URL", nil)
	case errors.As(err, &netErr) && netErr.Timeout():
		return f.failed(events.CodeDeadlineExceeded, "GitLab did not answer in time", err)
	default:
		return f.failed(events.CodeUnavailable, "GitLab cannot be reached", err)
	}
}

// rateLimited asks to come back after a wait.
func (f *Forge) rateLimited(wait time.Duration) *events.Error {
	e := f.failed(events.CodeRateLimited, "GitLab's rate limit is used up", nil)
	e.RetryAfter = min(max(wait, leastWait), maxWait)
	return e
}

// failed makes an error of the contract that names the forge.
func (f *Forge) failed(code events.Code, message string, err error) *events.Error {
	return &events.Error{Code: code, Message: message, Retryable: code.Retryable(), Provider: f.name, Err: err}
}

// withoutSecret returns err, unless it repeats what was sent: whatever is not HTTP stands in the error about it.
func withoutSecret(err error, token string) error {
	if token != "" && strings.Contains(err.Error(), token) {
		return errEcho
	}
	return err
}

// message is what GitLab says in an answer that is an error: {"message": "…"}, {"message": {"base": ["…"]}} or {"error": "…",
// "error_description": "…"}; empty if it says nothing.
func (r *reply) message() string {
	var body struct {
		Message     json.RawMessage `json:"message"`
		Error       string          `json:"error"`
		Description string          `json:"error_description"`
	}
	if json.Unmarshal(r.body, &body) != nil {
		return ""
	}
	var (
		text   string
		parts  []string
		fields map[string][]string
	)
	switch {
	case json.Unmarshal(body.Message, &text) == nil:
	case json.Unmarshal(body.Message, &fields) == nil:
		for _, field := range slices.Sorted(maps.Keys(fields)) {
			parts = append(parts, fields[field]...)
		}
		text = strings.Join(parts, " ")
	default:
		text = cmp.Or(body.Description, body.Error)
	}
	return rest.Printable(strings.TrimSpace(text))
}

// line is what GitLab says, as the end of a message for people. What was sent is not repeated, also where GitLab does.
func (r *reply) line() string {
	line := r.message()
	if line == "" || !r.token.IsZero() && strings.Contains(line, r.token.Reveal()) {
		return ""
	}
	return ": " + rest.Text(line)
}
