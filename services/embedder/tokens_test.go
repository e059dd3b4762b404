package embedder_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/door/doortest"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/llmtest"
	"github.com/neuron7x/mlsdm-integrations/pkg/client"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// openAI is a server that speaks its protocol.
const openAI = `providers: {house: {protocol: openai, base_url: "$house/v1", retries: 0}}`

// idsBody writes a request whose input is token ids, in any form.
func idsBody(t testing.TB, model string, input any, fields ...any) []byte {
	t.Helper()
	var all map[string]any
	require.NoError(t, json.Unmarshal(body(t, model, nil, fields...), &all))
	all["input"] = input
	text, err := json.Marshal(all)
	require.NoError(t, err)
	return text
}

// embedIDs asks on the interactive door with token ids, for an answer without error.
func (r *rig) embedIDs(t testing.TB, model string, input any, fields ...any) events.EmbeddingsResponse {
	t.Helper()
	m := r.Ask(t, interactive, idsBody(t, model, input, fields...))
	if err := m.Err(); err != nil {
		require.NoError(t, err)
	}
	return doortest.JSON[events.EmbeddingsResponse](t, m)
}

// ofIDs are the vectors that a [model] has for token ids.
func ofIDs(lists ...[]int32) [][]float32 {
	all := make([][]float32, len(lists))
	for i, ids := range lists {
		all[i] = normal(fmt.Sprint(ids), llmtest.ServerDimensions)
	}
	return all
}

// TestTokenIDs go to the provider as they are, in both forms, and what is the same is asked for once.
func TestTokenIDs(t *testing.T) {
	t.Parallel()
	r := serve(t, openAI)
	m := r.model(t, "house")
	require.Equal(t, ofIDs([]int32{9906, 0, 2147483647}), vectors(r.embedIDs(t, "house/m", []int32{9906, 0, 2147483647})))
	require.Equal(t, []any{[]any{9906.0, 0.0, 2147483647.0}}, m.last().Fields["input"])
	require.Equal(t, 1, r.Processed(t).Inputs)

	res := r.embedIDs(t, "house/m", [][]int32{{1}, {2, 3}, {1}}, "dimensions", 4, "user", "u")
	require.Equal(t, []any{[]any{1.0}, []any{2.0, 3.0}}, m.last().Fields["input"], "the same is asked for once")
	require.Equal(t, "u", m.last().Fields["user"])
	require.Len(t, res.Data, 3)
	require.Equal(t, res.Data[0].Embedding, res.Data[2].Embedding)
	require.NotEqual(t, res.Data[0].Embedding, res.Data[1].Embedding)
	require.Equal(t, 3, r.Processed(t).Inputs)
}

// TestTokenIDsByTheClient: programs in Go write them as a field of the request.
func TestTokenIDsByTheClient(t *testing.T) {
	t.Parallel()
	r := serve(t, openAI)
	connected, err := client.Connect(t.Context(), r.Server.URL())
	require.NoError(t, err)
	t.Cleanup(connected.Close)
	res, err := connected.Embed(t.Context(), events.EmbeddingsRequest{Model: "house/m", Tokens: events.TokenInput{{5, 6}, {7}}})
	require.NoError(t, err)
	require.Equal(t, ofIDs([]int32{5, 6}, []int32{7}), vectors(*res))
	_, err = connected.Embed(t.Context(), events.EmbeddingsRequest{Model: "house/m", Tokens: events.TokenInput{{5}}, Input: events.TextInput{"a"}})
	require.Equal(t, events.CodeInvalidArgument, events.CodeOf(err))
}

// TestTokenIDsAzureAndTEI take them, too; each in its own field.
func TestTokenIDsAzureAndTEI(t *testing.T) {
	t.Parallel()
	r := serve(t, `providers: {azure: {protocol: azure, base_url: "$azure", keys: ["$key"]}, tei: {base_url: "$tei"}}`)
	azure, tei := r.model(t, "azure"), r.model(t, "tei")
	azure.answer(func(w http.ResponseWriter, _ *http.Request, a asked) bool {
		a.Path = "/v1/embeddings" // its path is another, and its answer is not
		azure.embed(w, a, llmtest.ServerDimensions)
		return true
	})
	for model, server := range map[string]*model{"azure/m": azure, "tei/m": tei} {
		require.Equal(t, ofIDs([]int32{1, 2}, []int32{3}), vectors(r.embedIDs(t, model, [][]int32{{1, 2}, {3}})))
		require.Equal(t, []string{"[1 2]", "[3]"}, server.last().Texts)
	}
}

// TestTokenIDsThatCannotBeTaken: nobody is asked, and the error names the field.
func TestTokenIDsThatCannotBeTaken(t *testing.T) {
	t.Parallel()
	r := serve(t, `
providers:
  cohere: {base_url: "$s/v2", keys: ["$key"]}
  huggingface: {base_url: "$s/v1", keys: ["$key"]}
  ollama: {base_url: "$s"}
  house: {protocol: openai, base_url: "$s/v1"}
  strict: {protocol: openai, base_url: "$s/v1", options: {refuse: tokens}}
  tei: {base_url: "$s", options: {prompt_query: query}}
models:
  bge: {targets: [house/m], prefixes: {query: "query: "}}
`)
	for _, c := range []struct{ model, inputType, says string }{
		{"cohere/m", "", "it takes no token ids"},
		{"huggingface/a/m", "", "it takes no token ids"},
		{"ollama/m", "", "it takes no token ids"},
		{"strict/m", "", "it takes no token ids"},
		{"local/hash-384", "", "it takes no token ids"},
		{"local/use-lite-512", "", "it takes no token ids"},
		{"tei/m", "query", "prompt"},
		{"bge", "query", "prefix"},
	} {
		fields := []any{"input_type", c.inputType}
		if c.inputType == "" {
			fields = nil
		}
		e := r.Ask(t, interactive, idsBody(t, c.model, [][]int32{{1}, {2}}, fields...)).Err()
		require.NotNil(t, e, c.model)
		require.Equal(t, events.CodeUnsupported, e.Code, "%s: %v", c.model, e)
		require.Contains(t, e.Message, "input: ", c.model)
		require.Contains(t, e.Message, c.says, c.model)
	}
	require.Empty(t, r.model(t, "s").requests())
	require.Equal(t, ofIDs([]int32{1}), vectors(r.embedIDs(t, "bge", []int32{1}, "input_type", "document")), "documents have no prefix")
}

// TestTokenIDsOfAnotherModel mean something else: no other model is asked, whatever the request permits.
func TestTokenIDsOfAnotherModel(t *testing.T) {
	t.Parallel()
	r := serve(t, twoServers)
	r.model(t, "first").fail(http.StatusServiceUnavailable)
	r.model(t, "second").fail(http.StatusServiceUnavailable)
	e := r.Ask(t, interactive, idsBody(t, "bge", []int32{1}, "allow_other_space", true)).Err()
	require.NotNil(t, e)
	require.Equal(t, events.CodeUnavailable, e.Code)
	require.Empty(t, r.model(t, "third").requests())
}

// TestTokenIDsInTheCache are found again, and are no text, however it reads.
func TestTokenIDsInTheCache(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	redis := miniredis.RunT(t)
	r.start(t, openAI, map[string]string{"REDIS_URL": "redis://" + redis.Addr()})
	m := r.model(t, "house")
	r.embedIDs(t, "house/m", [][]int32{{1, 2}, {3}})
	require.Len(t, m.requests(), 1)
	require.Equal(t, ofIDs([]int32{3}, []int32{1, 2}), vectors(r.embedIDs(t, "house/m", [][]int32{{3}, {1, 2}})))
	require.Equal(t, ofIDs([]int32{3}), vectors(r.embedIDs(t, "house/m", []int32{3})), "in the other form")
	require.Len(t, m.requests(), 1)
	for _, text := range []string{"[3]", "3", "\x03\x00\x00\x00", "[1 2]"} {
		r.embed(t, "house/m", []string{text})
		require.Equal(t, []string{text}, m.last().Texts)
	}
	require.Len(t, m.requests(), 5)
	r.embedIDs(t, "house/m", []int32{3, 0})
	require.Len(t, m.requests(), 6)
}

// TestTokenIDsDurably: a large request is worked in parts, whose texts are as many as a call takes.
func TestTokenIDsDurably(t *testing.T) {
	t.Parallel()
	r := serve(t, `providers: {tei: {base_url: "$tei"}}`)
	lists := make([][]int32, 3000)
	for i := range lists {
		lists[i] = []int32{int32(i), int32(i % 7)}
	}
	r.Publish(t, durable, "r", idsBody(t, "tei/m", lists, "encoding_format", "base64"))
	res := response(t, r.Results().Next(t))
	require.Zero(t, res.Failed)
	want := ofIDs(lists...)
	if res.Vectors == nil {
		require.Equal(t, want, vectors(res))
	} else {
		connected, err := client.Connect(t.Context(), r.Server.URL())
		require.NoError(t, err)
		t.Cleanup(connected.Close)
		rows := connected.Vectors(&res)
		for _, row := range want {
			got, err := rows.Next(t.Context())
			require.NoError(t, err)
			require.Equal(t, row, got)
		}
		_, err = rows.Next(t.Context())
		require.ErrorIs(t, err, io.EOF)
	}
	asked := r.model(t, "tei").requests()
	require.Equal(t, 95, len(asked), "one to see which model it is, and the others of 32 texts each") //nolint:testifylint // which would write all of them
	for _, a := range asked {
		require.False(t, slices.Contains(a.Texts, ""))
	}
}

// TestOneBadTextOfTokenIDs fails alone.
func TestOneBadTextOfTokenIDs(t *testing.T) {
	t.Parallel()
	r := serve(t, openAI)
	m := r.model(t, "house")
	m.answer(func(w http.ResponseWriter, _ *http.Request, a asked) bool {
		if !slices.Contains(a.Texts, "[666]") {
			return false
		}
		refuse(w, a, http.StatusBadRequest, "token id out of range: "+strconv.Itoa(666))
		return true
	})
	res := r.embedIDs(t, "house/m", [][]int32{{1}, {666}, {2}})
	require.Equal(t, 1, res.Failed)
	require.Equal(t, events.CodeInvalidArgument, res.Data[1].Error.Code)
	require.Equal(t, ofIDs([]int32{1})[0], res.Data[0].Embedding.Values)
	require.Equal(t, ofIDs([]int32{2})[0], res.Data[2].Embedding.Values)
}
