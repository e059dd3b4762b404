package cohere

import (
	"strconv"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/native"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Bounds of p.
const (
	minP = 0.01
	maxP = 0.99
)

// body writes the request as the server shall see it, or refuses it.
func (c *Client) body(call *llm.Call, stream bool) ([]byte, error) {
	req := call.Request
	ask := request{
		Model: call.Model, Stream: stream, Temperature: req.Temperature, P: req.TopP, Seed: req.Seed, StopSequences: req.Stop,
	}
	ask.MaxTokens, _ = req.TokenLimit() // 0, which is no limit, is left out
	if err := c.sampling(req); err != nil {
		return nil, err
	}
	var err error
	if ask.Messages, err = c.converse(req.Conversation()); err != nil {
		return nil, err
	}
	if err := c.tools(&ask, req); err != nil {
		return nil, err
	}
	if err := c.format(&ask, req); err != nil {
		return nil, err
	}
	if err := c.extras(&ask, req); err != nil {
		return nil, err
	}
	return c.server.Encode(&ask)
}

// sampling checks what decides how the model chooses its words.
func (c *Client) sampling(req *events.ChatRequest) error {
	switch {
	case req.Temperature != nil && *req.Temperature > 1:
		return c.server.Refuse("temperature", "Cohere takes 0 to 1, this is "+number(*req.Temperature))
	case req.TopP != nil && (*req.TopP < minP || *req.TopP > maxP):
		return c.server.Refuse("top_p", "Cohere takes 0.01 to 0.99, this is "+number(*req.TopP))
	case req.N != nil && *req.N > 1:
		return c.server.Refuse("n", "Cohere gives one answer to a request; ask several times")
	case req.Seed != nil && *req.Seed < 0:
		return c.server.Refuse("seed", "Cohere's seeds are not negative")
	case req.User != "":
		return c.read.Unknown("user")
	}
	for i, stop := range req.Stop {
		if stop == "" {
			return c.server.Refuse(native.At("stop", i), "Cohere does not stop at an empty text")
		}
	}
	return nil
}

// number writes a number as a person would.
func number(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }

// tools translates the functions that the model may call, and whether it may.
func (c *Client) tools(ask *request, req *events.ChatRequest) error {
	tools, err := c.read.ReadTools(req)
	if err != nil {
		return err
	}
	strict := 0
	for i := range tools.Functions {
		f := &tools.Functions[i]
		ask.Tools = append(ask.Tools, tool{Type: "function", Function: declared{f.Name, f.Description, f.Parameters}})
		if f.Strict {
			strict++
		}
		if strict > 0 && strict < i+1 {
			return c.server.Refuse(native.At("tools", i)+".function.strict", "Cohere is strict with all functions or with none")
		}
	}
	ask.StrictTools = strict > 0
	switch {
	case tools.Named:
		return c.server.Refuse("tool_choice", "Cohere cannot be held to one function; give it this one only, and say required")
	case tools.One:
		return c.server.Refuse("parallel_tool_calls", "Cohere cannot be held to one call at a time")
	case tools.Choice == native.ChoiceRequired:
		ask.ToolChoice = "REQUIRED"
	case tools.Choice == native.ChoiceNone:
		ask.ToolChoice = "NONE"
	}
	return nil
}

// format translates response_format.
func (c *Client) format(ask *request, req *events.ChatRequest) error {
	want, err := c.read.ReadFormat(req.ResponseFormat)
	switch {
	case err != nil || !want.JSON:
		return err
	case len(ask.Tools) > 0:
		return c.server.Refuse("response_format", "Cohere does not take it beside tools")
	}
	ask.ResponseFormat = &format{Type: "json_object", Schema: want.Schema}
	return nil
}
