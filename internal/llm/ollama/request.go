package ollama

import (
	"github.com/go-json-experiment/json/jsontext"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/native"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// body writes the request as the server shall see it, or refuses it.
func (c *Client) body(call *llm.Call, stream bool) ([]byte, error) {
	req := call.Request
	ask := request{Model: call.Model, Stream: stream, Options: options{
		Temperature: req.Temperature, TopP: req.TopP, Seed: req.Seed, Stop: req.Stop,
	}}
	ask.Options.NumPredict, _ = req.TokenLimit() // 0, which is no limit, is left out
	switch {
	case req.N != nil && *req.N > 1:
		return nil, c.server.Refuse("n", "Ollama gives one answer to a request; ask several times")
	case req.User != "":
		return nil, c.read.Unknown("user")
	}
	for i, stop := range req.Stop {
		if stop == "" {
			return nil, c.server.Refuse(native.At("stop", i), "Ollama does not stop at an empty text")
		}
	}
	var err error
	if ask.Messages, err = c.converse(req.Conversation()); err != nil {
		return nil, err
	}
	if err := c.tools(&ask, req); err != nil {
		return nil, err
	}
	want, err := c.read.ReadFormat(req.ResponseFormat)
	switch {
	case err != nil:
		return nil, err
	case want.Schema != nil:
		ask.Format = want.Schema
	case want.JSON:
		ask.Format = jsontext.Value(`"json"`)
	}
	if err := c.extras(&ask, req); err != nil {
		return nil, err
	}
	return c.server.Encode(&ask)
}

// tools translates the functions that the model may call. Whether it does is its own affair.
func (c *Client) tools(ask *request, req *events.ChatRequest) error {
	tools, err := c.read.ReadTools(req)
	switch {
	case err != nil:
		return err
	case tools.Named, tools.Choice == native.ChoiceRequired:
		return c.server.Refuse("tool_choice", "Ollama cannot be held to a call; it knows auto and none")
	case tools.One:
		return c.server.Refuse("parallel_tool_calls", "Ollama cannot be held to one call at a time")
	case tools.Choice == native.ChoiceNone: // what is not there cannot be called
		return nil
	}
	for i := range tools.Functions {
		f := &tools.Functions[i]
		if f.Strict {
			return c.server.Refuse(native.At("tools", i)+".function.strict", "Ollama does not hold arguments to a schema")
		}
		ask.Tools = append(ask.Tools, tool{Type: "function", Function: declared{f.Name, f.Description, f.Parameters}})
	}
	return nil
}
