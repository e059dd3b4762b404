package engine

import (
	"encoding/json"
	"strings"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

const (
	// maxSaid is how much of an answer is kept while it is streamed, in bytes.
	maxSaid = 8 << 20
	// maxSaidParts is how many choices, and tool calls of one, are kept.
	maxSaidParts = 256
)

// said puts the chunks of a stream together.
type said struct {
	first   events.ChatChunk // of which the choices do not count
	choices []*saidChoice
	usage   *events.ChatUsage
	size    int
	begun   bool
	tooLong bool
}

// saidChoice is one choice.
type saidChoice struct {
	index                       int
	role, finish                string
	content, refusal, reasoning strings.Builder
	annotations                 json.RawMessage
	calls                       []*saidCall
}

// saidCall is one tool call.
type saidCall struct {
	index          int
	id, kind, name string
	arguments      strings.Builder
}

// add adds a chunk, of which it keeps texts only.
func (s *said) add(c *events.ChatChunk) {
	if !s.begun {
		s.begun, s.first = true, *c
		s.first.Choices, s.first.Usage = nil, nil
	}
	if c.SystemFingerprint != "" {
		s.first.SystemFingerprint = c.SystemFingerprint
	}
	if c.ServiceTier != "" {
		s.first.ServiceTier = c.ServiceTier
	}
	if c.Usage != nil {
		usage := *c.Usage
		s.usage = &usage
	}
	for i := range c.Choices {
		s.choice(&c.Choices[i])
	}
}

// choice adds what a chunk says of one choice.
func (s *said) choice(c *events.ChatChunkChoice) {
	to := s.find(c.Index)
	if to == nil {
		return
	}
	if c.FinishReason != nil {
		to.finish = *c.FinishReason
	}
	d := &c.Delta
	if d.Role != "" {
		to.role = d.Role
	}
	if d.Annotations != nil && s.room(len(d.Annotations)) {
		to.annotations = append(to.annotations[:0], d.Annotations...)
	}
	s.write(&to.content, d.Content)
	s.write(&to.refusal, d.Refusal)
	s.write(&to.reasoning, d.ReasoningContent)
	for i := range d.ToolCalls {
		s.call(to, &d.ToolCalls[i], i)
	}
}

// call adds a piece of a tool call.
func (s *said) call(to *saidChoice, piece *events.ToolCall, number int) {
	index := number
	if piece.Index != nil {
		index = *piece.Index
	}
	var call *saidCall
	for _, known := range to.calls {
		if known.index == index {
			call = known
		}
	}
	if call == nil {
		if len(to.calls) == maxSaidParts {
			s.tooLong = true
			return
		}
		call = &saidCall{index: index}
		to.calls = append(to.calls, call)
	}
	for _, part := range []struct {
		to   *string
		from string
	}{{&call.id, piece.ID}, {&call.kind, piece.Type}, {&call.name, piece.Function.Name}} {
		if part.from != "" && s.room(len(part.from)) {
			*part.to = part.from
		}
	}
	s.write(&call.arguments, piece.Function.Arguments)
}

// find returns the choice of an index, or nil if there are too many.
func (s *said) find(index int) *saidChoice {
	for _, c := range s.choices {
		if c.index == index {
			return c
		}
	}
	if len(s.choices) == maxSaidParts {
		s.tooLong = true
		return nil
	}
	c := &saidChoice{index: index}
	s.choices = append(s.choices, c)
	return c
}

// write adds text, as long as there is room.
func (s *said) write(to *strings.Builder, text string) {
	if text != "" && s.room(len(text)) {
		to.WriteString(text)
	}
}

// room reports whether so many bytes more can be kept. When they cannot, nothing is: half an answer must not be taken for one.
func (s *said) room(bytes int) bool {
	s.size += bytes
	if s.size > maxSaid && !s.tooLong {
		s.tooLong, s.choices = true, nil
	}
	return !s.tooLong
}

// finish is the finish reason of the first choice.
func (s *said) finish() string {
	for _, c := range s.choices {
		if c.index == 0 {
			return c.finish
		}
	}
	return ""
}

// response is the answer as far as it goes; nil if it was too long.
func (s *said) response() *events.ChatResponse {
	if s.tooLong {
		return nil
	}
	res := &events.ChatResponse{
		ID: s.first.ID, Object: events.ObjectChatCompletion, Created: s.first.Created, Model: s.first.Model,
		SystemFingerprint: s.first.SystemFingerprint, ServiceTier: s.first.ServiceTier, Usage: s.usage,
		Choices: make([]events.ChatChoice, len(s.choices)),
	}
	for i, c := range s.choices {
		res.Choices[i] = c.choice()
	}
	return res
}

// choice returns what was said.
func (c *saidChoice) choice() events.ChatChoice {
	m := events.ChatMessage{
		Role: c.role, Content: events.TextContent(c.content.String()), Refusal: c.refusal.String(),
		ReasoningContent: c.reasoning.String(), Annotations: c.annotations,
	}
	if m.Role == "" {
		m.Role = events.RoleAssistant
	}
	m.Content.Null = c.content.Len() == 0 && (len(c.calls) > 0 || c.refusal.Len() > 0)
	for _, call := range c.calls {
		kind := call.kind
		if kind == "" {
			kind = "function"
		}
		m.ToolCalls = append(m.ToolCalls, events.ToolCall{
			ID: call.id, Type: kind, Function: events.ToolFunction{Name: call.name, Arguments: call.arguments.String()},
		})
	}
	return events.ChatChoice{Index: c.index, Message: m, FinishReason: c.finish}
}
