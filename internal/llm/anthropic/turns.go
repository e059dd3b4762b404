package anthropic

import (
	"bytes"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// converse translates the conversation.
func (c *Client) converse(ask *request, list []events.ChatMessage) error {
	ask.Messages = make([]turn, 0, len(list))
	results := false // the last turn is one of tool results, to which more may be added
	for i := range list {
		m := &list[i]
		if err := c.checkMessage(i, m); err != nil {
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
			return c.server.Refuse(at("messages", i)+".content", "Anthropic takes no message that is empty or only white space")
		}
		ask.Messages = append(ask.Messages, turn{Role: role, Content: content})
		results = false
	}
	if len(ask.Messages) == 0 {
		return c.server.Refuse("messages", "Anthropic answers no conversation that has system messages only; add a user message")
	}
	return nil
}

// checkMessage refuses what a message of its role cannot have.
func (c *Client) checkMessage(i int, m *events.ChatMessage) error {
	switch {
	case m.Name != "" && m.Role != events.RoleTool:
		return c.server.Refuse(at("messages", i)+".name", "Anthropic does not tell participants of one role apart; say it in the text")
	case len(m.ToolCalls) > 0 && m.Role != events.RoleAssistant:
		return c.server.Invalid("%s.tool_calls: only an assistant's message has them", at("messages", i))
	case m.ToolCallID != "" && m.Role != events.RoleTool:
		return c.server.Invalid("%s.tool_call_id: only a tool's message has it", at("messages", i))
	}
	return nil
}

// checkSystem refuses a system message that is not in front, unless the models take it there, and one that is not a text.
func (c *Client) checkSystem(i int, middle bool, content []block) error {
	if middle && !c.systemTurns {
		return c.server.Refuse(at("messages", i)+".role",
			"Anthropic takes system and developer messages in front of the conversation only; move it there, or say it as the user")
	}
	for j := range content {
		if content[j].Type != blockText {
			return c.server.Refuse(at(at("messages", i)+".content", j), "Anthropic's system messages are texts")
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
		where := func() string { return at(at("messages", i)+".tool_calls", j) }
		input := jsontext.Value(strings.TrimSpace(call.Function.Arguments))
		switch {
		case call.Type != "" && call.Type != "function":
			return nil, c.server.Refuse(where()+".type", "Anthropic's calls are of functions")
		case call.Function.Name == "":
			return nil, c.server.Invalid("%s.function.name is missing", where())
		case !toolID(call.ID):
			return nil, c.badID(where()+".id", call.ID)
		case len(input) == 0: // what joins the pieces of a stream has this for a call without arguments
			input = jsontext.Value("{}")
		case input[0] != '{' || !input.IsValid():
			return nil, c.server.Invalid("%s.function.arguments is not a JSON object", where())
		}
		content = append(content, block{Type: blockToolUse, ID: call.ID, Name: call.Function.Name, Input: input})
	}
	return content, nil
}

// result makes the tool's result that a tool message is. A tool may have nothing to say.
func (c *Client) result(i int, m *events.ChatMessage) (block, error) {
	if !toolID(m.ToolCallID) {
		return block{}, c.badID(at("messages", i)+".tool_call_id", m.ToolCallID)
	}
	content, err := c.content(i, m)
	return block{Type: blockToolResult, ToolUseID: m.ToolCallID, Content: content}, err
}

// toolID reports whether the API takes an id of a call.
func toolID(id string) bool {
	return id != "" && !strings.ContainsFunc(id, func(r rune) bool {
		return !alphanumeric(r) && r != '_' && r != '-'
	})
}

// alphanumeric reports whether r is a letter or digit of ASCII.
func alphanumeric(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
}

// badID is the fault of an id of a call that the API does not take.
func (c *Client) badID(field, id string) error {
	if id == "" {
		return c.server.Invalid("%s is missing", field)
	}
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
		field := at(at("messages", i)+".content", j)
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

// given reports whether an optional part of a request is there.
func given(raw jsontext.Value) bool {
	return len(raw) > 0 && !bytes.Equal(raw, []byte("null"))
}
