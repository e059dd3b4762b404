package embedder

import (
	"context"
	"log/slog"

	"github.com/neuron7x/mlsdm-integrations/internal/cache"
	"github.com/neuron7x/mlsdm-integrations/internal/door"
	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// worker does one embeddings request, whichever door it came through.
type worker struct {
	models       *llm.Providers[source]
	defaultModel string
	cache        *cache.Namespace
	log          *slog.Logger
}

// work implements [door.Worker].
func (w *worker) work(ctx context.Context, call *door.Call) ([]byte, error) {
	req, err := events.ParseEmbeddingsRequest(call.Body)
	if err != nil {
		return nil, err
	}
	if err := req.Validate(); err != nil {
		return nil, err
	}
	if req.Model == "" {
		req.Model = w.defaultModel
	}
	src, provider, name, err := w.models.Resolve(req.Model)
	if err != nil {
		return nil, err
	}
	call.Report.Model, call.Report.Inputs = req.Model, len(req.Input)

	ask := llm.EmbedRequest{Model: name, Texts: req.Input, Dimensions: req.Dimensions, User: req.User}
	var result llm.EmbedResult
	cached := 0
	if src.address == "" || w.cache == nil {
		result, err = src.Embed(ctx, ask)
	} else {
		result, cached, err = w.embed(ctx, src, ask, provider, call.Caller)
	}
	if err != nil {
		return nil, err
	}
	call.Report.CachedInputs = cached
	call.Report.PromptTokens, call.Report.TotalTokens = result.PromptTokens, result.PromptTokens
	return reply(&req, result, call.Limit)
}

// embed answers from the cache and the provider together, and reports how many texts the cache had.
func (w *worker) embed(ctx context.Context, src source, ask llm.EmbedRequest, provider, caller string) (llm.EmbedResult, int, error) {
	keys := make([]string, len(ask.Texts))
	for i, text := range ask.Texts {
		keys[i] = cache.VectorKey{
			Caller: caller, Model: provider + "/" + ask.Model, Source: src.address, Dimensions: ask.Dimensions, Text: text,
		}.String()
	}
	known := w.lookup(ctx, keys)
	result, cached, err := w.fill(ctx, src, ask, keys, known)
	if err == nil && cached > 0 && llm.CheckVectors(provider, result.Vectors, len(keys), ask.Dimensions) != nil {
		// Old and new do not fit together: another model has come to stand behind the name.
		result, cached, err = w.fill(ctx, src, ask, keys, make(map[string][]float32))
	}
	return result, cached, err
}

// fill asks the provider for the texts whose vectors are not known, for each once, and keeps what it answers.
func (w *worker) fill(ctx context.Context, src source, ask llm.EmbedRequest, keys []string, known map[string][]float32) (llm.EmbedResult, int, error) {
	cached := 0
	missing := ask
	missing.Texts = nil
	var asked []string // the keys of missing.Texts
	for i, key := range keys {
		if v, seen := known[key]; v != nil {
			cached++
		} else if !seen {
			known[key] = nil // asked for already, when the same text comes again
			missing.Texts, asked = append(missing.Texts, ask.Texts[i]), append(asked, key)
		}
	}
	result := llm.EmbedResult{Vectors: make([][]float32, len(keys))}
	if len(asked) > 0 {
		fresh, err := src.Embed(ctx, missing)
		if err != nil {
			return llm.EmbedResult{}, cached, err
		}
		result.PromptTokens = fresh.PromptTokens
		values := make([][]byte, len(asked))
		for i, key := range asked {
			known[key] = fresh.Vectors[i]
			values[i] = cache.EncodeVector(fresh.Vectors[i])
		}
		w.cache.SetMulti(ctx, asked, values)
	}
	for i, key := range keys {
		result.Vectors[i] = known[key]
	}
	return result, cached, nil
}

// lookup returns the vectors that the cache has. One that cannot be read is as good as absent.
func (w *worker) lookup(ctx context.Context, keys []string) map[string][]float32 {
	vectors := make(map[string][]float32, len(keys))
	for i, value := range w.cache.GetMulti(ctx, keys) {
		if value == nil {
			continue
		}
		key := keys[i]
		v, err := cache.DecodeVector(value)
		if err != nil {
			w.log.WarnContext(ctx, "a cached vector was thrown away", "key", key, "err", err)
			continue
		}
		vectors[key] = v
	}
	return vectors
}

// reply writes the reply, and says what would fit when it is too large to be sent.
func reply(req *events.EmbeddingsRequest, result llm.EmbedResult, limit int) ([]byte, error) {
	res := events.EmbeddingsResponse{
		Object: "list", Model: req.Model, Data: make([]events.Embedding, len(result.Vectors)),
		Usage: events.EmbeddingsUsage{PromptTokens: result.PromptTokens, TotalTokens: result.PromptTokens},
	}
	packed := req.EncodingFormat == events.EncodingBase64
	for i, v := range result.Vectors {
		res.Data[i] = events.Embedding{Object: "embedding", Index: i, Embedding: events.Vector{Values: v, Base64: packed}}
	}
	body, err := encode(&res)
	if err != nil {
		return nil, err
	}
	if len(body) <= limit {
		return body, nil
	}
	each := len(body)/len(res.Data) + 1
	hint := ""
	if !packed {
		hint = `, or about twice as many with "encoding_format": "base64"`
	}
	return nil, events.Errorf(events.CodeInvalidArgument, "the reply has %d bytes; one message takes at most %d: about %d texts of this model fit%s",
		len(body), limit, limit/each, hint)
}
