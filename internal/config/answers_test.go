package config_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/config"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
)

func TestHelp(t *testing.T) {
	t.Parallel()
	for _, flag := range []string{"--help", "-h"} {
		_, out, done, err := load(t, input{args: []string{flag}, env: map[string]string{"WORKERS": "many", "OPENAI_API_KEY": canary}})
		require.NoError(t, err, "help is given even to those whose settings are wrong")
		require.True(t, done)
		for _, part := range []string{
			"Usage: embedder [flags]", "Embeds.", "Examples:\n  embedder --workers=2\n", "--workers=N", "Messages handled at once",
			"(default 8,", "$MLSDM_WORKERS", "--config=FILE", "$MLSDM_CONFIG", "--print-config", "--check-config", "--version", "Logging",
		} {
			require.Contains(t, out, part)
		}
		require.NotContains(t, out, canary)
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	_, out, done, err := load(t, input{args: []string{"--version"}, env: map[string]string{"WORKERS": "many"}})
	require.NoError(t, err)
	require.True(t, done)
	require.Equal(t, "embedder 1.2.3\n", out)
}

func TestPrintConfig(t *testing.T) {
	t.Parallel()
	_, out, done, err := load(t, input{
		args: []string{"--print-config", "--sizes=5,6", "--allow-networks=10.0.0.0/8"},
		env:  map[string]string{"OPENAI_API_KEY": canary, "NATS_URL": "nats://user:hunter2@a:4222,nats://token@b:4222"},
		file: "workers: 3\nlabels: {b: two words, a: 'true'}",
	})
	require.NoError(t, err)
	require.True(t, done)
	for _, line := range []string{
		"nats-url: nats://[redacted]@a:4222,nats://[redacted]@b:4222 # NATS_URL\n",
		"workers: 3 # ", "mlsdm.yaml:1\n",
		"wait: 5s # default\n",
		"on: true # default\n",
		"openai-api-key: '[redacted]' # OPENAI_API_KEY\n",
		"allow-networks: [10.0.0.0/8] # flag\n",
		"sizes: [5, 6] # flag\n",
		`labels: {a: "true", b: two words} # `,
		"default-model: \"\" # default\n",
	} {
		require.Contains(t, out, line)
	}
	for _, hidden := range []string{canary, "hunter2", "token", "print-config", "config:"} {
		require.NotContains(t, out, hidden)
	}
}

// What --print-config prints can be read again, and says the same.
func TestPrintConfigRoundTrip(t *testing.T) {
	t.Parallel()
	_, first, _, err := load(t, input{args: []string{"--print-config", "--workers=3", "--labels=a=1;b=x=y", "--sizes=7"}})
	require.NoError(t, err)
	cfg, _, _, err := load(t, input{file: first})
	require.NoError(t, err)
	require.Equal(t, 3, cfg.Workers)
	require.Equal(t, map[string]string{"a": "1", "b": "x=y"}, cfg.Labels)
	require.Equal(t, []int{7}, cfg.Sizes)
}

func TestPrintConfigThenSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	_, out, _, err := load(t, input{args: []string{"--print-config", "--workers=0"}})
	require.ErrorContains(t, err, "workers: at least 1")
	require.Contains(t, out, "workers: 0 # flag\n")
}

func TestCheckConfig(t *testing.T) {
	t.Parallel()
	_, out, done, err := load(t, input{args: []string{"--check-config"}})
	require.NoError(t, err)
	require.True(t, done)
	require.Equal(t, "embedder: the configuration is valid\n", out)

	for name, in := range map[string]input{
		"Validate":         {args: []string{"--check-config", "--workers=0"}},
		"environment":      {args: []string{"--check-config"}, env: map[string]string{"WORKERS": "many"}},
		"file":             {args: []string{"--check-config"}, file: "worker: 3"},
		"another flag too": {args: []string{"--check-config", "--wait=soon"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, out, _, err := load(t, in)
			var configErr *config.Error
			require.ErrorAs(t, err, &configErr)
			require.Equal(t, 1, configErr.ExitCode())
			require.Empty(t, out)
		})
	}
}

// Actions are for the command line: neither file nor environment may set them off.
func TestActionsAreOnlyOnTheCommandLine(t *testing.T) {
	t.Parallel()
	var cfg struct {
		Health bool `name:"health" env:"HEALTH" action:"" help:"Ask."`
		Name   string
	}
	o := config.Options{Name: "x", Lookup: environment(map[string]string{"HEALTH": "true", "VERSION": "true"})}
	_, err := config.Load(&cfg, o)
	require.NoError(t, err)
	require.False(t, cfg.Health)

	o.File = filepath.Join(t.TempDir(), "mlsdm.yaml")
	for _, text := range []string{"health: true", "help: true", "print-config: true", "config: other.yaml"} {
		require.NoError(t, os.WriteFile(o.File, []byte(text), 0o600))
		_, err = config.Load(&cfg, o)
		require.ErrorContains(t, err, "unknown key")
	}

	o.File, o.Args = "", []string{"--health"}
	_, err = config.Load(&cfg, o)
	require.NoError(t, err)
	require.True(t, cfg.Health)

	var out bytes.Buffer
	o.Args, o.Out = []string{"--print-config"}, &out
	_, err = config.Load(&cfg, o)
	require.NoError(t, err)
	require.NotContains(t, out.String(), "health")
}

func TestFields(t *testing.T) {
	t.Parallel()
	fields, err := config.Fields(&testConfig{})
	require.NoError(t, err)
	byName := map[string]config.Field{}
	var names []string
	for _, f := range fields {
		byName[f.Name] = f
		names = append(names, f.Name)
	}
	require.Equal(t, []string{
		"nats-url", "pool-size", "workers", "wait", "log-level", "on", "openai-api-key", "allow-networks", "sizes", "labels", "default-model",
	}, names)
	require.Equal(t, config.Field{
		Name: "workers", Env: []string{"MLSDM_WORKERS", "WORKERS"}, Default: "8", Help: "Messages handled at once.", Placeholder: "N", Type: "int",
	}, byName["workers"])
	require.True(t, byName["openai-api-key"].Secret)
	require.Equal(t, []string{"POOL_SIZE"}, byName["pool-size"].Env)
	require.Equal(t, []string{"debug", "info"}, byName["log-level"].Enum)
	require.Equal(t, "Logging", byName["log-level"].Group)

	var secrets struct {
		Many []secret.Value          `name:"many" required:""`
		Map  map[string]secret.Value `name:"map"`
	}
	fields, err = config.Fields(&secrets)
	require.NoError(t, err)
	require.True(t, fields[0].Secret)
	require.True(t, fields[0].Required)
	require.True(t, fields[1].Secret)
}
