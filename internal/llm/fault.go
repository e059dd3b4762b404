package llm

import (
	"context"
	"errors"
	"time"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Class says whose fault a failed attempt is, and so what may be tried next.
type Class string

// Classes of faults.
const (
	// ClassCaller: the request is wrong and will be wrong everywhere.
	ClassCaller Class = "caller"
	// ClassContent: the provider refuses the content. Another one might not, but is not asked to.
	ClassContent Class = "content"
	// ClassUnsupported: this server, or this model of its, cannot do what is asked for; another may. A conversation that is too long
	// for the model is one such, with the code invalid_argument.
	ClassUnsupported Class = "unsupported"
	// ClassModel: this server has no such model; another may.
	ClassModel Class = "model"
	// ClassKey: the key is not accepted, until an operator changes it.
	ClassKey Class = "key"
	// ClassLimit: the key has used up a rate limit, until a time.
	ClassLimit Class = "limit"
	// ClassQuota: the money behind the key is used up; time does not cure it.
	ClassQuota Class = "quota"
	// ClassProvider: the server is there, and fails or is overloaded.
	ClassProvider Class = "provider"
	// ClassNetwork: the server cannot be reached, or the connection broke.
	ClassNetwork Class = "network"
	// ClassTimeout: the server took too long, to begin or to go on.
	ClassTimeout Class = "timeout"
	// ClassAnswer: the answer breaks the server's own protocol.
	ClassAnswer Class = "answer"
	// ClassCanceled: who asked is gone, or has no time left.
	ClassCanceled Class = "canceled"
)

// Fault is a failed attempt: what the caller is told of it, and what is to be known to choose the next.
type Fault struct { //nolint:errname // FaultError would say it twice
	Class Class
	// Until is when the provider says that the key or the server can be used again; zero if it does not.
	Until time.Time
	// Err is what the caller is told. It names the provider and holds no key, no address and no prompt.
	Err *events.Error
	// Final says that the server asks not to be sent the same again now (x-should-retry: false), whatever the class allows. Another
	// server may be.
	Final bool
	// RequestID is the provider's own name of the request; it may be empty.
	RequestID string
	// Usage counts the tokens of an answer in one piece that came, was paid for, and cannot be used; nil: the provider counted none.
	Usage *events.ChatUsage
}

// Error implements error.
func (f *Fault) Error() string { return f.Err.Error() }

// Unwrap returns what the caller is told.
func (f *Fault) Unwrap() error { return f.Err }

// FaultOf returns the fault that err is or wraps. Of any other error it makes one, by the code of what the caller would be told.
func FaultOf(err error) *Fault {
	if f, ok := errors.AsType[*Fault](err); ok {
		return f
	}
	e := events.AsError(err)
	return &Fault{Class: classOf(e), Err: e}
}

// FaultIn is the fault that ended a call under ctx. When ctx was ended with a fault as its cause, that is why, whatever the adapter made
// of it.
func FaultIn(ctx context.Context, err error) *Fault {
	if ended, ok := errors.AsType[*Fault](context.Cause(ctx)); ok {
		return ended
	}
	return FaultOf(err)
}

// Paid returns err as a [Fault] that tells what the answer has used which it is about; usage may be nil.
func Paid(err error, usage *events.ChatUsage) error {
	if usage == nil || usage.TotalTokens == 0 {
		return err
	}
	paid := *FaultOf(err)
	paid.Usage = usage
	return &paid
}

// classOf is the class of an error of which only the code is known.
func classOf(e *events.Error) Class {
	switch e.Code {
	case events.CodeInvalidArgument:
		return ClassCaller
	case events.CodeContentRejected:
		return ClassContent
	case events.CodeUnsupported:
		return ClassUnsupported
	case events.CodeNotFound:
		return ClassModel
	case events.CodeUnauthenticated, events.CodePermissionDenied:
		return ClassKey
	case events.CodeRateLimited:
		if e.Retryable {
			return ClassLimit
		}
		return ClassQuota
	case events.CodeUnavailable:
		return ClassProvider
	case events.CodeDeadlineExceeded:
		return ClassTimeout
	case events.CodeCanceled:
		return ClassCanceled
	default: // internal and failed_precondition: an answer that nobody understands
		return ClassAnswer
	}
}
