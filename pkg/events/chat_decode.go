package events

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strconv"
	"strings"
)

// ParseChatRequest reads a request on the generate subjects: in one pass, where [DecodeJSON] needs several. It does not call
// Validate. Errors are an [Error] of code invalid_argument.
func ParseChatRequest(body []byte) (ChatRequest, error) {
	var r ChatRequest
	if len(body) <= MaxBody {
		var room [usualFields]member
		if members, ok := scanObject(room[:0], body, MaxDepth); ok {
			return r, r.fromMembers(members)
		}
	}
	return r, DecodeJSON(body, &r) // which has the words for what is wrong
}

// usualFields is how many fields a request has at the most, as a rule.
const usualFields = 16

// UnmarshalJSON implements [json.Unmarshaler].
func (r *ChatRequest) UnmarshalJSON(b []byte) error {
	var room [usualFields]member
	members, ok := scanObject(room[:0], b, maxDecoderDepth)
	if !ok { // no object: the words of encoding/json
		return json.Unmarshal(b, (*chatRequestFields)(r))
	}
	return r.fromMembers(members)
}

// fromMembers reads the fields of a request; names count as they are written.
func (r *ChatRequest) fromMembers(members object) error {
	*r = ChatRequest{}
	for _, m := range members {
		if isNull(m.raw) { // null means absent, for us and for every provider
			continue
		}
		if err := r.setField(m); err != nil {
			return err
		}
	}
	return nil
}

// setField sets one field.
func (r *ChatRequest) setField(m member) (err error) {
	switch m.name {
	case "model":
		return readText(&r.Model, m)
	case "messages":
		r.Messages, err = readMessages(m.raw)
		return err
	case "prompt":
		return readText(&r.Prompt, m)
	case "stream":
		return readField(&r.Stream, m)
	case "stream_options":
		return readField(&r.StreamOptions, m)
	case "temperature":
		return readField(&r.Temperature, m)
	case "top_p":
		return readField(&r.TopP, m)
	case "max_completion_tokens":
		return readField(&r.MaxCompletionTokens, m)
	case "max_tokens":
		return readField(&r.MaxTokens, m)
	case "n":
		return readField(&r.N, m)
	case "stop":
		return readField(&r.Stop, m)
	case "seed":
		return readField(&r.Seed, m)
	case "tools":
		r.Tools = bytes.Clone(m.raw)
	case "tool_choice":
		r.ToolChoice = bytes.Clone(m.raw)
	case "response_format":
		r.ResponseFormat = bytes.Clone(m.raw)
	case "user":
		return readText(&r.User, m)
	default:
		for field := range chatRequestNames() { // a provider that does not care for case would take it for ours
			if strings.EqualFold(m.name, field) {
				return Errorf(CodeInvalidArgument, "%q is not a field; write %q", truncate(m.name, 40), field)
			}
		}
		if r.Extra == nil {
			r.Extra = make(map[string]json.RawMessage)
		}
		r.Extra[m.name] = bytes.Clone(m.raw)
	}
	return nil
}

// chatRequestNames returns the names of the fields of [ChatRequest].
func chatRequestNames() map[string]bool {
	t := reflect.TypeFor[chatRequestFields]()
	names := make(map[string]bool, t.NumField())
	for f := range t.Fields() {
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "-" {
			names[name] = true
		}
	}
	return names
}

// readMessages reads the conversation.
func readMessages(raw []byte) ([]ChatMessage, error) {
	if raw[0] != '[' {
		return nil, Errorf(CodeInvalidArgument, "messages must be a list of messages")
	}
	messages := make([]ChatMessage, 0, 2)
	i, more := scanFirst(raw, 0, ']') // the text has been read once, so that everything is where it has to be
	for more {
		end := scanValue(raw, i, maxDecoderDepth)
		messages = append(messages, ChatMessage{})
		last := len(messages) - 1
		if err := messages[last].read(raw[i:end]); err != nil {
			return nil, inMessage(err, last)
		}
		i, more = scanNext(raw, end, ']')
	}
	return messages, nil
}

// inMessage says in which message something is wrong.
func inMessage(err error, index int) error {
	e := *AsError(err)
	e.Message = "messages[" + strconv.Itoa(index) + "]" + e.Message
	return &e
}

// read reads one message.
func (m *ChatMessage) read(raw []byte) error {
	var room [usualFields]member
	members, ok := scanObject(room[:0], raw, maxDecoderDepth)
	if !ok {
		return Errorf(CodeInvalidArgument, " must be an object with a role and a content")
	}
	for _, f := range members {
		var err error
		switch f.name {
		case "role":
			err = readText(&m.Role, f)
		case "content":
			err = m.Content.read(f.raw)
		case "name":
			err = readText(&m.Name, f)
		case "refusal":
			err = readText(&m.Refusal, f)
		case "reasoning_content":
			err = readText(&m.ReasoningContent, f)
		case "tool_calls":
			err = readField(&m.ToolCalls, f)
		case "tool_call_id":
			err = readText(&m.ToolCallID, f)
		case "annotations":
			if !isNull(f.raw) {
				m.Annotations = bytes.Clone(f.raw)
			}
		}
		if err != nil {
			e := *AsError(err)
			e.Message = "." + e.Message
			return &e
		}
	}
	return nil
}

// read reads a content.
func (c *Content) read(raw []byte) error {
	if raw[0] == '"' {
		*c = Content{}
		return readText(&c.Text, member{"content", raw})
	}
	return c.UnmarshalJSON(raw)
}

// readText reads a field that is a string; null leaves it empty.
func readText(to *string, m member) error {
	if isNull(m.raw) {
		return nil
	}
	text, err := stringMember(m.name, m.raw)
	*to = text
	return err
}

// readField reads a field of another type, the usual ones without reflection. What they do not take, encoding/json has words for.
func readField(to any, m member) error {
	switch to := to.(type) {
	case *bool:
		if word := string(m.raw); word == "true" || word == "false" {
			*to = word == "true"
			return nil
		}
	case **int:
		if n, err := strconv.Atoi(string(m.raw)); err == nil {
			*to = &n
			return nil
		}
	case **float64:
		if m.raw[0] == '-' || m.raw[0] >= '0' && m.raw[0] <= '9' {
			if f, err := strconv.ParseFloat(string(m.raw), 64); err == nil {
				*to = &f
				return nil
			}
		}
	}
	return decodeError(m.name, m.raw, json.Unmarshal(m.raw, to))
}
