package ollama

import (
	"context"
	"io"
	"strings"

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

// embedded is its answer, while it is read.
type embedded struct {
	rows   vectors.Rows
	tokens []byte
	failed []byte
}

// read reads the answer.
func (e *embedded) read(src io.Reader) error {
	return vectors.Object(src, "embeddings", e.rows.Read, map[string]*[]byte{"prompt_eval_count": &e.tokens, "error": &e.failed})
}

// Embed implements [llm.EmbedAdapter] (POST /api/embed). Ollama knows nothing of what texts are for, so the call's input type is left out:
// models that tell it apart do so by prefixes of the texts.
func (c *Client) Embed(ctx context.Context, call *llm.EmbedCall) (*llm.Embedded, error) {
	if err := call.RefuseOutput(c.server.Provider()); err != nil {
		return nil, err
	}
	if err := call.RefuseTokens(c.server.Provider()); err != nil {
		return nil, err
	}
	body, err := c.server.Encode(&embedding{Model: call.Model, Input: call.Texts, Truncate: call.Truncate, Dimensions: call.Dimensions})
	if err != nil {
		return nil, err
	}
	got := embedded{rows: vectors.Rows{Texts: len(call.Texts)}}
	request := wire.Request{Path: pathEmbed, Body: body, Key: call.Key}
	if err := c.server.Read(ctx, request, vectors.Most(len(call.Texts)), got.read); err != nil {
		return nil, c.wrong(hint(err, call.Model))
	}
	switch {
	case !got.rows.Found && native.Given(got.failed):
		return nil, c.wrong(c.inBand(got.failed))
	case !got.rows.Found:
		return nil, c.server.Bad("it has no embeddings")
	}
	if err := llm.CheckVectors(c.server.Provider(), got.rows.Vectors, len(call.Texts), call.Dimensions); err != nil {
		return nil, llm.FaultOf(err)
	}
	var tokens float64
	if native.Given(got.tokens) {
		if err := c.server.Decode(got.tokens, &tokens); err != nil {
			return nil, err
		}
	}
	return &llm.Embedded{Vectors: got.rows.Vectors, PromptTokens: native.Count(tokens)}, nil
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
