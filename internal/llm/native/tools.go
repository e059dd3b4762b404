package native

import (
	"encoding/json"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Values of [Tools].Choice; anything else is the name of a function.
const (
	ChoiceAuto     = "auto"
	ChoiceNone     = "none"
	ChoiceRequired = "required"
)

// Tools are the functions that a model may call, and whether it may.
type Tools struct {
	Functions []Function
	// Choice is one of the Choice constants. Without functions it is [ChoiceAuto].
	Choice string
	// Named is set when one function must be called; Choice is then its name.
	Named bool
	// One is set when the model may make one call at most.
	One bool
}

// Function is one function.
type Function struct {
	Name, Description string
	// Parameters is a JSON schema; one that was left out is that of an object without properties.
	Parameters jsontext.Value
	// Strict says that the arguments must keep to the schema.
	Strict bool
}

// ReadTools reads tools, tool_choice and parallel_tool_calls.
func (r *Reader) ReadTools(req *events.ChatRequest) (Tools, error) {
	tools := Tools{Choice: ChoiceAuto}
	if llm.Given(req.Tools) {
		var list []struct {
			Type     string `json:"type"`
			Function struct {
				Name        string         `json:"name"`
				Description string         `json:"description"`
				Parameters  jsontext.Value `json:"parameters"`
				Strict      bool           `json:"strict"`
			} `json:"function"`
		}
		if err := r.Strict("tools", req.Tools, &list); err != nil {
			return tools, err
		}
		tools.Functions = make([]Function, len(list))
		for i := range list {
			f := &list[i].Function
			switch {
			case list[i].Type != "function":
				return tools, r.Server.Refuse(At("tools", i)+".type", r.Vendor+" is given tools of type function only")
			case f.Name == "":
				return tools, r.Server.Invalid("%s.function.name is missing", At("tools", i))
			case !Given(f.Parameters):
				f.Parameters = jsontext.Value(`{"type":"object","properties":{}}`)
			case f.Parameters.Kind() != '{':
				return tools, r.Server.Invalid("%s.function.parameters is not a JSON schema", At("tools", i))
			}
			tools.Functions[i] = Function{f.Name, f.Description, f.Parameters, f.Strict}
		}
	}
	if err := r.choice(&tools, req.ToolChoice); err != nil {
		return tools, err
	}
	if raw := req.Extra["parallel_tool_calls"]; llm.Given(raw) {
		parallel := true
		if err := r.Strict("parallel_tool_calls", raw, &parallel); err != nil {
			return tools, err
		}
		tools.One = !parallel && tools.Choice != ChoiceNone && len(tools.Functions) > 0
	}
	return tools, nil
}

// choice reads tool_choice.
func (r *Reader) choice(tools *Tools, raw json.RawMessage) error {
	if !llm.Given(raw) {
		return nil
	}
	choice := ""
	if jsontext.Value(raw).Kind() == '"' {
		if err := r.Strict("tool_choice", raw, &choice); err != nil {
			return err
		}
		if choice != ChoiceAuto && choice != ChoiceNone && choice != ChoiceRequired {
			return r.Server.Invalid(`tool_choice is %q; it must be "auto", "required", "none" or a function`, llm.Bound(choice, 40))
		}
	} else {
		var one struct {
			Type     string `json:"type"`
			Function struct {
				Name string `json:"name"`
			} `json:"function"`
		}
		if err := r.Strict("tool_choice", raw, &one); err != nil {
			return err
		}
		switch {
		case one.Type != "function":
			return r.Server.Refuse("tool_choice.type", r.Vendor+" is given tools of type function only")
		case one.Function.Name == "":
			return r.Server.Invalid("tool_choice.function.name is missing")
		}
		choice, tools.Named = one.Function.Name, true
	}
	if len(tools.Functions) > 0 {
		tools.Choice = choice
		return nil
	}
	if tools.Named || choice == ChoiceRequired {
		return r.Server.Invalid("tool_choice demands a call, but there are no tools")
	}
	return nil // there is nothing to choose from
}
