package openai

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// answer is a whole answer on the wire.
type answer struct {
	ID                string         `json:"id"`
	Object            string         `json:"object"`
	Created           int64          `json:"created"`
	Model             string         `json:"model"`
	SystemFingerprint string         `json:"system_fingerprint"`
	ServiceTier       string         `json:"service_tier"`
	Usage             *usage         `json:"usage"`
	Error             jsontext.Value `json:"error"`
	Choices           []answerChoice `json:"choices"`

	// What nearly every answer has has its place here.
	counted usage
	said    reply
	one     [1]answerChoice
}

// answerChoice is one choice of an answer.
type answerChoice struct {
	Index        int            `json:"index"`
	Message      *reply         `json:"message"`
	FinishReason string         `json:"finish_reason"`
	Logprobs     jsontext.Value `json:"logprobs"`
}

// reply is a message of an answer.
type reply struct {
	Content          said           `json:"content"`
	Refusal          string         `json:"refusal"`
	ReasoningContent string         `json:"reasoning_content"`
	Reasoning        jsontext.Value `json:"reasoning"`
	ToolCalls        []toolCall     `json:"tool_calls"`
	Annotations      jsontext.Value `json:"annotations"`
}

// answer makes our answer of the server's.
func (a *Adapter) answer(got *answer) (*events.ChatResponse, error) {
	if len(got.Choices) == 0 && there(got.Error) != nil {
		return nil, a.InBand(wrapError(got.Error))
	}
	if len(got.Choices) == 0 || len(got.Choices) > maxChoices {
		return nil, a.Bad("it has %d choices", len(got.Choices))
	}
	res := &events.ChatResponse{
		ID: got.ID, Object: events.ObjectChatCompletion, Created: got.Created, Model: got.Model, Usage: got.Usage.ours(),
		SystemFingerprint: got.SystemFingerprint, ServiceTier: got.ServiceTier, Choices: make([]events.ChatChoice, len(got.Choices)),
	}
	if res.Created <= 0 {
		res.Created = time.Now().Unix()
	}
	var seen [maxChoices]bool
	for i := range got.Choices {
		choice := &got.Choices[i]
		if choice.Message == nil {
			return nil, a.Bad("choices[%d] has no message", i)
		}
		if choice.Index < 0 || choice.Index >= len(got.Choices) || seen[choice.Index] {
			return nil, a.Bad("choices[%d] has index %d, which is out of range or comes twice", i, choice.Index)
		}
		seen[choice.Index] = true
		m := choice.Message
		calls, err := a.calls(m.ToolCalls)
		if err != nil {
			return nil, err
		}
		finish, err := a.finish(choice.FinishReason, len(calls))
		if err != nil {
			return nil, err
		}
		if finish == events.FinishStop && m.Content.Null && m.Refusal == "" {
			return nil, a.Bad("choices[%d] stopped without content", i)
		}
		res.Choices[i] = events.ChatChoice{
			Index: choice.Index, FinishReason: finish, Logprobs: there(choice.Logprobs),
			Message: events.ChatMessage{
				Role: events.RoleAssistant, Content: m.Content.Content, Refusal: m.Refusal, ToolCalls: calls,
				ReasoningContent: thought(m.ReasoningContent, m.Reasoning), Annotations: there(m.Annotations),
			},
		}
	}
	return res, nil
}

// maxChoices is the largest n that a request may ask for.
const maxChoices = 128

// finish is our word for why a model stopped. A word that nobody knows is no good end: some servers have one of their own for an
// answer that failed.
func (a *Adapter) finish(theirs string, calls int) (string, error) {
	switch theirs {
	case "stop", "", "eos", "eos_token", "end_turn", "stop_sequence": // some local servers leave it out
		if calls > 0 {
			return events.FinishToolCalls, nil
		}
		return events.FinishStop, nil
	case "length", "max_tokens", "model_length":
		return events.FinishLength, nil
	case "content_filter":
		return events.FinishContentFilter, nil
	case "tool_calls", "function_call", "tool_use":
		if calls == 0 {
			return "", a.Bad("it ends with %q, and calls no tool", theirs)
		}
		return events.FinishToolCalls, nil
	default:
		return "", a.Bad("finish reason %q", a.Clean(theirs, 40))
	}
}

// toolCall is a tool call, or a piece of one.
type toolCall struct {
	Index    *int   `json:"index"`
	ID       string `json:"id"`
	Type     string `json:"type"`
	Function struct {
		Name      string    `json:"name"`
		Arguments arguments `json:"arguments"`
	} `json:"function"`
}

// typeFunction is the type of a tool call; it may be left out.
const typeFunction = "function"

// calls makes our tool calls of the server's. An id that is missing, or not one call's alone, is made.
func (a *Adapter) calls(theirs []toolCall) ([]events.ToolCall, error) {
	if len(theirs) == 0 {
		return nil, nil
	}
	if len(theirs) > maxCalls {
		return nil, a.Bad("it has %d tool calls; at most %d are believed", len(theirs), maxCalls)
	}
	calls := make([]events.ToolCall, len(theirs))
	for i, c := range theirs {
		if c.Function.Name == "" || c.Type != typeFunction && c.Type != "" {
			return nil, a.Bad("tool call %d has the name %q and the type %q", i, a.Clean(c.Function.Name, 80), a.Clean(c.Type, 40))
		}
		id := c.ID
		for _, other := range calls[:i] {
			if other.ID == id {
				id = ""
			}
		}
		if id == "" {
			id = newID()
		}
		calls[i] = events.ToolCall{
			ID: id, Type: typeFunction, Function: events.ToolFunction{Name: c.Function.Name, Arguments: string(c.Function.Arguments)},
		}
	}
	return calls, nil
}

// newID makes the id of a tool call that the server gave none.
func newID() string { return "call_" + rand.Text() }

// said is the content of an answer: a text, a list of parts, or null.
type said struct{ events.Content }

// UnmarshalJSONFrom implements the interface of package json.
func (s *said) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	switch d.PeekKind() {
	case '"':
		token, err := d.ReadToken()
		if err != nil {
			return err
		}
		s.Content = events.Content{Text: token.String()}
		return nil
	default:
		value, err := d.ReadValue()
		if err != nil {
			return err
		}
		return s.UnmarshalJSON(value)
	}
}

// arguments is a JSON text; a few servers write it as the object that it is.
type arguments string

// UnmarshalJSONFrom implements the interface of package json.
func (s *arguments) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	switch d.PeekKind() {
	case '"':
		token, err := d.ReadToken()
		if err != nil {
			return err
		}
		*s = arguments(token.String())
		return nil
	default:
		value, err := d.ReadValue()
		if err != nil {
			return err
		}
		switch value.Kind() {
		case 'n':
			*s = ""
		case '{':
			*s = arguments(value)
		default:
			return errArguments
		}
		return nil
	}
}

// there is a part of an answer that is passed on as it came; null is none.
func there(raw jsontext.Value) json.RawMessage {
	if raw = bytes.TrimSpace(raw); len(raw) == 0 || raw.Kind() == 'n' {
		return nil
	}
	return json.RawMessage(raw)
}

// thought is what a model thought aloud, under either of the names that are about.
func thought(text string, other jsontext.Value) string {
	if text == "" && other.Kind() == '"' {
		unquoted, err := jsontext.AppendUnquote(nil, other)
		if err == nil { // it has been read as a string before
			return string(unquoted)
		}
	}
	return text
}
