package tei

import (
	"context"
	"io"
	"net/http"
	"strconv"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/vectors"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/wire"
)

// embedding is the body of POST /embed.
type embedding struct {
	// Inputs are texts, or lists of token ids.
	Inputs any `json:"inputs"`
	// Normalize and Truncate are always sent: what the server does without them depends on how it was started.
	Normalize  bool   `json:"normalize"`
	Truncate   bool   `json:"truncate"`
	PromptName string `json:"prompt_name,omitempty"`
	Dimensions int    `json:"dimensions,omitempty"`
}

// Embed implements [llm.EmbedAdapter] (POST /embed). The server adds no tokens of its own to ids, and so cannot put a prompt before them.
func (c *Client) Embed(ctx context.Context, call *llm.EmbedCall) (*llm.Embedded, error) {
	if err := call.RefuseOutput(c.server.Provider()); err != nil {
		return nil, err
	}
	ask := embedding{
		Inputs: call.Texts, Normalize: !c.cfg.Raw, Truncate: call.Truncate, PromptName: c.cfg.Prompts[call.InputType], Dimensions: call.Dimensions,
	}
	if len(call.Tokens) > 0 {
		if ask.PromptName != "" {
			return nil, c.server.Refuse("input", "a prompt belongs before each text, and cannot be put before token ids; send the texts themselves")
		}
		ask.Inputs = call.Tokens
	}
	body, err := c.server.Encode(&ask)
	if err != nil {
		return nil, err
	}
	asking, connection := ctx, uint64(0)
	if c.cfg.Identify {
		asking = c.count(ctx, &connection)
	}
	got, tokens := embedded{rows: vectors.Rows{Texts: call.Count()}}, 0
	request := wire.Request{Path: "/embed", Body: body, Key: call.Key, Header: c.cfg.Header, Heard: func(h http.Header) { tokens = counted(h) }}
	if err := c.server.Read(asking, request, vectors.Most(call.Count()), got.read); err != nil {
		return nil, err
	}
	switch {
	case wire.ReadError(got.other).Message != "": // nothing that is documented, but a proxy may do so
		return nil, c.server.InBand(got.other)
	case !got.rows.Found:
		return nil, c.server.Bad("it is no list of vectors")
	}
	if err := llm.CheckVectors(c.server.Provider(), got.rows.Vectors, call.Count(), call.Dimensions); err != nil {
		return nil, llm.FaultOf(err)
	}
	answer := &llm.Embedded{Vectors: got.rows.Vectors, PromptTokens: tokens}
	if c.cfg.Identify {
		if answer.Served, err = c.served(ctx, call.Key, connection); err != nil {
			return nil, err
		}
	}
	return answer, nil
}

// embedded is an answer, while it is read.
type embedded struct {
	rows  vectors.Rows
	other []byte // what it is instead of a list
}

// read reads the answer.
func (e *embedded) read(src io.Reader) error {
	s := vectors.NewScanner(src)
	kind, err := s.Kind()
	switch {
	case err != nil:
	case kind == '[':
		err = e.rows.Read(s)
	default:
		e.other, err = s.Raw(maxOther)
	}
	if err != nil {
		return err
	}
	return s.End()
}

// maxOther bounds what is read of an answer that is no list, in bytes.
const maxOther = 64 << 10

// counted is the number of tokens of all texts, which the server tells in a header; 0 where it does not.
func counted(h http.Header) int {
	n, err := strconv.ParseInt(h.Get("X-Compute-Tokens"), 10, 32)
	if err != nil {
		return 0
	}
	return int(max(n, 0))
}
