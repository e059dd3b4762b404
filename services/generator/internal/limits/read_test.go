package limits_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/section"
	"github.com/neuron7x/mlsdm-integrations/services/generator/internal/limits"
)

// read reads a section, as it stands in a file.
func read(t *testing.T, text string) (limits.Config, error) {
	t.Helper()
	r := section.New("generator.yaml")
	n, err := r.Document([]byte(text))
	require.NoError(t, err)
	cfg := limits.Read(r, n)
	return cfg, r.Err()
}

func TestRead(t *testing.T) {
	t.Parallel()
	cfg, err := read(t, `
when_unavailable: allow
wait: 1s
default_tokens: 500
rules:
  - {each: [caller, model, provider], requests_per_minute: 60, tokens_per_minute: 100000, cost_per_day: 5}
  - {name: all of it, caller: "team-*", provider: openai, model: fast, cost_per_day: 0.5}
`)
	require.NoError(t, err)
	require.Equal(t, limits.Config{
		Allow: true, Wait: time.Second, DefaultTokens: 500,
		Rules: []limits.Rule{
			{
				Caller: "*", Provider: "*", Model: "*", EachCaller: true, EachModel: true, EachProvider: true,
				RequestsPerMinute: 60, TokensPerMinute: 100000, CostPerDay: 5,
			},
			{Name: "all of it", Caller: "team-*", Provider: "openai", Model: "fast", CostPerDay: 0.5},
		},
	}, cfg)

	defaults := limits.Config{Wait: limits.DefaultWait, DefaultTokens: limits.DefaultTokens}
	require.Equal(t, defaults, limits.Read(section.New("x"), nil))
	for _, text := range []string{"", "~", "{}", "[]", "rules:", "when_unavailable: refuse"} {
		cfg, err := read(t, text)
		require.NoError(t, err, text)
		require.Nil(t, limits.New(cfg, newShared(), limits.Options{}), text)
	}
	cfg, err = read(t, "[{requests_per_minute: 1}]")
	require.NoError(t, err)
	require.Equal(t, []limits.Rule{perMinute(1)}, cfg.Rules)
}

func TestWhatIsWrongIsNamed(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"5":                                      "generator.yaml:1: the list of limits is a list",
		"rules: {}":                              "generator.yaml:1: the list of limits is a list",
		"limit: []":                              `generator.yaml:1: unknown key "limit"; there are rules, when_unavailable, wait and default_tokens`,
		"when_unavailable: pass":                 "when_unavailable is allow or refuse",
		"wait: 0s":                               "wait is a duration of 1ms to 1m0s",
		"default_tokens: 0":                      "default_tokens is a whole number of 1 to",
		"- 5":                                    "generator.yaml:1: a limit is a mapping",
		"- {}":                                   "this rule limits nothing",
		"-\n  caller: x":                         "generator.yaml:2: this rule limits nothing",
		"- {rpm: 1}":                             `unknown key "rpm"; there are name, caller,`,
		"- {requests_per_minute: 0}":             "requests_per_minute is a whole number of 1 to",
		"- {requests_per_minute: 1.5}":           "requests_per_minute is a whole number of 1 to",
		"- {requests_per_minute: 1000000000001}": "requests_per_minute is a whole number of 1 to",
		"- {tokens_per_minute: many}":            "tokens_per_minute is a whole number of 1 to",
		"- {tokens_per_minute: '1'}":             "tokens_per_minute is a whole number of 1 to",
		"- {cost_per_day: -1}":                   "cost_per_day is a number of 1e-06 to 1e+09",
		"- {cost_per_day: .nan}":                 "cost_per_day is a number of",
		"- {cost_per_day: .inf}":                 "cost_per_day is a number of",
		"- {caller: [a], requests_per_minute: 1}":                             "caller is a text",
		"- {caller: '', requests_per_minute: 1}":                              "caller is a text",
		"- {model: " + strings.Repeat("m", 257) + ", requests_per_minute: 1}": "model has 257 bytes; at most 256 are allowed",
		"- {each: caller, requests_per_minute: 1}":                            "each is a list",
		"- {each: [alias], requests_per_minute: 1}":                           "each is a list of caller, provider and model",
		"- {each: [model, model], requests_per_minute: 1}":                    "each has model twice",
		"- {requests_per_minute: 1, requests_per_minute: 2}":                  "requests_per_minute stands there twice",
		"- {requests_per_minute: 1}\n- {requests_per_minute: 2}": "generator.yaml:2: this rule counts requests_per_minute under the same name, " +
			"or of the same requests, as that of line 1",
		"- {name: a, requests_per_minute: 1}\n- {name: a, caller: x, requests_per_minute: 2}": "generator.yaml:2: this rule counts",
		"[" + strings.Repeat("{requests_per_minute: 1},", 257) + "]":                          "there are 257 rules; at most 256 are allowed",
	} {
		_, err := read(t, text)
		require.ErrorContains(t, err, want, text)
	}
	for _, text := range []string{
		"- {requests_per_minute: 1}\n- {tokens_per_minute: 2}",
		"- {requests_per_minute: 1}\n- {name: another, requests_per_minute: 2}",
		"- {requests_per_minute: 1}\n- {each: [caller], requests_per_minute: 2}",
	} {
		_, err := read(t, text)
		require.NoError(t, err, text)
	}
}

// A limit that is changed, or stands elsewhere in the file, has used what it had used; a rule with a name, even when it is about
// others now.
func TestCountsOutliveTheConfiguration(t *testing.T) {
	t.Parallel()
	for before, after := range map[string]string{
		"- {cost_per_day: 10}":                             "- {caller: x, cost_per_day: 1}\n- {cost_per_day: 11, requests_per_minute: 100}",
		"- {name: budget, caller: shop, cost_per_day: 10}": "- {name: budget, caller: 's*', cost_per_day: 11}",
	} {
		synctest.Test(t, func(t *testing.T) {
			s := newShared()
			for _, text := range []string{before, after} {
				cfg, err := read(t, text)
				require.NoError(t, err)
				l := limits.New(cfg, s, limits.Options{})
				if text == before {
					pass(t, l, shop, limits.Estimate{Cost: 9})
					continue
				}
				refusedBy(t, l, shop, limits.Estimate{Cost: 3})
				pass(t, l, shop, limits.Estimate{Cost: 2})
			}
		})
	}
}
