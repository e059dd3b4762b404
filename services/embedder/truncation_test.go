package embedder_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// isLong tells the texts that are too long for the servers of these tests.
func isLong(text string) bool { return strings.HasPrefix(text, "long ") }

// TestLongTextsOfTheModelInTheProcess are cut, and it is said how much was read of them, or refused, as the caller likes.
func TestLongTextsOfTheModelInTheProcess(t *testing.T) {
	t.Parallel()
	r := serve(t, "")
	texts := []string{"short", strings.Repeat("many words ", 200)}
	for range 2 { // what was cut is not forgotten because it is kept
		res := r.embed(t, "", texts)
		require.Equal(t, "local/use-lite-512", res.Model)
		require.Nil(t, res.Data[0].Truncated)
		require.NotNil(t, res.Data[1].Truncated)
		require.Equal(t, 128, res.Data[1].Truncated.Used)
		require.GreaterOrEqual(t, res.Data[1].Truncated.Tokens, 400)
		require.Len(t, res.Data[1].Embedding.Values, 512)
		require.Zero(t, res.Failed)
	}
	res := r.embed(t, "", texts, "truncate", "none")
	require.Equal(t, 1, res.Failed)
	require.Len(t, res.Data[0].Embedding.Values, 512)
	require.Empty(t, res.Data[1].Embedding.Values)
	require.Equal(t, events.CodeInvalidArgument, res.Data[1].Error.Code)
	require.Contains(t, res.Data[1].Error.Message, "128")
	failure := r.refused(t, "", texts[1:], "truncate", "none")
	require.Equal(t, events.CodeInvalidArgument, failure.Code)
	require.False(t, failure.Retryable)
}

// TestLongTextsOfAServerThatCuts: it is asked first not to, so that it is known which texts are cut.
func TestLongTextsOfAServerThatCuts(t *testing.T) {
	t.Parallel()
	r := serve(t, `providers: {cohere: {base_url: "$cohere/v2", keys: ["$key"]}}`)
	cohere := r.model(t, "cohere")
	cohere.answer(func(w http.ResponseWriter, _ *http.Request, a asked) bool {
		if a.Fields["truncate"] == "END" || !slices.ContainsFunc(a.Texts, isLong) {
			return false
		}
		refuse(w, a, http.StatusBadRequest, "invalid request: text is too long: it exceeds the maximum number of tokens")
		return true
	})
	const model = "cohere/embed-next"
	for range 2 {
		res := r.embed(t, model, []string{"a", "long b", "c"})
		require.Equal(t, normals([]string{"a", "long b", "c"}, 8), vectors(res))
		require.NotNil(t, res.Data[1].Truncated)
		require.Equal(t, "END", cohere.last().Fields["truncate"])
		require.Equal(t, []string{"long b"}, cohere.last().Texts)
		require.Nil(t, res.Data[0].Truncated)
		require.Nil(t, res.Data[2].Truncated)
	}
	times := 0
	for _, a := range cohere.requests() {
		if slices.Contains(a.Texts, "a") && len(a.Texts) < 3 {
			times++
		}
	}
	require.Equal(t, 1, times, "what was not cut is kept")
	before := len(cohere.requests())
	res := r.embed(t, model, []string{"a", "long b"}, "truncate", "none")
	require.Equal(t, events.CodeInvalidArgument, res.Data[1].Error.Code)
	require.Equal(t, normal("a", 8), res.Data[0].Embedding.Values)
	for _, a := range cohere.requests()[before:] {
		require.Equal(t, "NONE", a.Fields["truncate"])
	}
}

// TestLongTextsOfAServerThatDoesNotCut are errors of theirs, with which the others have nothing to do.
func TestLongTextsOfAServerThatDoesNotCut(t *testing.T) {
	t.Parallel()
	r := serve(t, `providers: {p: {protocol: openai, base_url: "$p/v1"}}`)
	r.model(t, "p").answer(func(w http.ResponseWriter, _ *http.Request, a asked) bool {
		if !slices.ContainsFunc(a.Texts, isLong) {
			return false
		}
		refuse(w, a, http.StatusBadRequest, "Invalid 'input': maximum input length is 8192 tokens.")
		return true
	})
	for _, truncate := range []string{"end", "none"} {
		res := r.embed(t, "p/m", []string{"a", "long b", "c"}, "truncate", truncate)
		require.Equal(t, 1, res.Failed)
		require.Equal(t, events.CodeInvalidArgument, res.Data[1].Error.Code)
		require.False(t, res.Data[1].Error.Retryable)
		require.Nil(t, res.Data[1].Truncated)
		require.Equal(t, normal("c", 8), res.Data[2].Embedding.Values)
	}
}
