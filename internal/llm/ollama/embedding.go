package ollama

import (
	"context"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/native"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/vectors"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/wire"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
)

// path of the embeddings API.
const pathEmbed = "/api/embed"

// embedding is the body of POST /api/embed.
type embedding struct {
	Model string   `json:"model"`
	Input []string `json:"input"`
	// Truncate is always sent: Ollama cuts in silence unless it is false.
	Truncate   bool `json:"truncate"`
	Dimensions int  `json:"dimensions,omitempty"`
}

// embedded is its answer.
type embedded struct {
	Embeddings  vectors.Lists  `json:"embeddings"`
	PromptCount *float64       `json:"prompt_eval_count"`
	Error       jsontext.Value `json:"error"`
}

// Embed implements [llm.EmbedAdapter] (POST /api/embed). Ollama knows nothing of what texts are for, so the call's input type is left out:
// models that tell it apart do so by prefixes of the texts.
func (c *Client) Embed(ctx context.Context, call *llm.EmbedCall) (*llm.Embedded, error) {
	body, err := c.server.Encode(&embedding{Model: call.Model, Input: call.Texts, Truncate: call.Truncate, Dimensions: call.Dimensions})
	if err != nil {
		return nil, err
	}
	got := embedded{Embeddings: vectors.Lists{Most: len(call.Texts)}}
	if err := c.server.Call(ctx, wire.Request{Path: pathEmbed, Body: body, Key: call.Key}, &got); err != nil {
		return nil, c.wrong(hint(err, call.Model))
	}
	list := &got.Embeddings
	switch {
	case list.Depth == 0 && native.Given(got.Error):
		return nil, c.wrong(c.inBand(got.Error))
	case list.Err != nil:
		return nil, c.server.Bad("embeddings: %w", list.Err)
	case list.Depth == 0:
		return nil, c.server.Bad("it has no embeddings")
	case list.Depth != 2: //nolint:mnd // a list of vectors
		return nil, c.server.Bad("embeddings is nested %d deep instead of 2", list.Depth)
	}
	if err := llm.CheckVectors(c.server.Provider(), list.Rows, len(call.Texts), call.Dimensions); err != nil {
		return nil, llm.FaultOf(err)
	}
	return &llm.Embedded{Vectors: list.Rows, PromptTokens: count(got.PromptCount)}, nil
}

// maxTexts is how many vectors, of the longest that there are, fit an answer that is read.
const maxTexts = 512

// EmbedLimits implements [llm.EmbedAdapter]. Ollama itself has none: it works through a long list one text after the other.
func (c *Client) EmbedLimits(context.Context, string, secret.Value) (llm.EmbedLimits, error) {
	return llm.EmbedLimits{Items: maxTexts}, nil
}

// wrong is the fault of an answer where the server failed only at writing what the model has made of a text: it will fail the same way
// again.
func (c *Client) wrong(err error) error {
	fault := llm.FaultOf(err)
	if fault.Class == llm.ClassProvider && strings.Contains(fault.Err.Message, "unsupported value: NaN") {
		return c.server.Bad("a vector holds a number that is not finite, which the server cannot write")
	}
	return fault
}

// understand knows the failures for which Ollama has only a text, whatever their status: versions differ in it.
func understand(f *llm.Failure) {
	for _, known := range [...]struct{ words, reason string }{
		{"exceeds the context length", llm.ReasonTooLong},
		{"exceeds maximum context length", llm.ReasonTooLong},
		{"exceed_context_size_error", llm.ReasonTooLong}, // of the runner, whose answer is quoted
		{"does not support embeddings", llm.ReasonUnsupported},
	} {
		if strings.Contains(f.Message, known.words) {
			f.Reasons = append(f.Reasons, known.reason)
			return
		}
	}
}
