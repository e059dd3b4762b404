package anthropic

import (
	"strconv"
	"strings"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/native"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// body writes the request as the server shall see it, or refuses it.
func (c *Client) body(call *llm.Call, stream bool) ([]byte, error) {
	req := call.Request
	ask := request{Model: call.Model, MaxTokens: c.maxTokens, Temperature: req.Temperature, TopP: req.TopP, Stream: stream}
	if limit, ok := req.TokenLimit(); ok {
		ask.MaxTokens = limit
	}
	if err := c.sampling(&ask, req); err != nil {
		return nil, err
	}
	if err := c.converse(&ask, req.Conversation()); err != nil {
		return nil, err
	}
	if err := c.tools(&ask, req); err != nil {
		return nil, err
	}
	if err := c.format(&ask, req.ResponseFormat); err != nil {
		return nil, err
	}
	if req.User != "" {
		ask.Metadata = &metadata{UserID: req.User}
	}
	if err := c.extras(&ask, req); err != nil {
		return nil, err
	}
	return c.server.Encode(&ask)
}

// sampling checks what decides how the model chooses its words, and takes over where it stops.
func (c *Client) sampling(ask *request, req *events.ChatRequest) error {
	switch {
	case req.Temperature != nil && *req.Temperature > 1:
		return c.server.Refuse("temperature", "Anthropic takes 0 to 1, this is "+strconv.FormatFloat(*req.Temperature, 'g', -1, 64))
	case req.N != nil && *req.N > 1:
		return c.server.Refuse("n", "Anthropic gives one answer to a request; ask several times")
	case req.Seed != nil:
		return c.server.Refuse("seed", "Anthropic's sampling cannot be repeated; leave it out")
	}
	for i, stop := range req.Stop {
		if blank(stop) {
			return c.server.Refuse(native.At("stop", i), "Anthropic stops at no text that is empty or only white space")
		}
	}
	ask.StopSequences = req.Stop
	return nil
}

// blank reports whether a text holds nothing visible. The API refuses such texts.
func blank(text string) bool { return strings.TrimSpace(text) == "" }
