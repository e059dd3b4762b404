package genai

import (
	"encoding/json"
	"strings"
	"unicode/utf8"

	"go.opentelemetry.io/otel/attribute"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// The forms in which the conventions have the content: gen-ai-input-messages.json, gen-ai-output-messages.json,
// gen-ai-system-instructions.json and gen-ai-tool-definitions.json.
type (
	message struct {
		Role   string `json:"role"`
		Parts  []part `json:"parts"`
		Name   string `json:"name,omitempty"`
		Finish string `json:"finish_reason,omitempty"`
	}
	part struct {
		Type      string          `json:"type"`
		Content   string          `json:"content,omitempty"`
		ID        string          `json:"id,omitempty"`
		Name      string          `json:"name,omitempty"`
		Arguments json.RawMessage `json:"arguments,omitempty"`
		Response  string          `json:"response,omitempty"`
		Modality  string          `json:"modality,omitempty"`
		MIMEType  string          `json:"mime_type,omitempty"`
		URI       string          `json:"uri,omitempty"`
	}
	tool struct {
		Type        string          `json:"type"`
		Name        string          `json:"name"`
		Description string          `json:"description,omitempty"`
		Parameters  json.RawMessage `json:"parameters,omitempty"`
	}
)

// maxContent bounds the texts of one attribute, in bytes: what comes after is left out, and cut where it does not fit. Exporters and
// collectors refuse spans of more than a few megabytes, and with them all that are sent together.
const maxContent = 64 << 10

// writer puts content together, as much as there is room for.
type writer struct{ room int }

// content adds what the request and the answer say.
func (c *Chat) content(to []attribute.KeyValue, res *events.ChatResponse) []attribute.KeyValue {
	system, input := inputs(c.request)
	if len(system) > 0 {
		to = append(to, attribute.String("gen_ai.system_instructions", text(system)))
	}
	if len(input) > 0 {
		to = append(to, attribute.String("gen_ai.input.messages", text(input)))
	}
	if res != nil && len(res.Choices) > 0 {
		to = append(to, attribute.String("gen_ai.output.messages", text(outputs(res))))
	}
	if tools := definitions(c.request.Tools); len(tools) > 0 {
		to = append(to, attribute.String("gen_ai.tool.definitions", text(tools)))
	}
	if len(c.request.Stop) > 0 {
		to = append(to, attribute.StringSlice("gen_ai.request.stop_sequences", c.request.Stop))
	}
	return to
}

// text writes content as JSON.
func text(v any) string {
	written, err := json.Marshal(v)
	if err != nil { // a piece of JSON of the caller's that is none has been refused before
		return "[]"
	}
	return string(written)
}

// inputs are the instructions and the conversation of a request. The end of a conversation is more telling than its beginning: where
// there is no room for all, it is the beginning that is left out.
func inputs(req *events.ChatRequest) (system []part, list []message) {
	if len(req.Messages) == 0 {
		w := writer{room: maxContent}
		return nil, []message{{Role: events.RoleUser, Parts: []part{w.text("text", req.Prompt)}}}
	}
	instructions, conversation := writer{room: maxContent}, writer{room: maxContent}
	first := len(req.Messages)
	for first > 0 && conversation.room > 0 {
		first--
		if m := &req.Messages[first]; !instructs(m.Role) {
			list = append(list, conversation.message(m))
		}
	}
	for i, j := 0, len(list)-1; i < j; i, j = i+1, j-1 {
		list[i], list[j] = list[j], list[i]
	}
	for i := range req.Messages {
		if m := &req.Messages[i]; instructs(m.Role) && instructions.room > 0 {
			system = append(system, instructions.message(m).Parts...)
		}
	}
	return system, list
}

// instructs reports whether messages of a role are instructions.
func instructs(role string) bool { return role == events.RoleSystem || role == events.RoleDeveloper }

// outputs are the choices of an answer.
func outputs(res *events.ChatResponse) []message {
	w := writer{room: maxContent}
	list := make([]message, 0, len(res.Choices))
	for i := range res.Choices {
		if w.room <= 0 {
			break
		}
		m := w.message(&res.Choices[i].Message)
		m.Finish = res.Choices[i].FinishReason
		list = append(list, m)
	}
	return list
}

// message writes one message.
func (w *writer) message(m *events.ChatMessage) message {
	out := message{Role: m.Role, Name: m.Name, Parts: []part{}}
	if m.ReasoningContent != "" {
		out.Parts = append(out.Parts, w.text("reasoning", m.ReasoningContent))
	}
	if m.Role == events.RoleTool {
		out.Parts = append(out.Parts, part{Type: "tool_call_response", ID: m.ToolCallID, Response: w.cut(m.Content.String())})
		return out
	}
	if m.Content.Text != "" {
		out.Parts = append(out.Parts, w.text("text", m.Content.Text))
	}
	for i := range m.Content.Parts {
		out.Parts = append(out.Parts, w.part(&m.Content.Parts[i]))
	}
	if m.Refusal != "" {
		out.Parts = append(out.Parts, w.text("refusal", m.Refusal))
	}
	for i := range m.ToolCalls {
		call := &m.ToolCalls[i]
		out.Parts = append(out.Parts, part{Type: "tool_call", ID: call.ID, Name: call.Function.Name, Arguments: w.arguments(call.Function.Arguments)})
	}
	return out
}

// part writes one part of a message. Of what is no text only its kind is written, and where it is if that is an address: pictures and
// recordings are too large for a span.
func (w *writer) part(p *events.ContentPart) part {
	if p.Type == "text" {
		return w.text("text", p.Text)
	}
	var other struct {
		Image struct {
			URL string `json:"url"`
		} `json:"image_url"`
	}
	if json.Unmarshal(p.Raw, &other) != nil || other.Image.URL == "" {
		return part{Type: llm.Bound(p.Type, maxWord)}
	}
	if inline, is := strings.CutPrefix(other.Image.URL, "data:"); is {
		kind, _, _ := strings.Cut(inline, ";")
		return part{Type: "blob", Modality: "image", MIMEType: llm.Bound(kind, maxWord)}
	}
	return part{Type: "uri", Modality: "image", URI: w.cut(other.Image.URL)}
}

// text writes a part that is a text.
func (w *writer) text(kind, content string) part { return part{Type: kind, Content: w.cut(content)} }

// cut returns as much of a text as there is room for.
func (w *writer) cut(s string) string {
	if len(s) > w.room {
		end := max(w.room, 0)
		for end > 0 && !utf8.RuneStart(s[end]) {
			end--
		}
		s = s[:end]
		w.room = 0
	}
	w.room -= len(s)
	return s
}

// arguments writes what a model calls a tool with: as JSON if it is some, as the text otherwise, since a model may say anything.
func (w *writer) arguments(raw string) json.RawMessage {
	kept := w.cut(raw)
	if json.Valid([]byte(kept)) {
		return json.RawMessage(kept)
	}
	return json.RawMessage(text(kept))
}

// definitions are the tools of a request, which are in OpenAI's form.
func definitions(raw json.RawMessage) []tool {
	var given []struct {
		Type     string `json:"type"`
		Function struct {
			Name        string          `json:"name"`
			Description string          `json:"description"`
			Parameters  json.RawMessage `json:"parameters"`
		} `json:"function"`
	}
	if !llm.Given(raw) || json.Unmarshal(raw, &given) != nil {
		return nil
	}
	w := writer{room: maxContent}
	var list []tool
	for i := range given {
		f := &given[i].Function
		if w.room -= len(f.Parameters); w.room <= 0 {
			break
		}
		list = append(list, tool{Type: given[i].Type, Name: w.cut(f.Name), Description: w.cut(f.Description), Parameters: f.Parameters})
	}
	return list
}
