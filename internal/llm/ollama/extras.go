package ollama

import (
	"maps"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/neuron7x/mlsdm-integrations/internal/llm/native"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

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
	o := &ask.Options
	switch name {
	case "parallel_tool_calls": // read with the tools
		return nil
	case "top_k":
		return c.whole(&o.TopK, name, raw)
	case "num_ctx":
		return c.whole(&o.NumCtx, name, raw)
	case "min_p":
		return c.number(&o.MinP, name, raw)
	case "frequency_penalty":
		return c.number(&o.FrequencyPenalty, name, raw)
	case "presence_penalty":
		return c.number(&o.PresencePenalty, name, raw)
	case "repeat_penalty":
		return c.number(&o.RepeatPenalty, name, raw)
	case "keep_alive":
		if kind := raw.Kind(); kind != '"' && kind != '0' || !raw.IsValid() {
			return c.server.Invalid(`keep_alive is neither a duration such as "5m" nor a number of seconds`)
		}
		ask.KeepAlive = raw
		return nil
	case "reasoning_effort":
		return c.effort(ask, raw)
	case "think":
		switch kind := raw.Kind(); {
		case ask.Think != nil:
			return c.server.Invalid("reasoning_effort and think exclude each other")
		case kind != '"' && kind != 't' && kind != 'f' || !raw.IsValid():
			return c.server.Invalid("think is neither a boolean nor a level")
		}
		ask.Think = raw
		return nil
	default:
		if native.AsksNothing(name, string(raw)) {
			return nil
		}
		return c.read.Unknown(name)
	}
}

// whole takes over a whole number from 0.
func (c *Client) whole(out *jsontext.Value, name string, raw jsontext.Value) error {
	var n int
	if err := c.read.Strict(name, raw, &n); err != nil || n < 0 {
		return c.server.Invalid("%s is not a whole number from 0", name)
	}
	*out = raw
	return nil
}

// number takes over a number.
func (c *Client) number(out *jsontext.Value, name string, raw jsontext.Value) error {
	var n float64
	if err := c.read.Strict(name, raw, &n); err != nil {
		return err
	}
	*out = raw
	return nil
}

// effort translates reasoning_effort.
func (c *Client) effort(ask *request, raw jsontext.Value) error {
	var effort string
	if err := c.read.Strict("reasoning_effort", raw, &effort); err != nil {
		return err
	}
	switch effort {
	case "none":
		ask.Think = jsontext.Value("false")
	case "low", "medium", "high", "max":
		ask.Think = raw
	default:
		return c.server.Refuse("reasoning_effort", "Ollama has none, low, medium, high and max")
	}
	return nil
}
