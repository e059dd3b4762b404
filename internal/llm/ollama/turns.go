package ollama

import (
	"strings"

	"github.com/neuron7x/mlsdm-integrations/internal/llm/native"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// converse translates the conversation.
func (c *Client) converse(list []events.ChatMessage) ([]message, error) {
	messages := make([]message, len(list))
	var called map[string]string // names of functions by the ids of calls
	for i := range list {
		m := &list[i]
		if err := c.read.CheckMessage(i, m); err != nil {
			return nil, err
		}
		out := &messages[i]
		*out = message{Role: m.Role, Content: m.Content.Text, Thinking: m.ReasoningContent}
		if m.Role == events.RoleDeveloper {
			out.Role = events.RoleSystem
		}
		if m.Role == events.RoleTool {
			out.ToolCallID, out.ToolName = m.ToolCallID, m.Name
			if out.ToolName == "" {
				out.ToolName = called[m.ToolCallID]
			}
		}
		if err := c.parts(i, m, out); err != nil {
			return nil, err
		}
		for j := range m.ToolCalls {
			asked := &m.ToolCalls[j]
			arguments, err := c.read.Arguments(i, j, asked)
			if err != nil {
				return nil, err
			}
			if called == nil {
				called = make(map[string]string)
			}
			called[asked.ID] = asked.Function.Name
			out.ToolCalls = append(out.ToolCalls, call{ID: asked.ID, Function: function{j, asked.Function.Name, arguments}})
		}
	}
	return messages, nil
}

// parts translates the parts of message i, and its refusal.
func (c *Client) parts(i int, m *events.ChatMessage, out *message) error {
	if len(m.Content.Parts) == 0 && m.Refusal == "" {
		return nil
	}
	var texts []string
	if out.Content != "" {
		texts = append(texts, out.Content)
	}
	for j := range m.Content.Parts {
		field := native.At(native.At("messages", i)+".content", j)
		p, err := c.read.ReadPart(field, &m.Content.Parts[j])
		if err != nil {
			return err
		}
		if p.Image == "" {
			texts = append(texts, p.Text)
			continue
		}
		image, err := c.image(field, m.Role, &p)
		if err != nil {
			return err
		}
		out.Images = append(out.Images, image)
	}
	if m.Refusal != "" {
		texts = append(texts, m.Refusal)
	}
	out.Content = strings.Join(texts, "\n")
	return nil
}

// image returns an image in base64; field is the name of its part.
func (c *Client) image(field, role string, p *native.Part) (string, error) {
	switch {
	case role != events.RoleUser:
		return "", c.server.Refuse(field, "Ollama is shown images by users only")
	case p.Detail != "":
		return "", c.server.Refuse(field+".image_url.detail", "Ollama looks at an image as it is; scale it, or leave this out")
	}
	field += ".image_url.url"
	kind, data, err := c.read.Data(field, p.Image)
	if err != nil {
		return "", err
	}
	switch kind {
	case "image/jpeg", "image/jpg", "image/png", "image/webp":
		return data, nil
	default:
		return "", c.server.Refuse(field, "Ollama sees image/jpeg, image/png and image/webp only")
	}
}
