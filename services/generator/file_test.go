package generator_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/service"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// everything is a file with all sections.
const everything = `
default_model: fast
providers:
  openai: {base_url: "$openai"}
  a: {protocol: openai, base_url: "$a", keys: ["$key"], headers: {X-Team: blue}, options: {max_tokens_field: max_tokens}, models: [m, n]}
  b: {protocol: openai, base_url: "$b", keys: [{key: "$key", weight: 3}], options: {refuse: "seed, logprobs", no_stream_options: "true"}}
models:
  fast: a/m
  long: {targets: [[a/m x3, {target: a/n, weight: 1}], b/m], cache: true, timeout: 30s, answer: 10s, first_token: 5s, idle: 5s, retries: 0}
prices: {version: v1, currency: EUR, models: {a/*: {input: 1, output: 2}, local/*: 0}}
limits:
  when_unavailable: allow
  wait: 1s
  default_tokens: 100
  rules: [{each: [caller], requests_per_minute: 1000, tokens_per_minute: 100000, cost_per_day: 5}]
moral_filter: {enabled: auto, initial: 0.4, scorer: {moderation: {provider: b}}, on_scorer_error: accept, trust_request: true}
`

// run runs the command with a configuration file and an argument that has it answer at once.
func run(t *testing.T, path, argument string, environment map[string]string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = unit().Execute(t.Context(), service.Process{Args: []string{argument}, Stdout: &out, Stderr: &errs, Lookup: func(name string) (string, bool) {
		if name == "GENERATOR_CONFIG" {
			return path, true
		}
		value, ok := environment[name]
		return value, ok
	}})
	return code, out.String(), errs.String()
}

// named is an environment that names the file.
func named(path string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		if name != "GENERATOR_CONFIG" {
			return "", false
		}
		return path, true
	}
}

func TestFile(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, text := range []string{everything, "", "# nothing\n", "providers:\nmodels:\n"} {
		code, stdout, stderr := run(t, r.write(t, text), "--check-config", map[string]string{"OPENAI_API_KEY": "sk-x"})
		require.Zero(t, code, stderr)
		require.Contains(t, stdout, "the configuration is valid")
	}

	r.start(t, everything)
	res := response(t, r.Ask(t, interactive, []byte(`{"prompt":"x","max_completion_tokens":7}`)))
	require.Equal(t, "a/m", res.Model, "the default of the file")
	a := r.server(t, "a")
	require.Equal(t, "blue", a.Requests()[0].Header.Get("X-Team"))
	require.InDelta(t, 7, bodyOf(t, a, 0)["max_tokens"], 0)
	require.NotContains(t, bodyOf(t, a, 0), "max_completion_tokens")

	failure := r.Ask(t, interactive, []byte(`{"model":"b/m","prompt":"x","seed":1}`)).Err()
	require.Equal(t, events.CodeUnsupported, failure.Code)
	require.Contains(t, failure.Message, "seed")
	r.Stream(t, interactive, []byte(`{"model":"b/m","prompt":"x","stream":true}`))
	b := r.server(t, "b")
	last := len(b.Requests()) - 1
	require.Equal(t, "/v1/chat/completions", b.Requests()[last].Path)
	require.NotContains(t, bodyOf(t, b, last), "stream_options")
	require.Equal(t, events.CodeNotFound, r.Ask(t, interactive, []byte(`{"model":"a/other","prompt":"x"}`)).Err().Code, "it has only m and n")
}

// The setting goes before the file.
func TestDefaultModelOfTheSetting(t *testing.T) {
	t.Parallel()
	r := serve(t, "default_model: a/m\nproviders: {a: {protocol: openai, base_url: \"$a\"}}\n", "GENERATOR_DEFAULT_MODEL=local/echo")
	require.Equal(t, "local/echo", response(t, r.Ask(t, interactive, []byte(`{"prompt":"x"}`))).Model)
}

// What is wrong in the file is said with its line, all of it at once, and without quoting keys.
func TestWrongFiles(t *testing.T) {
	t.Parallel()
	const provider = "providers:\n  a: {protocol: openai, base_url: http://localhost:1}\n"
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"unknown section":       {"\nprovider: {}\n", []string{`:2: unknown section "provider"`}},
		"section twice":         {provider + "providers: {}\n", []string{":3: providers stands there twice, first in line 1"}},
		"no YAML":               {"a: [", []string{"line 1"}},
		"two documents":         {provider + "---\n" + provider, []string{"one YAML document"}},
		"a list":                {"- a\n", []string{":1: the file is a mapping"}},
		"default_model":         {provider + "default_model: b/m\n", []string{`:3: default_model: no model "b/m"; available: a/*, local/echo`}},
		"default_model no text": {"default_model: [x]\n", []string{":1: default_model is a text"}},
		"no option":             {provider + "  b: {protocol: openai, base_url: http://localhost:1, options: {beta: x}}\n", []string{`:3: provider b: there is no option "beta"`}},
		"alias option":          {provider + "models:\n  fast: {targets: a/m, retrys: 1}\n", []string{`:4: unknown key "retrys"`}},
		"price":                 {"prices: {models: {a/m: cheap}}\n", []string{":1: the price of a/m is a number"}},
		"limit":                 {"limits:\n  - {each: [caller]}\n", []string{":2: this rule limits nothing"}},
		"limit number":          {"limits:\n  - {requests_per_minute: 0.5}\n", []string{":2: requests_per_minute is a whole number"}},
		"moral filter":          {"moral_filter:\n  initial: 0.95\n", []string{":2: moral_filter:"}},
		"no moderator":          {provider + "moral_filter:\n  scorer:\n    moderation: {provider: b}\n", []string{`:5: there is no provider "b"`}},
		"scorer's key":          {"moral_filter:\n  scorer: {http: {url: http://localhost:1, key: hunter2}}\n", []string{":2: key is a reference"}},
		"all at once":           {"x: 1\nlimits: 7\nprices: []\n", []string{":1: unknown section", ":2: the list of limits is a list", ":3: prices is a mapping"}},
		"too large":             {"# " + strings.Repeat("x", 4<<20), []string{"more than 4 MiB"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "generator.yaml")
			require.NoError(t, os.WriteFile(path, []byte(c.text), 0o600))
			code, _, stderr := run(t, path, "--check-config", nil)
			require.Equal(t, 1, code)
			for _, want := range c.want {
				require.Contains(t, stderr, want)
			}
			require.Contains(t, stderr, "generator-config: ")
			require.NotContains(t, stderr, "hunter2")
			_, err := unit().Load(service.Source{Lookup: named(path)})
			require.Error(t, err, "it does not start either")
		})
	}
}

// A file that is not there, and a variable that is not set, are errors where the service starts.
func TestWhatTheFileRefersTo(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for path, want := range map[string]string{
		filepath.Join(r.dir, "nothing.yaml"):                            "nothing.yaml",
		r.write(t, "providers: {groq: {keys: [env:NO_SUCH_KEY_HERE]}}"): "providers.groq.keys[0]: env:NO_SUCH_KEY_HERE is not set",
	} {
		instance, err := unit().Load(service.Source{Lookup: named(path)})
		require.NoError(t, err)
		err = instance.Run(t.Context(), service.Deps{Bus: r.Server.Connect(t, "generator")})
		require.ErrorContains(t, err, want)
	}
}
