package events

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Error is a failure as it crosses the bus: in the headers [HeaderErrorCode] and [HeaderError], and as the JSON body
// {"error": {"code", "message", "retryable", "retry_after_ms", "provider"}}.
type Error struct {
	// Code classifies the failure. Act on it, never on Message.
	Code Code
	// Message says what was wrong and what would be right. It must hold no secret and no payload text.
	Message string
	// Retryable reports whether the same request may succeed later.
	Retryable bool
	// RetryAfter is how long to wait before trying again; zero when nothing is known.
	RetryAfter time.Duration
	// Provider names the model provider or secret store that failed; empty when it was none of them.
	Provider string
	// Err is the cause, for logs inside one process. It never crosses the bus.
	Err error
}

// Errorf makes an Error of the given code; Retryable follows the code. A %w verb sets the cause.
func Errorf(code Code, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...) //nolint:err113 // the code is the sentinel
	return &Error{Code: code, Message: err.Error(), Retryable: code.Retryable(), Err: errors.Unwrap(err)}
}

// Error implements error.
func (e *Error) Error() string {
	if e.Provider != "" {
		return string(e.Code) + ": " + e.Provider + ": " + e.Message
	}
	return string(e.Code) + ": " + e.Message
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// CodeOf returns the code of err: that of the first [Error] in its chain, deadline_exceeded and canceled for the
// errors of package context, and internal for everything else. It is empty for nil.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	return AsError(err).Code
}

// AsError returns the first [Error] in err's chain. An error that carries none becomes deadline_exceeded, canceled or,
// with a fixed message that gives nothing away, internal; the original stays the cause. It is nil for nil.
func AsError(err error) *Error {
	if err == nil {
		return nil
	}
	var e *Error
	switch {
	case errors.As(err, &e):
		return e
	case errors.Is(err, context.DeadlineExceeded):
		return &Error{Code: CodeDeadlineExceeded, Message: "the deadline passed before the work was done", Retryable: true, Err: err}
	case errors.Is(err, context.Canceled):
		return &Error{Code: CodeCanceled, Message: "the work was canceled before it was done", Err: err}
	default:
		return &Error{Code: CodeInternal, Message: "internal error; the service's log has the cause", Err: err}
	}
}

// ErrorReply is the body of a failed request's reply.
type ErrorReply struct {
	// Error says what failed.
	Error ErrorBody `json:"error"`
	// Partial is the answer as far as it was streamed before it failed, with what it used; it is no complete answer.
	Partial *ChatResponse `json:"partial,omitempty"`
}

// ErrorBody is what stands under "error" in an [ErrorReply].
type ErrorBody struct {
	// Code is one of the codes of the contract; a later version may have more.
	Code Code `json:"code" jsonschema:"minLength=1"`
	// Message is for people; programs act on Code.
	Message string `json:"message"`
	// Retryable says whether the same request may succeed later.
	Retryable bool `json:"retryable"`
	// RetryAfterMS is how long to wait before trying again, in milliseconds; 0 or absent when nothing is known.
	RetryAfterMS int64 `json:"retry_after_ms,omitempty" jsonschema:"minimum=0"`
	// Provider names the provider that failed, when one did.
	Provider string `json:"provider,omitempty"`
}

// EncodeError returns the headers and the body of the reply that reports err.
// What is not an [Error] is reported as [AsError] says.
func EncodeError(err error) (header map[string][]string, body []byte) {
	e := AsError(err)
	code := e.Code
	if code == "" { // without a code the reply would be taken for a success
		code = CodeInternal
	}
	body, mErr := json.Marshal(ErrorReply{Error: ErrorBody{
		Code: code, Message: e.Message, Retryable: e.Retryable,
		RetryAfterMS: max(e.RetryAfter, 0).Milliseconds(), Provider: e.Provider,
	}})
	if mErr != nil { // five fields of plain types: cannot fail, and if it ever did the code must still arrive
		body = []byte(`{"error":{"code":"internal","message":"internal error","retryable":false}}`)
	}
	return map[string][]string{
		HeaderErrorCode:   {string(code)},
		HeaderError:       {headerText(e.Message)},
		HeaderContentType: {ContentTypeJSON},
	}, body
}

// DecodeError returns the error that a reply carries, or nil when the reply is no error. Header names are matched in
// any case. The body says more than the headers and is used when it is of the same code. A reply of some other micro
// service is understood too: a numeric code of the NATS micro protocol becomes the nearest code of ours.
func DecodeError(header map[string][]string, body []byte) *Error {
	code := HeaderValue(header, HeaderErrorCode)
	if code == "" {
		return nil
	}
	var parsed ErrorReply
	if json.Unmarshal(body, &parsed) == nil && string(parsed.Error.Code) == code {
		b := parsed.Error
		wait := min(max(b.RetryAfterMS, 0), maxPatience.Milliseconds())
		return &Error{
			Code: b.Code, Message: b.Message, Retryable: b.Retryable,
			RetryAfter: time.Duration(wait) * time.Millisecond, Provider: b.Provider,
		}
	}
	c := Code(code)
	if !c.Known() {
		c = codeFromNumber(code)
	}
	return &Error{Code: c, Message: HeaderValue(header, HeaderError), Retryable: c.Retryable()}
}

// codeFromNumber maps the HTTP-like numbers that other micro services answer with.
func codeFromNumber(number string) Code {
	switch number {
	case "400":
		return CodeInvalidArgument
	case "401":
		return CodeUnauthenticated
	case "403":
		return CodePermissionDenied
	case "404":
		return CodeNotFound
	case "408", "504":
		return CodeDeadlineExceeded
	case "429":
		return CodeRateLimited
	case "503":
		return CodeUnavailable
	default:
		return CodeInternal
	}
}

// headerText makes s fit a NATS header value: one line, at most 512 bytes.
func headerText(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
	return truncate(s, 512)
}
