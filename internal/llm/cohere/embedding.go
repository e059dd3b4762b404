package cohere

import (
	"context"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/native"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/vectors"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/wire"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// MaxTexts is how many texts Cohere takes in one call.
const MaxTexts = 96

// path of the embeddings API.
const pathEmbed = "/v2/embed"

// embedding is the body of POST /v2/embed.
type embedding struct {
	Model           string   `json:"model"`
	InputType       string   `json:"input_type"`
	Texts           []string `json:"texts"`
	EmbeddingTypes  []string `json:"embedding_types"`
	OutputDimension int      `json:"output_dimension,omitempty"`
	Truncate        string   `json:"truncate"`
}

// embedded is its answer, while it is read.
type embedded struct {
	typed bool     // it has an object with a list for each type of numbers
	named []string // the lists that are read
	rows  vectors.Rows
	meta  []byte
	said  []byte // the message of an error
}

// read reads the answer.
func (e *embedded) read(src io.Reader) error {
	return vectors.Object(src, "embeddings", func(s *vectors.Scanner) error {
		if kind, err := s.Kind(); err != nil {
			return err
		} else if kind != '{' {
			return s.Skip()
		}
		e.typed = true
		return s.Object(func(name string) error {
			if !slices.Contains(e.named, name) {
				return s.Skip()
			}
			return e.rows.Read(s)
		})
	}, map[string]*[]byte{"meta": &e.meta, "message": &e.said})
}

// Embed implements [llm.EmbedAdapter] (POST /v2/embed).
func (c *Client) Embed(ctx context.Context, call *llm.EmbedCall) (*llm.Embedded, error) {
	ask := embedding{
		Model: call.Model, Texts: call.Texts, EmbeddingTypes: []string{c.form(call.Output)}, OutputDimension: call.Dimensions, Truncate: "NONE",
	}
	if call.Truncate {
		ask.Truncate = "END"
	}
	var err error
	if ask.InputType, err = c.inputType(call.InputType); err != nil {
		return nil, err
	}
	if err := call.RefuseTokens(c.server.Provider()); err != nil {
		return nil, err
	}
	switch {
	case len(call.Texts) > MaxTexts:
		return nil, c.server.TooMuch("these are %d texts; Cohere takes %d at once", len(call.Texts), MaxTexts)
	case call.Output != llm.OutputFloat && !slices.Contains(llm.OutputTypes(), call.Output):
		return nil, call.RefuseOutput(c.server.Provider())
	case call.Dimensions != 0 && !slices.Contains([]int{256, 512, 1024, 1536}, call.Dimensions):
		return nil, c.server.Refuse("dimensions", "Cohere has 256, 512, 1024 and 1536")
	}
	body, err := c.server.Encode(&ask)
	if err != nil {
		return nil, err
	}
	got := embedded{named: []string{string(call.Output)}, rows: vectors.Rows{Texts: len(call.Texts)}}
	if call.Output == llm.OutputFloat { // whichever of its forms was asked for
		got.named, got.rows.Base64 = []string{typeFloat, typeBase64}, true
	}
	request := wire.Request{Path: pathEmbed, Body: body, Key: call.Key}
	if err := c.server.Read(ctx, request, vectors.Most(len(call.Texts)), got.read); err != nil {
		return nil, err
	}
	switch {
	case !got.typed && native.Given(got.said):
		return nil, c.server.InBand(append(append([]byte(`{"message":`), got.said...), '}'))
	case !got.typed:
		return nil, c.server.Bad("it has no embeddings by type")
	case !got.rows.Found:
		return nil, c.server.Bad("it has no embeddings.%s", c.form(call.Output))
	}
	if err := widen(call.Output, got.rows.Vectors); err != nil {
		return nil, c.server.Bad("embeddings.%s: %s", call.Output, err)
	}
	if err := llm.CheckVectors(c.server.Provider(), got.rows.Vectors, len(call.Texts), call.Dimensions); err != nil {
		return nil, llm.FaultOf(err)
	}
	tokens, err := c.billed(got.meta)
	if err != nil {
		return nil, err
	}
	return &llm.Embedded{Vectors: got.rows.Vectors, PromptTokens: tokens}, nil
}

// billed is the number of tokens on the bill; 0 where it does not say.
func (c *Client) billed(meta []byte) (int, error) {
	if !native.Given(meta) {
		return 0, nil
	}
	var got struct {
		Billed struct {
			InputTokens *float64 `json:"input_tokens"`
		} `json:"billed_units"`
	}
	if err := c.server.Decode(meta, &got); err != nil {
		return 0, err
	}
	return count(got.Billed.InputTokens), nil
}

// EmbedLimits implements [llm.EmbedAdapter]. Cohere does not tell them; they are what its reference says.
func (c *Client) EmbedLimits(context.Context, string, secret.Value) (llm.EmbedLimits, error) {
	return llm.EmbedLimits{Items: MaxTexts}, nil
}

// inputType is Cohere's word for what texts are for, which it always wants.
func (c *Client) inputType(ours string) (string, error) {
	switch ours {
	case events.InputQuery:
		return "search_query", nil
	case events.InputDocument, "":
		return "search_document", nil
	case events.InputClassification, events.InputClustering:
		return ours, nil
	default:
		return "", c.server.Refuse("input_type", "Cohere has query, document, classification and clustering")
	}
}

// understand knows the texts with which Cohere says that a text to embed is too long.
func understand(f *llm.Failure) {
	if f.Status != http.StatusBadRequest && f.Status != http.StatusUnprocessableEntity {
		return
	}
	said := strings.ReplaceAll(strings.ToLower(f.Message), "context", "") // which is of conversations
	about := func(words ...string) bool {
		return slices.ContainsFunc(words, func(word string) bool { return strings.Contains(said, word) })
	}
	if about("text") && about("token", "length") && about("exceed", "too long", "longer than") && !about("max_tokens") {
		f.Reasons = append(f.Reasons, llm.ReasonTooLong)
	}
}
