package anthropic

import (
	"github.com/go-json-experiment/json/jsontext"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// function is a tool as OpenAI writes it.
type function struct {
	Type     string `json:"type"`
	Function struct {
		Name        string         `json:"name"`
		Description string         `json:"description"`
		Parameters  jsontext.Value `json:"parameters"`
		Strict      bool           `json:"strict"`
	} `json:"function"`
}

// tools translates the functions that the model may call, and whether it may.
func (c *Client) tools(ask *request, req *events.ChatRequest) error {
	if llm.Given(req.Tools) {
		var list []function
		if err := c.strict("tools", req.Tools, &list); err != nil {
			return err
		}
		ask.Tools = make([]tool, len(list))
		for i := range list {
			f := &list[i]
			schema := f.Function.Parameters
			switch {
			case f.Type != "function":
				return c.server.Refuse(at("tools", i)+".type", "Anthropic is given tools of type function only")
			case f.Function.Name == "":
				return c.server.Invalid("%s.function.name is missing", at("tools", i))
			case !given(schema):
				schema = jsontext.Value(`{"type":"object","properties":{}}`)
			case schema.Kind() != '{':
				return c.server.Invalid("%s.function.parameters is not a JSON schema", at("tools", i))
			}
			ask.Tools[i] = tool{
				Name: f.Function.Name, Description: f.Function.Description, InputSchema: schema, Strict: f.Function.Strict,
			}
		}
	}
	return c.choice(ask, req)
}

// choice translates tool_choice and parallel_tool_calls.
func (c *Client) choice(ask *request, req *events.ChatRequest) error {
	parallel := true
	if raw := req.Extra["parallel_tool_calls"]; llm.Given(raw) {
		if err := c.strict("parallel_tool_calls", raw, &parallel); err != nil {
			return err
		}
	}
	choice, err := c.readChoice(req.ToolChoice)
	if err != nil {
		return err
	}
	if len(ask.Tools) == 0 {
		if choice.Type == "any" || choice.Type == "tool" {
			return c.server.Invalid("tool_choice demands a call, but there are no tools")
		}
		return nil // there is nothing to choose from
	}
	choice.DisableParallelToolUse = !parallel && choice.Type != "none"
	if choice.Type != "auto" || choice.DisableParallelToolUse {
		ask.ToolChoice = &choice
	}
	return nil
}

// readChoice translates tool_choice.
func (c *Client) readChoice(raw []byte) (toolChoice, error) {
	if !llm.Given(raw) {
		return toolChoice{Type: "auto"}, nil
	}
	if jsontext.Value(raw).Kind() == '"' {
		var word string
		if err := c.strict("tool_choice", raw, &word); err != nil {
			return toolChoice{}, err
		}
		switch word {
		case "auto", "none":
			return toolChoice{Type: word}, nil
		case "required":
			return toolChoice{Type: "any"}, nil
		default:
			return toolChoice{}, c.server.Invalid(`tool_choice is %q; it must be "auto", "required", "none" or a function`, llm.Bound(word, 40))
		}
	}
	var one struct {
		Type     string `json:"type"`
		Function struct {
			Name string `json:"name"`
		} `json:"function"`
	}
	if err := c.strict("tool_choice", raw, &one); err != nil {
		return toolChoice{}, err
	}
	switch {
	case one.Type != "function":
		return toolChoice{}, c.server.Refuse("tool_choice.type", "Anthropic can be held to a function only")
	case one.Function.Name == "":
		return toolChoice{}, c.server.Invalid("tool_choice.function.name is missing")
	}
	return toolChoice{Type: "tool", Name: one.Function.Name}, nil
}
