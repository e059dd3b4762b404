package generator_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// budget has a limit of a day's money for a, of which each request takes 0.8, and none for b.
const budget = twoProviders + `  slow: {targets: [b/m, a/m]}
limits: {wait: 20s, rules: [{name: money, provider: a, each: [caller], cost_per_day: 2}]}
prices: {version: v1, models: {a/m: {input: 100000, output: 200000}}}
`

// Who has used up a budget is answered by another model, or is told when there will be more; nobody else notices.
func TestBudget(t *testing.T) {
	t.Parallel()
	r := serve(t, budget)
	ask := func(caller, model string) *events.Error {
		t.Helper()
		m := r.Ask(t, "mlsdm.as."+caller+".generate", []byte(`{"model":"`+model+`","prompt":"hello","max_completion_tokens":3}`))
		return m.Err()
	}
	for i, by := range []string{"a/m", "a/m", "b/m", "b/m"} {
		require.Nil(t, ask("shop", "fast"))
		told := r.Processed(t)
		require.Equal(t, by, told.AnsweredBy, "request %d", i)
		require.Equal(t, 1, told.Attempts, "nobody was asked in vain")
	}
	failure := ask("shop", "a/m")
	require.Equal(t, events.CodeRateLimited, failure.Code)
	require.True(t, failure.Retryable)
	require.Positive(t, failure.RetryAfter)
	require.LessOrEqual(t, failure.RetryAfter, 24*time.Hour)
	require.Contains(t, failure.Message, "the budget of 2 a day for caller shop")
	require.Equal(t, events.CodeRateLimited, r.Processed(t).Code)
	require.Nil(t, ask("bank", "a/m"))
	require.Equal(t, "a/m", r.Processed(t).AnsweredBy)

	_, all := models(t, r, "mlsdm.as.shop.models", "")
	require.InDelta(t, 0.4, all["a/m"].Limits[0].Left, 1e-6)
	require.Equal(t, "cost_per_day", all["fast"].Limits[0].What, "those of what is asked first")
	require.Empty(t, all["slow"].Limits)

	// What cannot be had at all is not worth asking for again.
	m := r.Ask(t, interactive, []byte(`{"model":"a/m","prompt":"hello","max_completion_tokens":100}`))
	require.Equal(t, events.CodeRateLimited, m.Err().Code)
	require.False(t, m.Err().Retryable)
	require.Len(t, r.server(t, "a").Requests(), 3+1, "three answers, and the list of its models")
}
