package cohere

import (
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// event is one event of a stream; what belongs to other types is empty.
type event struct {
	Type  string        `json:"type"`
	ID    string        `json:"id"`
	Index int           `json:"index"`
	Delta object[delta] `json:"delta"`
	// Message is a text where the event is an error.
	Message object[struct{}] `json:"message"`
}

// delta is what an event adds.
type delta struct {
	Message      object[piece] `json:"message"`
	FinishReason string        `json:"finish_reason"`
	Error        string        `json:"error"`
	Usage        *usage        `json:"usage"`
}

// piece is what an event adds to the message. At the start of a stream its fields are empty lists, later they are objects.
type piece struct {
	Content   object[content] `json:"content"`
	ToolPlan  string          `json:"tool_plan"`
	ToolCalls object[call]    `json:"tool_calls"`
}

// content is a piece of a part of the message.
type content struct {
	Type     string `json:"type"`
	Text     string `json:"text"`
	Thinking string `json:"thinking"`
}

// object is an object that may be missing, or stand where the protocol also has a list or a text.
type object[T any] struct {
	Value T
	Given bool
	// Text is what it is instead of an object.
	Text string
	// Other is set when it is neither of these, nor null.
	Other bool
}

// UnmarshalJSONFrom implements [json.UnmarshalerFrom].
func (o *object[T]) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	switch d.PeekKind() {
	case '{':
		o.Given = true
		return json.UnmarshalDecode(d, &o.Value)
	case '"':
		return json.UnmarshalDecode(d, &o.Text)
	case 'n':
		return d.SkipValue()
	default:
		o.Other = true
		return d.SkipValue()
	}
}
