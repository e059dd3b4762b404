package events

// Code is the machine-readable class of a failure. The code is part of the wire contract; the text beside it is not.
type Code string

// The codes of the contract. They travel in the header [HeaderErrorCode] and in the body of an error reply.
const (
	CodeInvalidArgument    Code = "invalid_argument"    // the request itself is wrong; repeating it unchanged cannot help
	CodeNotFound           Code = "not_found"           // no such model, endpoint, secret, …
	CodeUnauthenticated    Code = "unauthenticated"     // the provider or the bus does not accept our credentials
	CodePermissionDenied   Code = "permission_denied"   // known caller, not allowed
	CodeRateLimited        Code = "rate_limited"        // too many requests; retry_after_ms says when to come back
	CodeUnavailable        Code = "unavailable"         // down or overloaded; may pass
	CodeDeadlineExceeded   Code = "deadline_exceeded"   // the caller's patience, or ours, has ended
	CodeCanceled           Code = "canceled"            // given up by the caller or by a shutdown
	CodeFailedPrecondition Code = "failed_precondition" // the system is not in the state that the request needs
	CodeContentRejected    Code = "content_rejected"    // the moral filter, or the provider's, refused the content
	CodeUnsupported        Code = "unsupported"         // valid, but this model or provider cannot do it
	CodeInternal           Code = "internal"            // a fault of ours
)

// Codes returns every code of the contract, in the order of their documentation.
func Codes() []Code {
	return []Code{
		CodeInvalidArgument, CodeNotFound, CodeUnauthenticated, CodePermissionDenied, CodeRateLimited, CodeUnavailable,
		CodeDeadlineExceeded, CodeCanceled, CodeFailedPrecondition, CodeContentRejected, CodeUnsupported, CodeInternal,
	}
}

// Known reports whether c is a code of this version of the contract.
func (c Code) Known() bool { return c.Meaning() != "" }

// Retryable reports whether the same request may succeed later without being changed.
// It is the default for errors that do not say so themselves.
func (c Code) Retryable() bool {
	return c == CodeRateLimited || c == CodeUnavailable || c == CodeDeadlineExceeded
}

// Meaning returns one line for a person; it is empty for a code that is not of this contract.
func (c Code) Meaning() string {
	switch c {
	case CodeInvalidArgument:
		return "the request itself is wrong"
	case CodeNotFound:
		return "no such model, endpoint, secret or route"
	case CodeUnauthenticated:
		return "credentials are missing or not accepted"
	case CodePermissionDenied:
		return "the caller is known but not allowed"
	case CodeRateLimited:
		return "too many requests; retry_after_ms says when to come back"
	case CodeUnavailable:
		return "down or overloaded; may pass"
	case CodeDeadlineExceeded:
		return "the deadline passed before the work was done"
	case CodeCanceled:
		return "given up by the caller or by a shutdown"
	case CodeFailedPrecondition:
		return "the system is not in the state that the request needs"
	case CodeContentRejected:
		return "a filter refused the content"
	case CodeUnsupported:
		return "valid, but this model or provider cannot do it"
	case CodeInternal:
		return "a fault of the service"
	default:
		return ""
	}
}
