package embedder_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm/llmtest"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/embedder/internal/shape"
)

// everyProtocol has a provider for each protocol that has a server, all of them with one model.
const everyProtocol = `
providers:
  openai: {base_url: "$m/v1", keys: ["$key"]}
  azure: {protocol: azure, base_url: "$azure/v1", keys: ["$key"]}
  cohere: {base_url: "$m/v2", keys: ["$key"]}
  huggingface: {base_url: "$m/v1", keys: ["$key"]}
  tei: {base_url: "$m"}
  ollama: {base_url: "$m"}
`

// TestEveryProtocol is spoken where its servers listen, and what is answered is the same, whether as numbers or in base64.
func TestEveryProtocol(t *testing.T) {
	t.Parallel()
	r := serve(t, everyProtocol)
	m := r.model(t, "m")
	for name, path := range map[string]string{
		"openai": "/v1/embeddings", "cohere": "/v2/embed", "huggingface": "/hf-inference/models/org/m/pipeline/feature-extraction", "tei": "/embed",
		"ollama": "/api/embed",
	} {
		model := name + "/m"
		if name == "huggingface" {
			model = name + "/org/m"
		}
		texts := []string{"a", "b of " + name}
		for _, format := range []string{"", events.EncodingFloat, events.EncodingBase64} {
			res := r.embed(t, model, texts, "encoding_format", format)
			require.Equal(t, normals(texts, 8), vectors(res), name)
			for i := range res.Data {
				require.Equal(t, i, res.Data[i].Index)
				require.Equal(t, format == events.EncodingBase64, res.Data[i].Embedding.Base64)
			}
			require.Equal(t, &events.EmbeddingSpace{ID: model + "/8", Model: model, Dimensions: 8, Normalized: true}, res.Space)
		}
		require.Equal(t, path, m.last().Path)
		require.Equal(t, texts, m.last().Texts)
		if name != "tei" && name != "ollama" {
			require.Equal(t, llmtest.Key, m.last().Key, name)
		}
	}
}

// TestShorterVectors are made by who can: by the provider, or here out of the whole ones. Their length is 1 again.
func TestShorterVectors(t *testing.T) {
	t.Parallel()
	r := serve(t, everyProtocol+`
models:
  ollama/m: {matryoshka: true}
  huggingface/m: {matryoshka: [2, 4]}
  plain: {targets: [huggingface/plain], dimensions: 8}
`)
	m := r.model(t, "m")
	cut, _ := shape.Normalize(llmtest.Vector("a", 8)[:4])
	for _, model := range []string{"ollama/m", "huggingface/m"} {
		for range 2 {
			res := r.embed(t, model, []string{"a"}, "dimensions", 4)
			require.Equal(t, cut, res.Data[0].Embedding.Values, model)
			require.InDelta(t, 1, cosine(cut, cut), 1e-6)
			require.Equal(t, model+"/4", res.Space.ID)
		}
		require.NotContains(t, m.last().Fields, "dimensions", "the whole is asked for")
		require.Equal(t, normal("a", 8), r.embed(t, model, []string{"a"}, "dimensions", 8).Data[0].Embedding.Values)
	}
	res := r.embed(t, "openai/text-embedding-new", []string{"a"}, "dimensions", 4)
	require.InDelta(t, 4, m.last().Fields["dimensions"], 0, "the provider is asked to")
	require.Equal(t, normal("a", 4), res.Data[0].Embedding.Values)

	failure := r.refused(t, "huggingface/m", []string{"a"}, "dimensions", 3)
	require.Equal(t, events.CodeUnsupported, failure.Code)
	require.Contains(t, failure.Message, "2, 4")
	failure = r.refused(t, "plain", []string{"a"}, "dimensions", 4)
	require.Equal(t, events.CodeUnsupported, failure.Code)
	require.Contains(t, failure.Message, "matryoshka: true")
	failure = r.refused(t, "ollama/m", []string{"a"}, "dimensions", 9)
	require.Equal(t, events.CodeInvalidArgument, failure.Code)
	require.Contains(t, failure.Message, "have 8")
}

// TestWhatTextsAreFor is told to the model as it wants to hear it: in front of the text, by a name of its own, or in a field.
func TestWhatTextsAreFor(t *testing.T) {
	t.Parallel()
	r := serve(t, `
providers:
  tei: {base_url: "$m", options: {prompt_query: search}}
  cohere: {base_url: "$m/v2", keys: ["$key"]}
models:
  e5: {targets: [tei/e5], prefixes: {query: "query: ", document: "passage: "}}
`)
	m := r.model(t, "m")
	res := r.embed(t, "e5", []string{"a"}, "input_type", events.InputQuery)
	require.Equal(t, normal("query: a", 8), res.Data[0].Embedding.Values)
	require.Equal(t, "search", m.last().Fields["prompt_name"])
	document := r.embed(t, "e5", []string{"a"}, "input_type", events.InputDocument)
	require.Equal(t, normal("passage: a", 8), document.Data[0].Embedding.Values)
	require.NotContains(t, m.last().Fields, "prompt_name")
	require.Equal(t, res.Space, document.Space, "both lie in one space")
	require.Equal(t, normal("a", 8), r.embed(t, "e5", []string{"a"}).Data[0].Embedding.Values)

	for ours, theirs := range map[string]string{
		events.InputQuery: "search_query", events.InputDocument: "search_document", events.InputClassification: "classification",
		events.InputClustering: "clustering",
	} {
		r.embed(t, "cohere/m", []string{"a"}, "input_type", ours)
		require.Equal(t, theirs, m.last().Fields["input_type"])
	}
	count := len(m.requests())
	r.embed(t, "cohere/m", []string{"a"}, "input_type", events.InputQuery)
	require.Len(t, m.requests(), count, "each is kept for itself")
}

// TestVectorsAsTheyAre, if the operator wants them so, lie in a space of their own.
func TestVectorsAsTheyAre(t *testing.T) {
	t.Parallel()
	r := serve(t, `
providers: {tei: {base_url: "$m"}}
models: {raw: {targets: [tei/m], normalize: false, revision: "3"}}
`)
	for range 2 {
		res := r.embed(t, "raw", []string{"a"})
		require.Equal(t, llmtest.Vector("a", 8), res.Data[0].Embedding.Values)
		require.Equal(t, &events.EmbeddingSpace{ID: "tei/m@3/8/raw", Model: "tei/m", Revision: "3", Dimensions: 8}, res.Space)
	}
}

// TestWhatAProviderAnswersWrongly is an error, and never a vector; what it said before still holds.
func TestWhatAProviderAnswersWrongly(t *testing.T) {
	t.Parallel()
	r := serve(t, `providers: {tei: {base_url: "$m", retries: 0}}`)
	m := r.model(t, "m")
	r.embed(t, "tei/m", []string{"known"})
	for name, answer := range map[string]string{
		"too few":      `[]`,
		"too many":     `[[1,2,3,4,5,6,7,8],[1,2,3,4,5,6,7,8]]`,
		"zeros":        `[[0,0,0,0,0,0,0,0]]`,
		"tokens":       `[[[1,2,3,4,5,6,7,8]]]`,
		"null":         `[[1,2,3,null,5,6,7,8]]`,
		"out of range": `[[1e39,2,3,4,5,6,7,8]]`,
		"text":         `["AACAPwAAAEA="]`,
		"cut off":      `[[1,2,3`,
	} {
		m.answer(func(w http.ResponseWriter, _ *http.Request, _ asked) bool {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(answer)) // who has gone does not read it
			return true
		})
		res := r.embed(t, "tei/m", []string{"known", "text " + name})
		require.Equal(t, 1, res.Failed, name)
		require.Equal(t, normal("known", 8), res.Data[0].Embedding.Values)
		require.Empty(t, res.Data[1].Embedding.Values)
		require.Equal(t, "tei", res.Data[1].Error.Provider, name)
		require.NotContains(t, res.Data[1].Error.Message, m.URL, name)
	}
}
