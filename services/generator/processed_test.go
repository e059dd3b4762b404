package generator_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm/llmtest"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

const priced = `
providers:
  a: {protocol: openai, base_url: "$a", keys: ["$key"]}
models:
  fast: {targets: [a/m], retries: 0}
prices:
  version: "2026-11"
  models: {a/m: {input: 100000, output: 200000, cached_input: 50000}}
`

// The event tells all that there is to tell, and nothing that was said.
func TestRequestProcessed(t *testing.T) {
	t.Parallel()
	r := serve(t, priced)
	heard := r.Listen(t, "mlsdm.events.request.processed")
	r.server(t, "a").Script(llmtest.Answer(200, `{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,
		"message":{"role":"assistant","content":"canary-answer"},"finish_reason":"length"}],
		"usage":{"prompt_tokens":10,"completion_tokens":4,"total_tokens":14,"prompt_tokens_details":{"cached_tokens":6}}}`))
	res := response(t, r.Ask(t, "mlsdm.as.shop.generate", []byte(`{"model":"fast","prompt":"canary-question"}`)))
	const cost = 0.4 + 0.3 + 0.8
	require.InDelta(t, cost, *res.Usage.Cost, 1e-9)
	told := r.Processed(t)
	require.NotEmpty(t, told.RequestID)
	require.Positive(t, told.LatencyMS)
	told.RequestID, told.LatencyMS = "", 0
	require.Equal(t, events.RequestProcessed{
		Caller: "shop", Kind: "generate", Door: "interactive", Model: "fast", Outcome: "ok", PromptTokens: 10, CompletionTokens: 4,
		TotalTokens: 14, AnsweredBy: "a/m", Attempts: 1, FinishReason: "length", Cost: cost, PriceVersion: "2026-11",
	}, told)
	require.NotContains(t, string(heard.Next(t).Body), "canary")

	// A stream says when it began, and what it cost at its end, asked for or not.
	for _, wanted := range []bool{false, true} {
		body, err := json.Marshal(events.ChatRequest{
			Model: "fast", Prompt: "a b", Stream: true, StreamOptions: &events.StreamOptions{IncludeUsage: wanted},
		})
		require.NoError(t, err)
		_, end := r.StreamWith(t, interactive, nil, body)
		require.Contains(t, end.Value(events.HeaderUsage), `"cost":1.1`)
		told = r.Processed(t)
		require.True(t, told.Stream)
		require.InDelta(t, 0.3+0.2*4, told.Cost, 1e-9)
		require.Positive(t, told.FirstTokenMS)
		require.LessOrEqual(t, told.FirstTokenMS, told.LatencyMS)
	}

	// A model that is not in the table costs nothing, and that is said.
	require.Nil(t, response(t, r.Ask(t, interactive, []byte(`{"model":"local/echo","prompt":"x"}`))).Usage.Cost)
	told = r.Processed(t)
	require.True(t, told.Unpriced)
	require.Zero(t, told.Cost)
	require.Equal(t, "2026-11", told.PriceVersion)
}

// What an attempt had used before it failed is counted, too, at its own model's price; a caller is told of the answer only.
func TestFailedAttemptsAreCounted(t *testing.T) {
	t.Parallel()
	r := serve(t, twoProviders+`
prices:
  version: "2026-11"
  models: {a/m: {input: 100000, output: 200000}, b/m: {input: 1000000, output: 1000000}}
`)
	begins := `data: {"id":"1","choices":[],"usage":{"prompt_tokens":10,"completion_tokens":2,"total_tokens":12}}` + "\n\n"
	r.server(t, "a").Script(llmtest.Stream(begins))
	messages, end := r.StreamWith(t, interactive, nil, []byte(streamFast))
	require.Equal(t, "you said: hello", text(t, messages))
	var own events.ChatUsage
	require.NoError(t, json.Unmarshal([]byte(end.Value(events.HeaderUsage)), &own))
	told := r.Processed(t)
	require.Equal(t, []any{"b/m", 2}, []any{told.AnsweredBy, told.Attempts})
	require.Equal(t, []int{10 + own.PromptTokens, 2 + own.CompletionTokens, 12 + own.TotalTokens},
		[]int{told.PromptTokens, told.CompletionTokens, told.TotalTokens})
	require.InDelta(t, 1+0.4+*own.Cost, told.Cost, 1e-9)
	require.False(t, told.Unpriced)

	// Also when nobody answers in the end.
	r.server(t, "a").Script(llmtest.Stream(begins))
	r.server(t, "b").Script(llmtest.Stream(begins))
	_, end = r.StreamWith(t, interactive, nil, []byte(streamFast))
	require.NotNil(t, end.Err())
	told = r.Processed(t)
	require.Equal(t, []int{20, 4, 24}, []int{told.PromptTokens, told.CompletionTokens, told.TotalTokens})
}

// Without a table nothing is said of prices.
func TestNoPrices(t *testing.T) {
	t.Parallel()
	r := serve(t, twoProviders)
	require.Nil(t, response(t, r.Ask(t, interactive, []byte(askFast))).Usage.Cost)
	told := r.Processed(t)
	require.False(t, told.Unpriced)
	require.Empty(t, told.PriceVersion)
}

// Of those that end well a share is told of; of those that fail, all.
func TestFailuresAreAlwaysTold(t *testing.T) {
	t.Parallel()
	r := serve(t, priced, "GENERATOR_REQUEST_EVENTS=0")
	for range 20 {
		response(t, r.Ask(t, interactive, []byte(askFast)))
	}
	require.Equal(t, events.CodeNotFound, r.Ask(t, interactive, []byte(`{"model":"a/no-such-model","prompt":"x"}`)).Err().Code)
	require.Equal(t, events.CodeNotFound, r.Processed(t).Code, "it is the first that is heard of")
}
