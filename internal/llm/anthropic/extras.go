package anthropic

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/native"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// format translates response_format.
func (c *Client) format(ask *request, raw json.RawMessage) error {
	want, err := c.read.ReadFormat(raw)
	switch {
	case err != nil || !want.JSON:
		return err
	case want.Schema == nil:
		return c.server.Refuse("response_format.type", "Anthropic knows text and json_schema only; describe the JSON by a schema")
	}
	ask.OutputConfig = &outputConfig{Format: &format{Type: "json_schema", Schema: want.Schema}}
	return nil
}

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
	return c.effort(ask, req.Extra["reasoning_effort"])
}

// extra translates one field.
func (c *Client) extra(ask *request, name string, raw jsontext.Value) error {
	switch name {
	case "parallel_tool_calls", "reasoning_effort": // read elsewhere
		return nil
	case "thinking":
		ask.Thinking = raw
		return c.object(name, raw)
	case "cache_control":
		ask.CacheControl = raw
		return c.object(name, raw)
	case "top_k":
		ask.TopK = raw
		var k int
		if err := c.read.Strict(name, raw, &k); err != nil || k < 0 {
			return c.server.Invalid("top_k is not a whole number from 0")
		}
		return nil
	case "service_tier":
		return c.tier(ask, raw)
	case "safety_identifier":
		var id string
		if err := c.read.Strict(name, raw, &id); err != nil {
			return err
		}
		if ask.Metadata != nil && ask.Metadata.UserID != id {
			return c.server.Invalid("user and safety_identifier are two names of the same and differ")
		}
		ask.Metadata = &metadata{UserID: id}
		return nil
	default:
		if native.AsksNothing(name, string(raw)) {
			return nil
		}
		return c.read.Unknown(name)
	}
}

// object checks that a field which is passed on as it is has the form of an object.
func (c *Client) object(name string, raw jsontext.Value) error {
	if raw.Kind() != '{' || !raw.IsValid() {
		return c.server.Invalid("%s is not an object", name)
	}
	return nil
}

// tier translates service_tier, in OpenAI's words or Anthropic's.
func (c *Client) tier(ask *request, raw jsontext.Value) error {
	var tier string
	if err := c.read.Strict("service_tier", raw, &tier); err != nil {
		return err
	}
	switch tier {
	case "auto", "standard_only":
		ask.ServiceTier = tier
	case "default":
		ask.ServiceTier = "standard_only"
	default:
		return c.server.Refuse("service_tier", "Anthropic has auto and standard_only, which is OpenAI's default")
	}
	return nil
}

// effort translates reasoning_effort.
func (c *Client) effort(ask *request, raw json.RawMessage) error {
	if !llm.Given(raw) {
		return nil
	}
	var effort string
	if err := c.read.Strict("reasoning_effort", raw, &effort); err != nil {
		return err
	}
	switch effort {
	case "low", "medium", "high", "xhigh", "max":
		if ask.OutputConfig == nil {
			ask.OutputConfig = &outputConfig{}
		}
		ask.OutputConfig.Effort = effort
	case "none":
		if ask.Thinking != nil {
			return c.server.Invalid(`reasoning_effort "none" and thinking exclude each other`)
		}
		ask.Thinking = jsontext.Value(`{"type":"disabled"}`)
	default: // minimal among them
		return c.server.Refuse("reasoning_effort", "Anthropic has none, low, medium, high, xhigh and max")
	}
	return nil
}
