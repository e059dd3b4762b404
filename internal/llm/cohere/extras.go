package cohere

import (
	"maps"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/neuron7x/mlsdm-integrations/internal/llm/native"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// maxK is the largest k.
const maxK = 500

// extras translates the fields that only some providers know, and refuses the rest by name.
func (c *Client) extras(ask *request, req *events.ChatRequest) error {
	if len(req.Extra) == 0 {
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(req.Extra)) {
		raw := jsontext.Value(strings.TrimSpace(string(req.Extra[name])))
		if !native.Given(raw) {
			continue
		}
		if err := c.extra(ask, name, raw); err != nil {
			return err
		}
	}
	return nil
}

// extra translates one field. They come in the order of their names.
func (c *Client) extra(ask *request, name string, raw jsontext.Value) error {
	var err error
	switch name {
	case "parallel_tool_calls": // read with the tools
	case "frequency_penalty":
		ask.FrequencyPenalty, err = c.penalty(name, raw)
	case "presence_penalty":
		ask.PresencePenalty, err = c.penalty(name, raw)
	case "top_k":
		ask.K, err = raw, c.topK(raw)
	case "reasoning_effort":
		ask.Thinking, err = c.effort(raw)
	case "thinking":
		switch {
		case ask.Thinking != nil:
			return c.server.Invalid("reasoning_effort and thinking exclude each other")
		case raw.Kind() != '{' || !raw.IsValid():
			return c.server.Invalid("thinking is not an object")
		}
		ask.Thinking = raw
	case "safety_mode":
		var mode string
		ask.SafetyMode, err = raw, c.read.Strict(name, raw, &mode)
	case "priority":
		var priority int
		ask.Priority, err = raw, c.read.Strict(name, raw, &priority)
	case "documents", "citation_options":
		return c.server.Refuse(name, "citations, for which it asks, have no place in the answer; put the texts into the messages")
	default:
		if !native.AsksNothing(name, string(raw)) {
			return c.read.Unknown(name)
		}
	}
	return err
}

// penalty reads a penalty.
func (c *Client) penalty(name string, raw jsontext.Value) (*float64, error) {
	var p float64
	if err := c.read.Strict(name, raw, &p); err != nil {
		return nil, err
	}
	if p < 0 || p > 1 {
		return nil, c.server.Refuse(name, "Cohere takes 0 to 1, this is "+number(p))
	}
	return &p, nil
}

// topK checks top_k.
func (c *Client) topK(raw jsontext.Value) error {
	var k int
	switch err := c.read.Strict("top_k", raw, &k); {
	case err != nil || k < 0:
		return c.server.Invalid("top_k is not a whole number from 0")
	case k > maxK:
		return c.server.Refuse("top_k", "Cohere takes 0 to 500")
	}
	return nil
}

// effort translates reasoning_effort. Cohere thinks or it does not.
func (c *Client) effort(raw jsontext.Value) (jsontext.Value, error) {
	var effort string
	if err := c.read.Strict("reasoning_effort", raw, &effort); err != nil {
		return nil, err
	}
	switch effort {
	case "none":
		return jsontext.Value(`{"type":"disabled"}`), nil
	case "high":
		return jsontext.Value(`{"type":"enabled"}`), nil
	default:
		return nil, c.server.Refuse("reasoning_effort", "Cohere has none and high only; thinking.token_budget bounds how much it thinks")
	}
}
