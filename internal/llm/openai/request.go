package openai

import (
	"bytes"
	"encoding/json"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// request is a request on the wire. Nothing in it is null: servers differ in what they make of that.
type request struct {
	Model               string                `json:"model"`
	Messages            []message             `json:"messages"`
	Stream              bool                  `json:"stream,omitzero"`
	StreamOptions       *events.StreamOptions `json:"stream_options,omitzero"`
	Temperature         *float64              `json:"temperature,omitzero"`
	TopP                *float64              `json:"top_p,omitzero"`
	MaxCompletionTokens *int                  `json:"max_completion_tokens,omitzero"`
	MaxTokens           *int                  `json:"max_tokens,omitzero"`
	N                   *int                  `json:"n,omitzero"`
	Stop                []string              `json:"stop,omitzero"`
	Seed                *int64                `json:"seed,omitzero"`
	Tools               jsontext.Value        `json:"tools,omitzero"`
	ToolChoice          jsontext.Value        `json:"tool_choice,omitzero"`
	ResponseFormat      jsontext.Value        `json:"response_format,omitzero"`
	User                string                `json:"user,omitzero"`

	Extra map[string]json.RawMessage `json:",embed"`
}

// message is one message on the wire.
type message struct {
	Role             string            `json:"role"`
	Content          content           `json:"content,omitzero"`
	Name             string            `json:"name,omitzero"`
	Refusal          string            `json:"refusal,omitzero"`
	ReasoningContent string            `json:"reasoning_content,omitzero"`
	ToolCalls        []events.ToolCall `json:"tool_calls,omitempty"`
	ToolCallID       string            `json:"tool_call_id,omitzero"`
}

// content is the content of a message that is sent, where it stands.
type content struct{ *events.Content }

// IsZero leaves null out: beside tool calls it may be left out everywhere, and is refused by some when it is null.
func (c content) IsZero() bool { return c.Null }

// MarshalJSONTo implements the interface of package json.
func (c content) MarshalJSONTo(e *jsontext.Encoder) error {
	if len(c.Parts) == 0 {
		return e.WriteToken(jsontext.String(c.Text))
	}
	if err := e.WriteToken(jsontext.BeginArray); err != nil {
		return err
	}
	for _, part := range c.Parts {
		raw, err := part.MarshalJSON()
		if err != nil {
			return err
		}
		if err := e.WriteValue(raw); err != nil {
			return err
		}
	}
	return e.WriteToken(jsontext.EndArray)
}

// body writes a request as the server shall see it, or refuses it.
func (a *Adapter) body(call *llm.Call, stream bool) ([]byte, error) {
	req := call.Request
	if err := a.refuse(req); err != nil {
		return nil, err
	}
	out := request{
		Model: call.Model, Stream: stream,
		Temperature: req.Temperature, TopP: req.TopP, MaxCompletionTokens: req.MaxCompletionTokens, MaxTokens: req.MaxTokens,
		N: req.N, Stop: req.Stop, Seed: req.Seed, Tools: given(req.Tools), ToolChoice: given(req.ToolChoice),
		ResponseFormat: given(req.ResponseFormat), User: req.User, Extra: req.Extra,
	}
	if stream && !a.opts.NoStreamOptions {
		out.StreamOptions = &events.StreamOptions{IncludeUsage: true}
	}
	if limit, ok := req.TokenLimit(); ok {
		switch a.opts.MaxTokensField {
		case MaxTokens:
			out.MaxTokens, out.MaxCompletionTokens = &limit, nil
		case MaxCompletionTokens:
			out.MaxTokens, out.MaxCompletionTokens = nil, &limit
		}
	}
	return a.encode(&out, req.Conversation())
}

// with is the request with its messages.
func (r request) with(said []events.ChatMessage) *request {
	r.Messages = make([]message, len(said))
	for i := range said {
		m := &said[i]
		r.Messages[i] = message{
			Role: m.Role, Content: content{&m.Content}, Name: m.Name, Refusal: m.Refusal, ReasoningContent: m.ReasoningContent,
			ToolCalls: m.ToolCalls, ToolCallID: m.ToolCallID,
		}
	}
	return &r
}

// given is an optional part of a request; what says nothing is left out.
func given(raw json.RawMessage) jsontext.Value {
	if !llm.Given(raw) {
		return nil
	}
	return jsontext.Value(raw)
}

// refuse names what cannot be honoured, because the reply has no place for it, or because the server is known to ignore it.
func (a *Adapter) refuse(req *events.ChatRequest) error {
	for name, raw := range req.Extra {
		switch name {
		case "audio", "functions", "function_call", "modalities":
			if asks(req, name) {
				return a.Refuse(name, "the reply has no place for what this asks for")
			}
		case "model", "messages", "prompt", "stream", "stream_options": // only a program can have put it there
			return a.Invalid("%s: it stands among the unknown fields (%d bytes)", name, len(raw))
		}
	}
	if bytes.Contains(req.Tools, []byte(`"custom"`)) {
		var tools []struct {
			Type string `json:"type"`
		}
		if err := json.Unmarshal(req.Tools, &tools); err == nil { // what is no list of tools, the server may say
			for _, tool := range tools {
				if tool.Type == "custom" {
					return a.Refuse("tools", "the reply has no place for a call of a tool of type custom")
				}
			}
		}
	}
	for _, field := range a.opts.Refuse {
		if asks(req, field) {
			return a.Refuse(field, "it is ignored by this provider's OpenAI-compatible API; leave it out")
		}
	}
	return nil
}

// asks reports whether a request asks for more than the default of a field.
func asks(req *events.ChatRequest, field string) bool {
	switch field {
	case "response_format":
		return llm.WantsFormat(req)
	case "n":
		return req.N != nil && *req.N > 1
	case "tools":
		return llm.Given(req.Tools)
	case "tool_choice":
		return llm.Given(req.ToolChoice) && string(req.ToolChoice) != `"auto"`
	case "seed":
		return req.Seed != nil
	case "stop":
		return len(req.Stop) > 0
	case "user":
		return req.User != ""
	case "temperature":
		return req.Temperature != nil
	case "top_p":
		return req.TopP != nil
	case "modalities":
		var list []string
		return llm.Given(req.Extra[field]) && (json.Unmarshal(req.Extra[field], &list) != nil || !slices.Equal(list, []string{"text"}))
	default:
		raw := req.Extra[field]
		return llm.Given(raw) && string(raw) != "false"
	}
}
