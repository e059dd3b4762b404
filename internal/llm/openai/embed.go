package openai

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Embed implements [llm.Embedder].
func (c *Client) Embed(ctx context.Context, req llm.EmbedRequest) (llm.EmbedResult, error) {
	var all llm.EmbedResult
	for batch := range slices.Chunk(req.Texts, c.cfg.MaxBatch) {
		part := req
		part.Texts = batch
		var got llm.EmbedResult
		err := c.cfg.Attempts.Do(ctx, func(ctx context.Context) error {
			return c.keyed(ctx, func(key secret.Value) (err error) {
				got, err = c.embed(ctx, key, part)
				return err
			})
		})
		if err != nil {
			return llm.EmbedResult{}, err
		}
		all.Vectors = append(all.Vectors, got.Vectors...)
		all.PromptTokens += got.PromptTokens
	}
	if err := llm.CheckVectors(c.cfg.Provider, all.Vectors, len(req.Texts), req.Dimensions); err != nil {
		return llm.EmbedResult{}, err
	}
	return all, nil
}

// embed makes one request.
func (c *Client) embed(ctx context.Context, key secret.Value, req llm.EmbedRequest) (llm.EmbedResult, error) {
	ask := events.EmbeddingsRequest{Model: req.Model, Input: req.Texts, Dimensions: req.Dimensions, User: req.User}
	if c.cfg.Base64 {
		ask.EncodingFormat = events.EncodingBase64
	}
	body, err := json.Marshal(ask)
	if err != nil {
		return llm.EmbedResult{}, c.adapter.Invalid("the request cannot be written as JSON: %w", err)
	}
	var answer struct {
		Data []struct {
			Index     *int           `json:"index"`
			Embedding jsontext.Value `json:"embedding"`
		} `json:"data"`
		Usage events.EmbeddingsUsage `json:"usage"`
		Error jsontext.Value         `json:"error"`
	}
	if err := c.adapter.Call(ctx, c.adapter.request("/embeddings", key, body), &answer); err != nil {
		return llm.EmbedResult{}, err
	}
	if answer.Data == nil && there(answer.Error) != nil {
		return llm.EmbedResult{}, c.adapter.InBand(wrapError(answer.Error))
	}
	if len(answer.Data) != len(req.Texts) {
		return llm.EmbedResult{}, c.adapter.Bad("%d vectors for %d texts", len(answer.Data), len(req.Texts))
	}
	vectors := make([][]float32, len(req.Texts))
	for i, d := range answer.Data { // in any order: the index decides
		switch {
		case d.Index == nil:
			return llm.EmbedResult{}, c.adapter.Bad("data[%d] has no index", i)
		case *d.Index < 0 || *d.Index >= len(vectors):
			return llm.EmbedResult{}, c.adapter.Bad("data[%d] has index %d of %d texts", i, *d.Index, len(vectors))
		case vectors[*d.Index] != nil:
			return llm.EmbedResult{}, c.adapter.Bad("index %d comes twice", *d.Index)
		}
		vector, err := decodeVector(d.Embedding)
		if err != nil {
			return llm.EmbedResult{}, c.adapter.Bad("data[%d]: %w", i, err)
		}
		vectors[*d.Index] = vector
	}
	if err := llm.CheckVectors(c.cfg.Provider, vectors, len(req.Texts), req.Dimensions); err != nil {
		return llm.EmbedResult{}, err
	}
	return llm.EmbedResult{Vectors: vectors, PromptTokens: max(answer.Usage.PromptTokens, 0)}, nil
}

// wrapError puts an error back where it stood, under "error".
func wrapError(raw []byte) []byte {
	return append(append([]byte(`{"error":`), raw...), '}')
}
