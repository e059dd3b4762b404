package answers

import (
	"unicode/utf8"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// piece is about how much text a chunk of a replayed answer has, in bytes.
const piece = 256

// Replay tells a whole answer as a stream: the role and the text of each choice in pieces, its tool calls, why it ended, and last the
// usage. Joined, the chunks are the answer. An error of emit ends it and is returned as it is.
func Replay(answer *events.ChatResponse, emit func(*events.ChatChunk) error) error {
	head := events.ChatChunk{
		ID: answer.ID, Object: events.ObjectChatCompletionChunk, Created: answer.Created, Model: answer.Model,
		SystemFingerprint: answer.SystemFingerprint, ServiceTier: answer.ServiceTier,
	}
	say := func(choice events.ChatChunkChoice) error {
		chunk := head
		chunk.Choices = []events.ChatChunkChoice{choice}
		return emit(&chunk)
	}
	for i := range answer.Choices {
		if err := replayChoice(&answer.Choices[i], say); err != nil {
			return err
		}
	}
	if answer.Usage == nil {
		return nil
	}
	last := head
	last.Choices, last.Usage = []events.ChatChunkChoice{}, answer.Usage
	return emit(&last)
}

// replayChoice tells one choice.
func replayChoice(c *events.ChatChoice, say func(events.ChatChunkChoice) error) error {
	m := &c.Message
	delta := func(d events.ChatDelta) error { return say(events.ChatChunkChoice{Index: c.Index, Delta: d}) }
	first := events.ChatDelta{Role: events.RoleAssistant, Refusal: m.Refusal, ReasoningContent: m.ReasoningContent, Annotations: m.Annotations}
	if err := say(events.ChatChunkChoice{Index: c.Index, Delta: first, Logprobs: c.Logprobs}); err != nil {
		return err
	}
	for text := m.Content.String(); text != ""; {
		n := cut(text)
		if err := delta(events.ChatDelta{Content: text[:n]}); err != nil {
			return err
		}
		text = text[n:]
	}
	for i, call := range m.ToolCalls {
		call.Index = &i
		if err := delta(events.ChatDelta{ToolCalls: []events.ToolCall{call}}); err != nil {
			return err
		}
	}
	return say(events.ChatChunkChoice{Index: c.Index, FinishReason: &c.FinishReason})
}

// cut returns where the first piece of a text ends, between two characters.
func cut(text string) int {
	if len(text) <= piece {
		return len(text)
	}
	n := piece
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	if n == 0 { // no UTF-8: it is not ours to mend
		return piece
	}
	return n
}
