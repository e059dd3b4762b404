package anthropic

import (
	"github.com/neuron7x/mlsdm-integrations/internal/llm/native"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// tools translates the functions that the model may call, and whether it may.
func (c *Client) tools(ask *request, req *events.ChatRequest) error {
	tools, err := c.read.ReadTools(req)
	if err != nil || len(tools.Functions) == 0 {
		return err
	}
	ask.Tools = make([]tool, len(tools.Functions))
	for i, f := range tools.Functions {
		ask.Tools[i] = tool{Name: f.Name, Description: f.Description, InputSchema: f.Parameters, Strict: f.Strict}
	}
	choice := toolChoice{DisableParallelToolUse: tools.One}
	switch {
	case tools.Named:
		choice.Type, choice.Name = "tool", tools.Choice
	case tools.Choice == native.ChoiceRequired:
		choice.Type = "any"
	case tools.Choice == native.ChoiceNone:
		choice.Type = "none"
	case !tools.One: // the model may choose, as when nothing is said
		return nil
	default:
		choice.Type = "auto"
	}
	ask.ToolChoice = &choice
	return nil
}
