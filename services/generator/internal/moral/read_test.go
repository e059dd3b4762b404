package moral_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/internal/section"
	"github.com/neuron7x/mlsdm-integrations/services/generator/internal/moral"
)

// parse reads a section that is a whole file here.
func parse(t *testing.T, text string) (moral.Config, error) {
	t.Helper()
	r := section.New("generator.yaml")
	n, err := r.Document([]byte(text))
	require.NoError(t, err)
	c := moral.Read(r, n, func(name string) (moral.Provider, bool) {
		return moral.Provider{BaseURL: "http://house/v1", Key: secret.NewValue("k")}, name == "house"
	})
	return c, r.Err()
}

func TestRead(t *testing.T) {
	t.Parallel()
	c, err := parse(t, `
enabled: on
initial: 0.6
min: 0.2
max: 1
target: 0.7
band: 0.1
step: 0.01
alpha: 0.5
scorer: {http: {url: "https://scorer.example/a/", key: secret:scorer_key, headers: {X-Team: a}, timeout: 500ms}}
trust_request: false
output: on
window: 200
overlap: 50
on_scorer_error: accept
max_text: 2048
include_text: true
`)
	require.NoError(t, err)
	require.Equal(t, "scorer_key", c.Scorer.Key.Reference().Name())
	c.Scorer.Key = secret.Value{}
	require.Equal(t, moral.Config{
		Enabled: moral.On, Initial: 0.6, Min: 0.2, Max: 1, Target: 0.7, Band: 0.1, Step: 0.01, Alpha: 0.5,
		Scorer: moral.ScorerConfig{Kind: moral.HTTP, URL: "https://scorer.example/a/", Header: map[string]string{"X-Team": "a"}, Timeout: 500 * time.Millisecond},
		Output: true, Window: 200, Overlap: 50, OnScorerError: moral.Accept, MaxText: 2048, IncludeText: true,
	}, c)

	for _, text := range []string{"", "{}", "null", "scorer: request"} {
		c, err = parse(t, text)
		require.NoError(t, err, text)
		require.Equal(t, moral.Default(), c, text)
	}
	c, err = parse(t, "{enabled: off, scorer: none}")
	require.NoError(t, err)
	require.Equal(t, moral.NoScorer, c.Scorer.Kind)
}

func TestReadModeration(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]moral.ScorerConfig{
		"{}":                       {URL: "https://api.openai.com/v1", Model: "omni-moderation-latest"},
		"{model: m, timeout: 1s}":  {URL: "https://api.openai.com/v1", Model: "m", Timeout: time.Second},
		"{base_url: http://x/v1/}": {URL: "http://x/v1/"},
		"{provider: house}":        {URL: "http://house/v1"},
	} {
		c, err := parse(t, "scorer: {moderation: "+text+"}")
		require.NoError(t, err, text)
		require.Equal(t, text == "{provider: house}", !c.Scorer.Key.IsZero())
		c.Scorer.Key = secret.Value{}
		want.Kind = moral.Moderation
		if want.Timeout == 0 {
			want.Timeout = 2 * time.Second
		}
		require.Equal(t, want, c.Scorer, text)
	}
	c, err := parse(t, "scorer: {moderation: {key: env:OTHER, provider: house}}")
	require.NoError(t, err)
	require.Equal(t, "OTHER", c.Scorer.Key.Reference().Name())
}

// What is not understood is an error that names its line, and quotes nothing that may be a key.
func TestFilesThatAreWrong(t *testing.T) {
	t.Parallel()
	for text, complaint := range map[string]string{
		"x: 1":                        `generator.yaml:1: unknown key "x"`,
		"\n\nenabled: maybe":          "generator.yaml:3: enabled is one of [auto on off]",
		"enabled: [on]":               "enabled is one of",
		"min: 0.6":                    "min, initial and max are 0.6, 0.5 and 0.9",
		"initial: 0.95":               "min, initial and max",
		"min: .nan":                   "min is a number of 0 to 1",
		"max: 2":                      "max is a number of 0 to 1",
		"alpha: 0":                    "alpha is 0; it is above 0",
		"step: x":                     "step is a number",
		"window: 10":                  "window is a whole number of 40",
		"overlap: 500":                "overlap is 500; it is 0 to the window",
		"output: on":                  "output: on needs a scorer",
		"output: 7":                   "output is one of",
		"{enabled: on, scorer: none}": "enabled: on needs scores",
		"trust_request: false":        "trust_request",
		"scorer: []":                  "scorer, if it is not",
		"scorer: {}":                  "scorer has one of",
		"scorer: {a: {}}":             `unknown scorer "a"`,
		"scorer: {http: {url: http://a}, moderation: {}}":                       "scorer has one of",
		"scorer: {http: {}}":                                                    "http has no url",
		"scorer: {http: {url: 'ftp://a'}}":                                      "the URL must start with http",
		"scorer: {http: {url: 'http://a:hunter2-canary@b'}}":                    "the URL must not hold credentials",
		"scorer: {http: {url: 'http://a?b=c'}}":                                 "the URL must not have a query",
		"scorer: {http: {url: http://a, timeout: 5m}}":                          "timeout is a duration of 10ms to 1m0s",
		"scorer: {http: {url: http://a, key: hunter2-canary}}":                  "key is a reference",
		"scorer: {http: {url: http://a, key: 'secret:hunter2-canary hmm'}}":     "not a name",
		"scorer: {http: {url: http://a, headers: {Authorization: x}}}":          "carries a secret",
		"scorer: {http: {url: http://a, headers: {Host: x}}}":                   "is set already",
		"scorer: {http: {url: http://a, headers: {'a b': x}}}":                  "is not the name of a header",
		`scorer: {http: {url: http://a, headers: {X-A: "hunter2-canary\n"}}}`:   "control character",
		"scorer: {http: {url: http://a, verify: no}}":                           `unknown key "verify"`,
		"scorer: {moderation: {provider: nobody}}":                              `there is no provider "nobody"`,
		"scorer: {moderation: {provider: house, base_url: 'http://elsewhere'}}": "exclude each other",
		"scorer: {moderation: {moddel: x}}":                                     `unknown key "moddel"`,
		"scorer: &x {http: {url: http://a}}":                                    "anchors",
		"- enabled":                                                             "moral_filter is a mapping",
		"on_scorer_error: ignore":                                               "on_scorer_error is one of",
		"max_text: 5":                                                           "max_text is a whole number",
	} {
		_, err := parse(t, text)
		require.ErrorContains(t, err, complaint, text)
		require.NotContains(t, err.Error(), canary)
	}
}
