package embedder_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/service"
)

// check runs the command with --check-config.
func check(t *testing.T, environment map[string]string) (code int, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = program().Execute(t.Context(), service.Process{
		Args: []string{"--check-config"}, Stdout: &out, Stderr: &errs, Lookup: lookup(environment),
	})
	return code, errs.String()
}

// TestWrongFiles are refused with what is wrong with them, and where.
func TestWrongFiles(t *testing.T) {
	t.Parallel()
	const provider = "providers:\n  p: {protocol: tei, base_url: http://localhost:1}\n"
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"unknown section": {"\nprovider: {}\n", []string{`:2: unknown section "provider"; there are default_model, providers and models`}},
		"section twice":   {provider + "providers: {}\n", []string{":3: providers stands there twice, first in line 1"}},
		"no YAML":         {"a: [", []string{"line 1"}},
		"a list":          {"- a\n", []string{":1: the file is a mapping"}},
		"default_model":   {provider + "default_model: q/m\n", []string{`:3: default_model: no model "q/m"; available: `}},
		"key":             {"providers:\n  openai: {keys: [hunter2]}\n", []string{":2: a key is a reference"}},
		"option": {
			provider + "  q: {protocol: tei, base_url: http://localhost:1, options: {prompt_querry: x}}\n",
			[]string{`:3: provider q: there is no option "prompt_querry"; there are: prompt_classification, prompt_clustering, prompt_document, prompt_query`},
		},
		"option of a protocol without": {
			"providers:\n  q: {protocol: ollama, base_url: http://localhost:1, options: {num_ctx: \"1\"}}\n",
			[]string{`:2: provider q: there is no option "num_ctx"; there are: trace_context`},
		},
		"header":      {"providers:\n  q: {protocol: ollama, base_url: http://localhost:1, headers: {X-A: b}}\n", []string{":2: provider q: headers cannot be sent by the protocol ollama"}},
		"pooling":     {provider + "models:\n  p/m: {pooling: median}\n", []string{`:4: unknown pooling "median"; there are mean, cls, max and last`}},
		"no space":    {provider + "models:\n  m: {targets: [p/a, p/b]}\n", []string{":4: m has several targets", "say which, as in space: "}},
		"other space": {provider + "models:\n  a: {targets: [p/m], other_space: p/m}\n", []string{":4: other_space: p/m lies in the same space"}},
		"two spaces":  {provider + "models:\n  a: {targets: [p/m], space: s}\n  b: {targets: [p/m], space: z}\n", []string{":5: the vectors of p/m lie in one space"}},
		"two prefixes": {
			provider + "models:\n  a: {targets: [p/m], space: s, prefixes: {query: q}}\n  b: {targets: [p/n], space: s}\n",
			[]string{":5: b and a, in line 4, say that they are the same model (s), and not the same of its prefixes"},
		},
		"all at once": {"x: 1\nproviders: 7\nmodels: []\n", []string{":1: unknown section", ":2: providers is a mapping", ":3: models is a mapping"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "embedder.yaml")
			require.NoError(t, os.WriteFile(path, []byte(c.text), 0o600))
			environment := map[string]string{"EMBEDDER_CONFIG": path}
			code, stderr := check(t, environment)
			require.Equal(t, 1, code)
			for _, want := range c.want {
				require.Contains(t, stderr, want)
			}
			require.Contains(t, stderr, "embedder-config: ")
			require.NotContains(t, stderr, "hunter2")
			_, err := program().Load(service.Source{Lookup: lookup(environment)})
			require.Error(t, err, "it does not start either")
		})
	}
}

// TestRightFiles can be used, and so can the example.
func TestRightFiles(t *testing.T) {
	t.Parallel()
	for _, path := range []string{
		filepath.Join("..", "..", "deploy", "embedder", "example.yaml"), newRig(t).write(t, everyProtocol), newRig(t).write(t, twoServers),
		newRig(t).write(t, "\n"),
	} {
		code, stderr := check(t, map[string]string{"EMBEDDER_CONFIG": path})
		require.Zero(t, code, "%s: %s", path, stderr)
	}
	code, stderr := check(t, nil)
	require.Zero(t, code, stderr)
}

// TestWhatFilesReferTo: a file that is not there, and a variable that is not set, are errors where the service starts.
func TestWhatFilesReferTo(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for path, want := range map[string]string{
		filepath.Join(r.dir, "nothing.yaml"):                              "nothing.yaml",
		r.write(t, "providers: {cohere: {keys: [env:NO_SUCH_KEY_HERE]}}"): "providers.cohere.keys[0]: env:NO_SUCH_KEY_HERE is not set",
	} {
		instance, err := program().Load(service.Source{Lookup: lookup(map[string]string{"EMBEDDER_CONFIG": path})})
		require.NoError(t, err)
		err = instance.Run(t.Context(), service.Deps{Bus: r.Server.Connect(t, "embedder")})
		require.ErrorContains(t, err, want)
	}
}

// TestKeysOfTheEnvironment are what a reference in the file or in the settings says.
func TestKeysOfTheEnvironment(t *testing.T) {
	const key = "k-of-the-environment"
	t.Setenv("EMBEDDER_TEST_KEY", key)
	r := newRig(t)
	p := r.model(t, "p")
	r.start(t, `providers: {cohere: {base_url: "$p/v2", keys: [env:EMBEDDER_TEST_KEY]}}`, map[string]string{
		"OPENAI_API_KEY": "env:EMBEDDER_TEST_KEY", "EMBEDDER_TEST_KEY": key, "OPENAI_BASE_URL": p.URL + "/v1",
	})
	for _, model := range []string{"cohere/m", "openai/m"} {
		r.embed(t, model, []string{"a"})
		require.True(t, strings.HasSuffix(p.last().Key, key), model)
	}
	require.Len(t, p.requests(), 2)
}
