package cohere

import (
	"github.com/neuron7x/mlsdm-integrations/internal/llm/native"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// converse translates the conversation.
func (c *Client) converse(list []events.ChatMessage) ([]message, error) {
	messages := make([]message, len(list))
	for i := range list {
		m := &list[i]
		if err := c.read.CheckMessage(i, m); err != nil {
			return nil, err
		}
		out := &messages[i]
		out.Role, out.ToolCallID = m.Role, m.ToolCallID
		if m.Role == events.RoleDeveloper {
			out.Role = events.RoleSystem
		}
		if err := c.content(i, m, out); err != nil {
			return nil, err
		}
		if len(m.ToolCalls) == 0 {
			continue
		}
		out.ToolPlan, out.ToolCalls = m.ReasoningContent, make([]call, len(m.ToolCalls))
		for j := range m.ToolCalls {
			asked := &m.ToolCalls[j]
			arguments, err := c.read.Arguments(i, j, asked)
			if err != nil {
				return nil, err
			}
			out.ToolCalls[j] = call{ID: asked.ID, Type: "function", Function: function{asked.Function.Name, string(arguments)}}
		}
	}
	return messages, nil
}

// content translates what message i says: its text or parts, and its refusal.
func (c *Client) content(i int, m *events.ChatMessage, out *message) error {
	var parts []part
	for j := range m.Content.Parts {
		field := native.At(native.At("messages", i)+".content", j)
		p, err := c.read.ReadPart(field, &m.Content.Parts[j])
		switch {
		case err != nil:
			return err
		case p.Image == "" && p.Text == "": // it says nothing
		case p.Image == "":
			parts = append(parts, part{Type: typeText, Text: p.Text})
		case m.Role != events.RoleUser:
			return c.server.Refuse(field, "Cohere is shown images by users only")
		default:
			parts = append(parts, part{Type: "image_url", Image: &image{p.Image, p.Detail}})
		}
	}
	switch {
	case m.Refusal != "" && m.Content.Text == "" && parts == nil:
		out.Content = m.Refusal
	case m.Refusal != "":
		if parts == nil {
			parts = []part{{Type: typeText, Text: m.Content.Text}}
		}
		out.Content = append(parts, part{Type: typeText, Text: m.Refusal})
	case parts != nil:
		out.Content = parts
	case m.Content.Text != "" || len(m.ToolCalls) == 0:
		out.Content = m.Content.Text
	}
	return nil
}
