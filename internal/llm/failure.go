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
	// Param is the request's field that the provider says is wrong, such as OpenAI's error.param; it may be empty.
	Param string
	// Message is the provider's text. The API key must be gone from it; its length does not matter.
	Message string
	// Reset is when the limit that is used up starts anew, by the provider's own headers; zero when they do not say. It counts only
	// where Retry-After is missing.
	Reset time.Time
}

// Error makes the [events.Error] that a failure is: what the caller is told.
func (f Failure) Error() *events.Error { return f.Fault().Err }

// Fault makes the [Fault] that a failure is. One table serves all providers. It reads words that are meant for programs, not texts.
func (f Failure) Fault() *Fault {
	class, code, retryable := classify(f.Status)
	for _, reason := range f.Reasons {
		if c, e, ok := reasoned(reason); ok {
			class, code, retryable = c, e, false
		}
	}
	if class == ClassCaller && f.Param == "model" {
		class, code = ClassModel, events.CodeNotFound
	}
	message := Bound(f.Message, maxMessage)
	if message == "" {
		message = http.StatusText(f.Status)
	}
	fault := &Fault{Class: class, Err: &events.Error{
		Code: code, Retryable: retryable, Provider: f.Provider,
		Message: "status " + strconv.Itoa(f.Status) + ": " + message,
	}}
	if retryable {
		fault.wait(f.Header, f.Reset)
	}
	fault.heed(f.Header.Get("X-Should-Retry"))
	return fault
}

// wait takes over when the provider says that it can be asked again.
func (f *Fault) wait(h http.Header, reset time.Time) {
	now := time.Now()
	wait := RetryAfter(h, now)
	if wait <= 0 && reset.After(now) {
		wait = min(reset.Sub(now), maxRetryAfter)
	}
	if wait > 0 {
		f.Err.RetryAfter, f.Until = wait, now.Add(wait)
	}
}

// heed takes over the server's own word on a repetition, the header x-should-retry of OpenAI and Anthropic. Whose fault it is stays as
// it was: "true" allows a repetition of what looks like the caller's mistake, but cures no key and buys no tokens; "false" forbids one
// now, but where the server also says when it can be asked again, then is not never.
func (f *Fault) heed(word string) {
	switch strings.ToLower(strings.TrimSpace(word)) {
	case "true":
		if f.Class == ClassCaller {
			f.Err.Retryable = true
		}
	case "false":
		f.Final = true
		if f.Until.IsZero() {
			f.Err.Retryable = false
		}
	}
}

// reasoned is the table of the providers' own words, which go before the status.
func reasoned(reason string) (class Class, code events.Code, known bool) {
	switch reason {
	case "insufficient_quota", "credit_balance_exhausted", "billing_hard_limit_reached", "billing_error":
		return ClassQuota, events.CodeRateLimited, true // money, not time, cures these
	case "content_filter", "content_policy_violation":
		return ClassContent, events.CodeContentRejected, true
	case "model_not_found", "model_not_supported", "model_decommissioned", "invalid_model", "unknown_model":
		return ClassModel, events.CodeNotFound, true
	case ReasonUnsupported, "unsupported_value", "OperationNotSupported": // by this model
		return ClassUnsupported, events.CodeUnsupported, true
	case ReasonTooLong, "exceed_context_size_error", "string_above_max_length": // for this model; another may take more
		return ClassUnsupported, events.CodeInvalidArgument, true
	default:
		return "", "", false
	}
}

// Reasons in OpenAI's words, for servers that have none of their own.
const (
	// ReasonTooLong: the conversation is longer than the model takes.
	ReasonTooLong = "context_length_exceeded"
	// ReasonUnsupported: the model cannot do what is asked for.
	ReasonUnsupported = "unsupported_parameter"
)

// classify is the table of HTTP statuses: whose fault they are, what they mean and whether the same request may succeed later.
func classify(status int) (class Class, code events.Code, retryable bool) {
	switch status {
	case http.StatusUnauthorized, statusDenied:
		return ClassKey, events.CodeUnauthenticated, false
	case http.StatusPaymentRequired:
		return ClassQuota, events.CodeRateLimited, false
	case http.StatusForbidden:
		return ClassKey, events.CodePermissionDenied, false
	case http.StatusNotFound, http.StatusGone:
		return ClassModel, events.CodeNotFound, false
	case http.StatusRequestTimeout, http.StatusGatewayTimeout:
		return ClassTimeout, events.CodeDeadlineExceeded, true
	case http.StatusTooManyRequests:
		return ClassLimit, events.CodeRateLimited, true
	case http.StatusNotImplemented:
		return ClassUnsupported, events.CodeUnsupported, false
	case http.StatusConflict, http.StatusFailedDependency, http.StatusTooEarly, statusClientClosed:
		return ClassProvider, events.CodeUnavailable, true
	}
	switch {
	case status >= 500:
		return ClassProvider, events.CodeUnavailable, true
	case status >= 400:
		return ClassCaller, events.CodeInvalidArgument, false
	default: // a redirect or a success that is not 200: the base URL leads somewhere else
		return ClassAnswer, events.CodeFailedPrecondition, false
	}
}

// StatusOf gives the HTTP status with which a server usually sends an error of this type; 0 when it is not known. It is for errors
// that come inside an answer whose own status was 200.
func StatusOf(reason string) int {
	switch reason {
	case "invalid_request_error", ReasonTooLong, "exceed_context_size_error", ReasonUnsupported, "unsupported_value", "invalid_request":
		return http.StatusBadRequest
	case "authentication_error", "invalid_api_key":
		return http.StatusUnauthorized
	case "billing_error":
		return http.StatusPaymentRequired
	case "permission_error":
		return http.StatusForbidden
	case "not_found_error", "model_not_found", "invalid_model", "unknown_model":
		return http.StatusNotFound
	case "request_too_large":
		return http.StatusRequestEntityTooLarge
	case "rate_limit_error", "rate_limit_exceeded", "requests", "tokens":
		return http.StatusTooManyRequests
	case "timeout_error":
		return http.StatusGatewayTimeout
	default:
		return 0
	}
}

// statusDenied is 498: Cohere's word for a token that is on its list of blocked ones.
const statusDenied = 498

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
