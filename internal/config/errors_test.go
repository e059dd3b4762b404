package config_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/config"
)

func TestLoadErrorsSayWhatAndWhere(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		in   input
		want []string // each is in the message
	}{
		{"unknown flag", input{args: []string{"--worker=3"}}, []string{"unknown flag --worker", "--workers"}},
		{"unexpected argument", input{args: []string{"now"}}, []string{"unexpected argument now"}},
		{"wrong flag", input{args: []string{"--workers=many"}}, []string{"--workers", `"many"`, "int"}},
		{"wrong environment", input{env: map[string]string{"WORKERS": "many"}}, []string{"--workers", `"many"`, "(set by WORKERS)"}},
		{"environment is not UTF-8", input{env: map[string]string{"DEFAULT_MODEL": "a\xff"}}, []string{"--default-model", "UTF-8"}},
		{"wrong file", input{file: "\nworkers: many"}, []string{"--workers", `"many"`, "mlsdm.yaml:2)"}},
		{"wrong duration", input{file: "wait: 10"}, []string{"--wait", "missing unit", "mlsdm.yaml:1)"}},
		{"not of the enum", input{file: "log-level: loud"}, []string{"--log-level", `"debug","info"`, `"loud"`, "mlsdm.yaml:1)"}},
		{"Validate", input{args: []string{"--workers=0"}}, []string{"workers: at least 1"}},
		{"Validate of an embedded struct", input{file: "nats-url: nowhere"}, []string{"nats-url: nowhere is not a server"}},

		{"unknown key", input{file: "workers: 3\nlog-lvel: debug"}, []string{"mlsdm.yaml:2", `"log-lvel"`, `did you mean "log-level"?`}},
		{"underscores", input{file: "log_level: debug"}, []string{`"log_level"`, `did you mean "log-level"?`}},
		{"unknown nested key", input{file: "pool:\n  sice: 3"}, []string{"mlsdm.yaml:2", `"pool-sice"`, `did you mean "pool-size"?`}},
		{"unknown key without a neighbour", input{file: "xyzzy-plugh-frotz: 3"}, []string{`unknown key "xyzzy-plugh-frotz"`}},
		{"unknown empty key", input{file: "xyzzy:"}, []string{`unknown key "xyzzy"`}},
		{"unknown empty mapping", input{file: "xyzzy: {}"}, []string{`unknown key "xyzzy"`}},
		{"misspelled section", input{file: "embeder: {workers: 3}"}, []string{`"embeder-workers"`}},
		{"unknown key in the own section", input{file: "embedder:\n  worker: 3"}, []string{"mlsdm.yaml:2", `"worker" in section "embedder"`, `"workers"?`}},
		{"every unknown key is named", input{file: "worker: 1\nsize: 2"}, []string{"mlsdm.yaml:1", "mlsdm.yaml:2", `"worker"`, `"size"`}},
		{"twice", input{file: "workers: 3\nworkers: 4"}, []string{"mlsdm.yaml:2", "workers is set twice, first in line 1"}},
		{"twice, nested", input{file: "nats-url: a\nnats: {url: b}"}, []string{"mlsdm.yaml:2", "nats-url is set twice, first in line 1"}},

		{"list for a single value", input{file: "workers: [1, 2]"}, []string{"--workers: must be a single value", "mlsdm.yaml:1)"}},
		{"mapping for a list", input{file: "sizes: {a: 1}"}, []string{`unknown key "sizes-a"`}},
		{"list of lists", input{file: "sizes: [[1]]"}, []string{"--sizes: must hold single values"}},
		{"list for a mapping", input{file: "labels: [a]"}, []string{"--labels: must be a mapping"}},
		{"mapping of mappings", input{file: "labels: {a: {b: c}}"}, []string{"--labels: must map names to single values"}},
		{"not a mapping", input{file: "- workers"}, []string{"mlsdm.yaml:1", "settings are expected"}},
		{"a sentence", input{file: "hello"}, []string{"mlsdm.yaml:1", "settings are expected"}},
		{"not YAML", input{file: "workers: [1"}, []string{"mlsdm.yaml", "yaml"}},
		{"two documents", input{file: "workers: 1\n---\nworkers: 2"}, []string{"one YAML document"}},
		{"alias", input{file: "workers: &w 3\nsizes: *w"}, []string{"mlsdm.yaml:2", "anchors and aliases"}},
		{"merge", input{file: "<<: {workers: 3}"}, []string{"a key must be a plain name"}},
		{"key that is a list", input{file: "? [a]\n: 3"}, []string{"a key must be a plain name"}},
		{"too deep", input{file: "a: {a: {a: {a: {a: {a: {a: {a: {a: {a: 1}}}}}}}}}"}, []string{"nested too deeply"}},
		{"too large", input{file: "# " + strings.Repeat("x", 1<<20)}, []string{"larger than 1048576 bytes"}},
		{"the mark of a redacted secret", input{file: "openai-api-key: '[redacted]'"}, []string{"--openai-api-key", "--print-config"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, out, done, err := load(t, tt.in)
			var configErr *config.Error
			require.ErrorAs(t, err, &configErr)
			require.Equal(t, 2, configErr.ExitCode())
			require.False(t, done)
			require.Empty(t, out)
			for _, part := range tt.want {
				require.ErrorContains(t, err, part)
			}
		})
	}
}

func TestLoadMissingFile(t *testing.T) {
	t.Parallel()
	var cfg testConfig
	for _, path := range []string{filepath.Join(t.TempDir(), "absent.yaml"), t.TempDir()} {
		_, err := config.Load(&cfg, config.Options{Name: "embedder", Args: []string{"--config", path}})
		require.ErrorContains(t, err, path)
		var configErr *config.Error
		require.ErrorAs(t, err, &configErr)
	}
}

// A secret in the wrong place or shape must not appear in the message about it.
func TestLoadErrorsHideSecrets(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"openai-api-key: [" + canary + "]",
		"openai-api-key: {a: " + canary + "}",
		"openai-api-key: " + canary + "\nopenai-api-key: " + canary,
		"openai-api-kee: " + canary,
	} {
		_, _, _, err := load(t, input{file: text})
		require.Error(t, err)
		require.NotContains(t, err.Error(), canary)
	}
}

func TestLoadRejectsUnusableStructs(t *testing.T) {
	t.Parallel()
	var twice struct {
		A string `name:"same"`
		B string `name:"same"`
	}
	_, err := config.Load(&twice, config.Options{Name: "x"})
	require.ErrorContains(t, err, "same")

	var taken struct {
		A string `name:"version"`
	}
	_, err = config.Load(&taken, config.Options{Name: "x"})
	require.ErrorContains(t, err, "flag --version is declared twice")

	var required struct {
		A string `name:"needed" env:"NEEDED" required:""`
	}
	_, err = config.Load(&required, config.Options{Name: "x"})
	require.ErrorContains(t, err, "--needed")
	_, err = config.Load(&required, config.Options{Name: "x", Lookup: environment(map[string]string{"NEEDED": "a"})})
	require.NoError(t, err)
	require.Equal(t, "a", required.A)
}
