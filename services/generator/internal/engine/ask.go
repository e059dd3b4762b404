package engine

import (
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/generator/internal/route"
)

// Ask is one request.
type Ask struct {
	// Route is where it may go.
	Route *route.Route
	// Request is what is asked, checked by its Validate. It is not changed.
	Request *events.ChatRequest
	// Caller is whose request it is, for the [Gate].
	Caller string
	// Emit is given the answer piece by piece, in order and never two at a time; nil asks for the answer in one piece. A chunk,
	// whose Model says which model answers, is Emit's until it returns. An error ends the request: an [events.Error] is what the
	// caller is told, another is taken to say that the reader is gone.
	Emit func(*events.ChatChunk) error
}

// Result is what became of a request.
type Result struct {
	// Response is the answer, its Model the one that answered. That of a stream is put together from its chunks, without their
	// log probabilities; it is nil when the stream was too long to be kept (8 MiB).
	Response *events.ChatResponse
	// Target is the model that answered; after a failure, the one that was tried last.
	Target route.Target
	// Attempts are all that were made, in order.
	Attempts []Tried
	// Usage counts the tokens of the attempt that answered, or broke off after it had begun to; nil: it is unknown.
	Usage *events.ChatUsage
	// FirstOutput is the time from the request to the first output of a stream, or to the whole answer; zero when there was none.
	FirstOutput time.Duration
	// Finish is the finish reason of the first choice.
	Finish string
	// Skipped counts how often a target was passed over because it was to be left alone, and Held how often because the [Gate] did not
	// let it be asked.
	Skipped, Held int
}

// Tried is one attempt that was made.
type Tried struct {
	Target route.Target
	// Key is the name of the key; empty without one.
	Key string
	// Class says why it failed; empty: it did not.
	Class llm.Class
	// Waited is the time before it, since the one before it or the beginning; Took is how long it took.
	Waited, Took time.Duration
	// RequestID is the provider's name of a request that failed; it may be empty.
	RequestID string
	// Usage counts its tokens, also where it failed after some were bought; nil: that is unknown, or there were none.
	Usage *events.ChatUsage
}

// PartialError ends a stream of which something has been passed on already. The request is not repeated: whoever reads would read
// the beginning twice.
type PartialError struct {
	// Err is what went wrong.
	Err *events.Error
	// Partial is what was said until then; a choice that was not finished has no finish reason. Its Usage is nil if the provider
	// had not counted yet. It is nil when it was too long to be kept, and when Emit has refused it with an [events.Error].
	Partial *events.ChatResponse
}

// Error implements error.
func (e *PartialError) Error() string { return e.Err.Error() }

// Unwrap returns what went wrong.
func (e *PartialError) Unwrap() error { return e.Err }
