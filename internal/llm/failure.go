package llm

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// maxMessage bounds what a provider says about its failure, in bytes, before it is passed on.
const maxMessage = 500

// Failure is a provider's refusal as it stood on the wire.
type Failure struct {
	// Provider is the name under which the provider is configured.
	Provider string
	// Status is the HTTP status.
	Status int
	// Header is the answer's; Retry-After and its relatives are read from it. It may be nil.
	Header http.Header
	// Reasons are the provider's own machine-readable words, such as OpenAI's error.code and error.type.
	Reasons []string
	// Message is the provider's text. The API key must be gone from it; its length does not matter.
	Message string
}

// Error makes the [events.Error] that a failure is. One table serves all providers; nobody reads texts.
func (f Failure) Error() *events.Error {
	code, retryable := classify(f.Status)
	for _, reason := range f.Reasons {
		switch reason {
		case "insufficient_quota", "credit_balance_exhausted", "billing_hard_limit_reached", "billing_error":
			code, retryable = events.CodeRateLimited, false // money, not time, cures these
		case "content_filter", "content_policy_violation":
			code, retryable = events.CodeContentRejected, false
		}
	}
	message := Bound(f.Message, maxMessage)
	if message == "" {
		message = http.StatusText(f.Status)
	}
	e := &events.Error{
		Code: code, Retryable: retryable, Provider: f.Provider,
		Message: "status " + strconv.Itoa(f.Status) + ": " + message,
	}
	if retryable {
		e.RetryAfter = RetryAfter(f.Header, time.Now())
	}
	return e
}

// classify is the table of HTTP statuses: what they mean and whether the same request may succeed later.
func classify(status int) (code events.Code, retryable bool) {
	switch status {
	case http.StatusUnauthorized:
		return events.CodeUnauthenticated, false
	case http.StatusPaymentRequired:
		return events.CodeRateLimited, false
	case http.StatusForbidden:
		return events.CodePermissionDenied, false
	case http.StatusNotFound, http.StatusGone:
		return events.CodeNotFound, false
	case http.StatusRequestTimeout, http.StatusGatewayTimeout:
		return events.CodeDeadlineExceeded, true
	case http.StatusTooManyRequests:
		return events.CodeRateLimited, true
	case http.StatusNotImplemented:
		return events.CodeUnsupported, false
	case http.StatusConflict, http.StatusFailedDependency, http.StatusTooEarly, statusClientClosed:
		return events.CodeUnavailable, true
	}
	switch {
	case status >= 500:
		return events.CodeUnavailable, true
	case status >= 400:
		return events.CodeInvalidArgument, false
	default: // a redirect or a success that is not 200: the base URL leads somewhere else
		return events.CodeFailedPrecondition, false
	}
}

// statusClientClosed is 499: Cohere's, and nginx's, word for a request that was cut off on the way.
const statusClientClosed = 499

// BadAnswer is the error for an answer that breaks the provider's own protocol. Repeating the request is not expected
// to help, so it is not retryable.
func BadAnswer(provider, format string, args ...any) *events.Error {
	e := events.Errorf(events.CodeInternal, "bad answer: "+format, args...)
	e.Provider = provider
	return e
}

// Unavailable is the error for a provider that could not be reached or broke off. It is retryable.
func Unavailable(provider, format string, args ...any) *events.Error {
	e := events.Errorf(events.CodeUnavailable, format, args...)
	e.Provider = provider
	return e
}

// Refuse is the error for a valid request that a model cannot honour.
func Refuse(provider, format string, args ...any) *events.Error {
	e := events.Errorf(events.CodeUnsupported, format, args...)
	e.Provider = provider
	return e
}

// TransportError words an error of net/http without addresses or URLs, which tell a caller about the inside of the
// house. When ctx has ended, its reason wins.
func TransportError(ctx context.Context, provider string, err error) *events.Error {
	if ctx.Err() != nil {
		e := *events.AsError(context.Cause(ctx))
		e.Provider = provider
		return &e
	}
	if large, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return BadAnswer(provider, "it is larger than %d MiB", large.Limit>>20)
	}
	var dns *net.DNSError
	var op *net.OpError
	var timeout interface{ Timeout() bool }
	what := "the connection broke"
	switch {
	case errors.As(err, &dns):
		what = "its host name cannot be resolved"
	case errors.As(err, &op) && op.Op == "dial":
		what = "it cannot be reached"
	case errors.As(err, &timeout) && timeout.Timeout():
		what = "it did not answer in time"
	}
	e := Unavailable(provider, "%s", what)
	e.Err = err
	return e
}

// Bound makes text of unknown origin fit for an error message: one line of valid UTF-8, at most n bytes.
func Bound(s string, n int) string {
	s = strings.ToValidUTF8(s, "�")
	s = strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f }), " ")
	if len(s) <= n {
		return s
	}
	n = max(n-len("…"), 0)
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}
