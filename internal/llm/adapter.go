package llm

import (
	"context"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Call is one attempt at a conversation: one request to one server with one key.
type Call struct {
	// Model is the provider's own name of the model.
	Model string
	// Request is what the caller asked, checked by its Validate. An adapter reads it and never changes it: other targets may be
	// asked the same, at the same time too. Its Model, Stream and StreamOptions do not count.
	Request *events.ChatRequest
	// Key goes into the request's header. The zero value is none.
	Key secret.Value
	// Alive, if it is set, is called when the server shows that it works without saying anything: a ping, a thought that is not
	// passed on.
	Alive func()
}

// Adapter speaks the protocol of one server. It makes exactly one request for each call: whether, when and where it is repeated is
// decided above it. It is safe for concurrent use.
//
// Requests, answers and chunks have OpenAI's shape (chat completions). What the server cannot do is a [Fault] of class
// [ClassUnsupported] that names the field, made before anything is sent; nothing is dropped silently. Every error is a *[Fault].
type Adapter interface {
	// Chat returns the whole answer: at least one choice, each with a finish reason of OpenAI's, and the usage if the server told it.
	Chat(ctx context.Context, call *Call) (*events.ChatResponse, error)
	// Stream calls emit for each piece of the answer, in order and never two at a time, and returns nil when the answer is complete.
	// A chunk is emit's only until it returns. If the server counts tokens, the last chunk has no choices and carries the usage. An
	// error of emit ends the stream and is returned as it is.
	Stream(ctx context.Context, call *Call, emit func(*events.ChatChunk) error) error
}

// Lister is an [Adapter] whose server can tell which models it has.
type Lister interface {
	// Models returns the provider's own names of the models.
	Models(ctx context.Context, key secret.Value) ([]string, error)
}
