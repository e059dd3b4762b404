package generator_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/door/doortest"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/llmtest"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// listed has a provider that tells its models, one whose models the file tells, and one that can tell nothing.
const listed = `
default_model: fast
providers:
  a: {protocol: openai, base_url: "$a", keys: ["$key"]}
  b: {protocol: openai, base_url: "$b", keys: ["$key"], models: [small, large]}
  c: {protocol: openai, base_url: "$c", keys: ["$key"]}
models:
  fast: {targets: [a/m x3, [b/small, b/large x2]], retries: 0}
  only: {targets: b/small, retries: 0}
limits: {wait: 20s, rules: [{provider: b, model: b/small, each: [caller], requests_per_minute: 10000}]}
prices:
  version: v1
  models: {a/m: {input: 3, output: 4, cached_input: 1}, b/*: 2}
`

// models asks for the list and returns it by name.
func models(t testing.TB, r *rig, subject, body string) (events.ModelsList, map[string]events.Model) {
	t.Helper()
	m := r.Ask(t, subject, []byte(body))
	require.Nil(t, m.Err())
	list := doortest.JSON[events.ModelsList](t, m)
	require.Equal(t, "list", list.Object)
	byName := make(map[string]events.Model)
	for _, model := range list.Data {
		require.NotContains(t, byName, model.ID)
		require.Equal(t, "model", model.Object)
		byName[model.ID] = model
	}
	return list, byName
}

func TestModels(t *testing.T) {
	t.Parallel()
	r := serve(t, listed)
	r.server(t, "a").Script(llmtest.Answer(http.StatusOK, `{"object":"list","data":[{"id":"m","object":"model"},{"id":"n/o","object":"model"}]}`))
	r.server(t, "c").Script(fails(http.StatusInternalServerError))
	list, all := models(t, r, "mlsdm.as.shop.models", "")
	names := make([]string, 0, len(list.Data))
	for _, model := range list.Data {
		names = append(names, model.ID)
		require.True(t, model.Available, model.ID)
		require.Empty(t, model.Reason)
		require.Equal(t, model.ID == "fast", model.Default)
	}
	require.Equal(t, []string{"a/m", "a/n/o", "b/large", "b/small", "c/*", "fast", "local/echo", "only"}, names)
	require.Equal(t, map[string]string{"c": "status 500: not now"}, list.Errors)
	require.Equal(t, &events.ModelPrice{Input: 3, Output: 4, CachedInput: 1, Version: "v1"}, all["a/m"].Price)
	require.InDelta(t, 2, all["b/large"].Price.Output, 0)
	require.Nil(t, all["local/echo"].Price)
	require.Equal(t, "a", all["a/n/o"].OwnedBy)
	require.Equal(t, "alias", all["fast"].OwnedBy)
	require.Equal(t, [][]events.ModelTarget{{{Model: "a/m", Weight: 3}}, {{Model: "b/small", Weight: 1}, {Model: "b/large", Weight: 2}}}, all["fast"].Targets)

	// It is the caller who has limits left.
	response(t, r.Ask(t, "mlsdm.as.shop.generate", []byte(`{"model":"b/small","prompt":"x"}`)))
	for caller, left := range map[string]float64{"shop": 9999, "bank": 10_000} {
		_, all = models(t, r, "mlsdm.as."+caller+".models", "{}")
		require.Len(t, all["b/small"].Limits, 1)
		limit := all["b/small"].Limits[0]
		require.Equal(t, "requests_per_minute", limit.What)
		require.InDelta(t, 10_000, limit.Limit, 0)
		if limit.Left != 10_000 { // else a minute may have begun between the two
			require.InDelta(t, left, limit.Left, 0, caller)
		}
		require.Positive(t, limit.ResetMS)
		require.LessOrEqual(t, limit.ResetMS, int64(60_000))
		require.Empty(t, all["b/large"].Limits)
		require.Equal(t, limit.What, all["only"].Limits[0].What)
	}
	require.Len(t, r.server(t, "a").Requests(), 1, "it was asked a short while ago")
	require.Len(t, r.server(t, "b").Requests(), 1, "nobody asks for what the file tells")

	// One provider's.
	list, all = models(t, r, "mlsdm.models", `{"provider":"b"}`)
	require.Len(t, list.Data, 2)
	require.Contains(t, all, "b/large")
	require.Empty(t, list.Errors)
	for body, code := range map[string]events.Code{
		`{"provider":"nobody"}`: events.CodeNotFound, `{"provider":7}`: events.CodeInvalidArgument, `nonsense`: events.CodeInvalidArgument,
	} {
		require.Equal(t, code, r.Ask(t, "mlsdm.models", []byte(body)).Err().Code, body)
	}
}

// What has failed is told with why, and for how long.
func TestModelsThatFail(t *testing.T) {
	t.Parallel()
	r := serve(t, listed)
	r.server(t, "a").Script(fails(http.StatusTooManyRequests, "Retry-After: 600"))
	res := response(t, r.Ask(t, interactive, []byte(askFast)))
	require.Contains(t, []string{"b/small", "b/large"}, res.Model)
	r.server(t, "b").Script(fails(http.StatusUnauthorized))
	require.Equal(t, events.CodeUnauthenticated, r.Ask(t, interactive, []byte(`{"model":"only","prompt":"x"}`)).Err().Code)

	list, all := models(t, r, "mlsdm.models", "")
	require.Equal(t, "its rate limit is used up", all["a/m"].Reason)
	require.InDelta(t, 600_000, all["a/m"].RetryAfterMS, 60_000)
	for _, name := range []string{"b/small", "b/large", "only"} {
		require.Equal(t, "its API key is not accepted, or missing", all[name].Reason, name)
	}
	require.False(t, all["fast"].Available, "neither of them")
	require.NotEmpty(t, all["fast"].Reason)
	unavailable := false
	for _, model := range list.Data {
		require.False(t, unavailable && model.Available, "those that can answer come first")
		unavailable = !model.Available
	}
	require.True(t, unavailable)
}
