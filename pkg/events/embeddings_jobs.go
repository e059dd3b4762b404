package events

import "time"

// States of an [EmbeddingsJob].
const (
	JobRunning = "running"
	JobDone    = "done"
	JobFailed  = "failed"
)

// EmbeddingsJob is how far a durable embeddings request has come that is worked in parts. It is the value of the key
// <caller>.<request id> in the bucket [BucketJobs].
type EmbeddingsJob struct {
	// RequestID is the durable request's id, and Caller who asked.
	RequestID string `json:"request_id" jsonschema:"minLength=1"`
	Caller    string `json:"caller" jsonschema:"minLength=1"`
	// Model is what was asked for, as "provider/model".
	Model string `json:"model,omitempty"`
	// State is "running", "done" or "failed".
	State string `json:"state" jsonschema:"enum=running,enum=done,enum=failed"`
	// Total is the number of texts, Done how many of them have a vector or an error, Failed how many of those an error.
	Total  int `json:"total" jsonschema:"minimum=0"`
	Done   int `json:"done" jsonschema:"minimum=0"`
	Failed int `json:"failed,omitempty" jsonschema:"minimum=0"`
	// PromptTokens is what was used so far.
	PromptTokens int `json:"prompt_tokens,omitempty" jsonschema:"minimum=0"`
	// Started is when the work began and Updated when it was last heard of.
	Started time.Time `json:"started,omitzero"`
	Updated time.Time `json:"updated,omitzero"`
}

// EmbeddingsJobRequest asks how far a durable embeddings request has come.
type EmbeddingsJobRequest struct {
	// RequestID is the durable request's id.
	RequestID string `json:"request_id" jsonschema:"minLength=1"`
}

// Validate checks what can be known without asking. It returns an [Error] of code invalid_argument.
func (r EmbeddingsJobRequest) Validate() error { return CheckToken("request_id", r.RequestID) }

// VectorsRequest asks for a piece of a [VectorsObject], for those who do not speak to the object store themselves.
type VectorsRequest struct {
	// Name is the object's, as the reply to the durable request told it.
	Name string `json:"name" jsonschema:"minLength=1"`
	// Offset is where the piece begins, in bytes.
	Offset int64 `json:"offset,omitempty" jsonschema:"minimum=0"`
}

// Validate checks what can be known without asking. It returns an [Error] of code invalid_argument.
func (r VectorsRequest) Validate() error {
	return firstError(required("name", r.Name), atLeast("offset", r.Offset, 0))
}

// VectorsPiece is a piece of a [VectorsObject].
type VectorsPiece struct {
	// Name is the object's, Offset where the piece begins and Size that of the whole object, in bytes.
	Name   string `json:"name" jsonschema:"minLength=1"`
	Offset int64  `json:"offset" jsonschema:"minimum=0"`
	Size   int64  `json:"size" jsonschema:"minimum=0"`
	// Data are the bytes, in base64 in JSON. They are none only at the end.
	Data []byte `json:"data"`
}
