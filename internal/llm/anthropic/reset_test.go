package anthropic_test

import (
	"maps"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/anthropic"
)

// TestReset reads when a limit starts anew, and what the server calls the request.
func TestReset(t *testing.T) {
	t.Parallel()
	hour := time.Now().Add(time.Hour).Truncate(time.Second)
	at := func(d time.Duration) string { return hour.Add(d).UTC().Format(time.RFC3339) }
	for name, c := range map[string]struct {
		header http.Header
		until  time.Time
	}{
		"nothing": {nil, time.Time{}},
		"one":     {http.Header{"Anthropic-Ratelimit-Tokens-Remaining": {"0"}, "Anthropic-Ratelimit-Tokens-Reset": {at(0)}}, hour},
		"the latest of two": {http.Header{
			"Anthropic-Ratelimit-Tokens-Remaining": {"0"}, "Anthropic-Ratelimit-Tokens-Reset": {at(0)},
			"Anthropic-Priority-Input-Tokens-Remaining": {"0"}, "Anthropic-Priority-Input-Tokens-Reset": {at(-time.Minute)},
		}, hour},
		"of those that are used up": {http.Header{
			"Anthropic-Ratelimit-Tokens-Remaining": {"1000"}, "Anthropic-Ratelimit-Tokens-Reset": {at(time.Minute)},
			"Anthropic-Ratelimit-Requests-Remaining": {"0"}, "Anthropic-Ratelimit-Requests-Reset": {at(0)},
		}, hour},
		"none that is used up": {http.Header{"Anthropic-Ratelimit-Tokens-Remaining": {"9"}, "Anthropic-Ratelimit-Tokens-Reset": {at(0)}}, time.Time{}},
		"past":                 {http.Header{"Anthropic-Ratelimit-Tokens-Remaining": {"0"}, "Anthropic-Ratelimit-Tokens-Reset": {at(-2 * time.Hour)}}, time.Time{}},
		"no time":              {http.Header{"Anthropic-Ratelimit-Tokens-Remaining": {"0"}, "Anthropic-Ratelimit-Tokens-Reset": {"60s"}}, time.Time{}},
		"no reset":             {http.Header{"Anthropic-Ratelimit-Tokens-Remaining": {"0"}}, time.Time{}},
		"somebody else's":      {http.Header{"X-Ratelimit-Remaining": {"0"}, "X-Ratelimit-Reset": {at(0)}}, time.Time{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			header := http.Header{"Request-Id": {"req_7"}, "Content-Type": {"application/json"}}
			maps.Copy(header, c.header)
			r := &recorder{status: http.StatusTooManyRequests, header: header, body: failure("rate_limit_error", "slow down")}
			_, err := r.client(t, anthropic.Config{}).Chat(t.Context(), call(t, `{}`))
			fault := llm.FaultOf(err)
			require.Equal(t, llm.ClassLimit, fault.Class)
			require.Equal(t, "req_7", fault.RequestID)
			require.WithinDuration(t, c.until, fault.Until, time.Millisecond)
		})
	}
}
