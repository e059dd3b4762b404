package tei

import (
	"context"
	"net/http"
	"strconv"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/vectors"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/wire"
)

// embedding is the body of POST /embed.
type embedding struct {
	Inputs []string `json:"inputs"`
	// Normalize and Truncate are always sent: what the server does without them depends on how it was started.
	Normalize  bool   `json:"normalize"`
	Truncate   bool   `json:"truncate"`
	PromptName string `json:"prompt_name,omitempty"`
	Dimensions int    `json:"dimensions,omitempty"`
}

// Embed implements [llm.EmbedAdapter] (POST /embed).
func (c *Client) Embed(ctx context.Context, call *llm.EmbedCall) (*llm.Embedded, error) {
	body, err := c.server.Encode(&embedding{
		Inputs: call.Texts, Normalize: !c.cfg.Raw, Truncate: call.Truncate, PromptName: c.cfg.Prompts[call.InputType], Dimensions: call.Dimensions,
	})
	if err != nil {
		return nil, err
	}
	list, tokens := vectors.Lists{Most: len(call.Texts)}, 0
	if err := c.server.Call(ctx, wire.Request{
		Path: "/embed", Body: body, Key: call.Key, Header: c.cfg.Header, Heard: func(h http.Header) { tokens = counted(h) },
	}, &list); err != nil {
		return nil, err
	}
	switch {
	case wire.ReadError(list.Other).Message != "": // nothing that is documented, but a proxy may do so
		return nil, c.server.InBand(list.Other)
	case list.Err != nil:
		return nil, c.server.Bad("%w", list.Err)
	case list.Depth != 2: //nolint:mnd // a list of vectors
		return nil, c.server.Bad("it is nested %d deep instead of 2", list.Depth)
	}
	if err := llm.CheckVectors(c.server.Provider(), list.Rows, len(call.Texts), call.Dimensions); err != nil {
		return nil, llm.FaultOf(err)
	}
	return &llm.Embedded{Vectors: list.Rows, PromptTokens: tokens}, nil
}

// counted is the number of tokens of all texts, which the server tells in a header; 0 where it does not.
func counted(h http.Header) int {
	n, err := strconv.ParseInt(h.Get("X-Compute-Tokens"), 10, 32)
	if err != nil {
		return 0
	}
	return int(max(n, 0))
}
