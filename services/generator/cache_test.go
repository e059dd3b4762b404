package generator_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/door/doortest"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// cached has a model, an alias that keeps answers, one that does not, and prices.
const cached = `
providers:
  a: {protocol: openai, base_url: "$a", keys: ["$key"]}
models:
  kept: {targets: a/m, cache: true}
  fresh: a/m
prices:
  version: v7
  models: {a/m: {input: 100000, output: 200000}}
`

// The header decides, and without it the alias.
func TestCache(t *testing.T) {
	t.Parallel()
	r := serve(t, cached)
	asked := 0
	ask := func(model, wish string, hits bool) {
		t.Helper()
		var headers []string
		if wish != "" {
			headers = []string{events.HeaderCache, wish}
		}
		res := response(t, r.ask(t, `{"model":"`+model+`","prompt":"hello"}`, headers...))
		if !hits {
			asked++
		}
		require.Equal(t, "you said: hello", res.Choices[0].Message.Content.Text)
		require.Equal(t, "a/m", res.Model)
		require.Equal(t, hits, res.Usage.Cached, "%s %s", model, wish)
		require.Equal(t, 5, res.Usage.TotalTokens, "those that were bought")
		require.Len(t, r.server(t, "a").Requests(), asked)
		told := r.Processed(t)
		require.Equal(t, hits, told.Cached)
		require.Equal(t, "a/m", told.AnsweredBy)
		require.Equal(t, "stop", told.FinishReason)
		require.Equal(t, 5, told.TotalTokens)
		if hits {
			require.Nil(t, res.Usage.Cost)
			require.Zero(t, told.Cost)
			require.Zero(t, told.Attempts)
			require.False(t, told.Unpriced)
			return
		}
		require.InDelta(t, 0.2+0.2*3, *res.Usage.Cost, 1e-9)
		require.InDelta(t, 0.2+0.2*3, told.Cost, 1e-9)
		require.Equal(t, "v7", told.PriceVersion)
	}
	ask("kept", "", false)
	ask("kept", "", true)
	ask("kept", "on", true)
	ask("kept", "off", false)
	ask("kept", "refresh", false)
	ask("kept", "", true)
	ask("fresh", "", false)
	ask("fresh", "", false)
	ask("fresh", "on", false)
	ask("fresh", "", false)
	ask("fresh", "on", true)
	ask("a/m", "on", false)
	ask("a/m", "on", true)

	failure := r.ask(t, `{"model":"kept","prompt":"hello"}`, events.HeaderCache, "yes please").Err()
	require.Equal(t, events.CodeInvalidArgument, failure.Code)
	require.Contains(t, failure.Message, "Mlsdm-Cache must be on, off or refresh")
}

// A caller is told answers to its own questions only.
func TestCacheIsNotShared(t *testing.T) {
	t.Parallel()
	r := serve(t, cached)
	for i, c := range []struct {
		subject string
		hits    bool
	}{{"mlsdm.as.shop.generate", false}, {"mlsdm.as.bank.generate", false}, {interactive, false}, {"mlsdm.as.shop.generate", true}, {"mlsdm.as.bank.generate", true}} {
		res := response(t, r.Ask(t, c.subject, []byte(`{"model":"kept","prompt":"hello"}`)))
		require.Equal(t, c.hits, res.Usage.Cached, "request %d", i)
	}
	require.Len(t, r.server(t, "a").Requests(), 3)
}

// A stream and a whole answer are the same answer.
func TestCacheOfStreams(t *testing.T) {
	t.Parallel()
	r := serve(t, cached)
	const body = `{"model":"kept","prompt":"one two three","stream":true,"stream_options":{"include_usage":true}}`
	var texts []string
	for i := range 3 {
		messages, end := r.StreamWith(t, interactive, nil, []byte(body))
		require.Nil(t, end.Err())
		texts = append(texts, text(t, messages))
		require.Equal(t, "stop", end.Value(events.HeaderFinishReason))
		usage := doortest.JSON[events.ChatChunk](t, messages[len(messages)-1]).Usage
		require.Equal(t, i > 0, usage.Cached)
		require.Equal(t, i > 0, usage.Cost == nil)
		require.Equal(t, i > 0, doortest.JSON[events.ChatUsage](t, doortest.Message{Body: []byte(end.Value(events.HeaderUsage))}).Cached)
		require.Equal(t, i > 0, r.Processed(t).Cached)
	}
	require.Equal(t, []string{"you said: one two three", "you said: one two three", "you said: one two three"}, texts)

	const whole = `{"model":"kept","prompt":"one two three"}`
	res := response(t, r.Ask(t, interactive, []byte(whole)))
	require.True(t, res.Usage.Cached)
	require.Equal(t, texts[0], res.Choices[0].Message.Content.Text)
	r.Processed(t)

	// A durable request is asked by the same caller, and gets the same.
	r.Publish(t, durable, "req-1", []byte(whole))
	require.True(t, response(t, r.Results().Next(t)).Usage.Cached)
	require.True(t, r.Processed(t).Cached)
	require.Len(t, r.server(t, "a").Requests(), 1)
}
