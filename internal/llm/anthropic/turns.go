package anthropic

import (
	"strings"

	"github.com/neuron7x/mlsdm-integrations/internal/llm/native"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// converse translates the conversation.
func (c *Client) converse(ask *request, list []events.ChatMessage) error {
	ask.Messages = make([]turn, 0, len(list))
	results := false // the last turn is one of tool results, to which more may be added
	for i := range list {
		m := &list[i]
		if err := c.read.CheckMessage(i, m); err != nil {
			return err
		}
		if m.Role == events.RoleTool {
			result, err := c.result(i, m)
			if err != nil {
				return err
			}
			if results {
				last := &ask.Messages[len(ask.Messages)-1]
				last.Content = append(last.Content, result)
			} else {
				ask.Messages = append(ask.Messages, turn{Role: roleUser, Content: []block{result}})
			}
			results = true
			continue
		}
		content, err := c.content(i, m)
		if err != nil {
			return err
		}
		role := roleUser
		switch m.Role {
		case events.RoleSystem, events.RoleDeveloper:
			if len(content) == 0 {
				continue
			}
			if err := c.checkSystem(i, len(ask.Messages) > 0, content); err != nil {
				return err
			}
			if len(ask.Messages) == 0 {
				ask.System = append(ask.System, content...)
				continue
			}
			role = roleSystem
		case events.RoleAssistant:
			role = roleAssistant
			if content, err = c.calls(i, m, content); err != nil {
				return err
			}
		}
		if len(content) == 0 {
			return c.server.Refuse(native.At("messages", i)+".content", "Anthropic takes no message that is empty or only white space")
		}
		ask.Messages = append(ask.Messages, turn{Role: role, Content: content})
		results = false
	}
	if len(ask.Messages) == 0 {
		return c.server.Refuse("messages", "Anthropic answers no conversation that has system messages only; add a user message")
	}
	return nil
}

// checkSystem refuses a system message that is not in front, unless the models take it there, and one that is not a text.
func (c *Client) checkSystem(i int, middle bool, content []block) error {
	if middle && !c.systemTurns {
		return c.server.Refuse(native.At("messages", i)+".role",
			"Anthropic takes system and developer messages in front of the conversation only; move it there, or say it as the user")
	}
	for j := range content {
		if content[j].Type != blockText {
			return c.server.Refuse(native.At(native.At("messages", i)+".content", j), "Anthropic's system messages are texts")
		}
	}
	return nil
}

// calls adds to an assistant's content the calls that it asked for, and its refusal.
func (c *Client) calls(i int, m *events.ChatMessage, content []block) ([]block, error) {
	if !blank(m.Refusal) {
		content = append(content, block{Type: blockText, Text: m.Refusal})
	}
	for j := range m.ToolCalls {
		call := &m.ToolCalls[j]
		input, err := c.read.Arguments(i, j, call)
		if err != nil {
			return nil, err
		}
		if !toolID(call.ID) {
			return nil, c.badID(native.At(native.At("messages", i)+".tool_calls", j) + ".id")
		}
		content = append(content, block{Type: blockToolUse, ID: call.ID, Name: call.Function.Name, Input: input})
	}
	return content, nil
}

// result makes the tool's result that a tool message is. A tool may have nothing to say.
func (c *Client) result(i int, m *events.ChatMessage) (block, error) {
	if !toolID(m.ToolCallID) {
		return block{}, c.badID(native.At("messages", i) + ".tool_call_id")
	}
	content, err := c.content(i, m)
	return block{Type: blockToolResult, ToolUseID: m.ToolCallID, Content: content}, err
}

// toolID reports whether the API takes an id of a call. Those of other providers, whose conversation this may have been, can be of
// another form.
func toolID(id string) bool {
	return !strings.ContainsFunc(id, func(r rune) bool {
		return (r < 'a' || 'z' < r) && (r < 'A' || 'Z' < r) && (r < '0' || '9' < r) && r != '_' && r != '-'
	})
}

// badID is the fault of an id of a call that the API does not take.
func (c *Client) badID(field string) error {
	return c.server.Refuse(field, "Anthropic's ids of calls have letters, digits, _ and - only")
}

// content translates a message's text or parts; blank texts are left out.
func (c *Client) content(i int, m *events.ChatMessage) ([]block, error) {
	if len(m.Content.Parts) == 0 {
		if blank(m.Content.Text) {
			return nil, nil
		}
		return []block{{Type: blockText, Text: m.Content.Text}}, nil
	}
	list := make([]block, 0, len(m.Content.Parts)+len(m.ToolCalls))
	for j := range m.Content.Parts {
		field := native.At(native.At("messages", i)+".content", j)
		b, err := c.part(field, &m.Content.Parts[j])
		if err != nil {
			return nil, err
		}
		if b.Type == blockText && blank(b.Text) {
			continue
		}
		if b.Type != blockText && m.Role == events.RoleAssistant {
			return nil, c.server.Refuse(field, "Anthropic's assistants say texts only")
		}
		list = append(list, b)
	}
	return list, nil
}
