package config_test

import (
	"bytes"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/config"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
)

const canary = "sk-canary-31337"

type busConfig struct {
	URL string `name:"nats-url" env:"NATS_URL" default:"nats://127.0.0.1:4222" help:"Servers to connect to."`
}

func (c busConfig) Validate() error {
	if c.URL == "nowhere" {
		return errors.New("nats-url: nowhere is not a server")
	}
	return nil
}

type poolConfig struct {
	Size int `name:"size" env:"SIZE" default:"1" help:"Connections."`
}

type testConfig struct {
	busConfig `kong:"-"`        // unexported: not part of it
	Bus       busConfig         `embed:""`
	Pool      poolConfig        `embed:"" prefix:"pool-" envprefix:"POOL_"`
	Workers   int               `name:"workers" env:"MLSDM_WORKERS,WORKERS" default:"8" placeholder:"N" help:"Messages handled at once."`
	Wait      time.Duration     `name:"wait" env:"MLSDM_WAIT" default:"5s" help:"How long to wait."`
	Level     string            `name:"log-level" env:"MLSDM_LOG_LEVEL" enum:"debug,info" default:"info" group:"Logging" help:"Detail."`
	On        bool              `name:"on" env:"MLSDM_ON" default:"true" negatable:"" help:"Whether to."`
	Key       secret.Value      `name:"openai-api-key" env:"OPENAI_API_KEY" help:"The key of OpenAI."`
	Networks  []netip.Prefix    `name:"allow-networks" env:"ALLOW_NETWORKS" help:"Networks that are allowed."`
	Sizes     []int             `name:"sizes" env:"SIZES" default:"1,2" help:"Some sizes."`
	Labels    map[string]string `name:"labels" env:"LABELS" help:"Some labels."`
	Model     string            `name:"default-model" env:"DEFAULT_MODEL" help:"The model for those who name none."`
}

func (c testConfig) Validate() error {
	if c.Workers < 1 {
		return errors.New("workers: at least 1 is needed")
	}
	return nil
}

// environment makes a Lookup of a map.
func environment(vars map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		value, ok := vars[name]
		return value, ok
	}
}

// write puts text into a file of its own and returns its path.
func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "mlsdm.yaml")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

type input struct {
	args  []string
	env   map[string]string
	file  string
	known config.Known
}

func load(t *testing.T, in input) (testConfig, string, bool, error) {
	t.Helper()
	o := config.Options{
		Name: "embedder", Summary: "Embeds.", Version: "1.2.3", Examples: []string{"embedder --workers=2"},
		Args: in.args, Lookup: environment(in.env), Known: in.known,
	}
	if in.file != "" {
		o.File = write(t, in.file)
	}
	var out bytes.Buffer
	o.Out = &out
	var cfg testConfig
	done, err := config.Load(&cfg, o)
	return cfg, out.String(), done, err
}

func TestLoadDefaults(t *testing.T) {
	t.Parallel()
	cfg, out, done, err := load(t, input{})
	require.NoError(t, err)
	require.False(t, done)
	require.Empty(t, out)
	require.Equal(t, testConfig{
		Bus: busConfig{URL: "nats://127.0.0.1:4222"}, Pool: poolConfig{Size: 1}, Workers: 8, Wait: 5 * time.Second,
		Level: "info", On: true, Sizes: []int{1, 2},
	}, cfg)
}

// Every combination of the four sources: the highest that has a value gives it.
func TestLoadPrecedence(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		in   input
		want int
	}{
		{"default", input{}, 8},
		{"file over default", input{file: "workers: 20"}, 20},
		{"section over file", input{file: "embedder: {workers: 21}\nworkers: 20"}, 21},
		{"environment over file", input{file: "embedder: {workers: 21}\nworkers: 20", env: map[string]string{"MLSDM_WORKERS": "30"}}, 30},
		{"environment over default", input{env: map[string]string{"MLSDM_WORKERS": "30"}}, 30},
		{"second name of the environment", input{file: "workers: 20", env: map[string]string{"WORKERS": "31"}}, 31},
		{"first name over second", input{env: map[string]string{"MLSDM_WORKERS": "30", "WORKERS": "31"}}, 30},
		{"first name empty", input{env: map[string]string{"MLSDM_WORKERS": "", "WORKERS": "31"}}, 31},
		{"empty environment is not set", input{file: "workers: 20", env: map[string]string{"MLSDM_WORKERS": ""}}, 20},
		{"flag over environment", input{args: []string{"--workers=40"}, env: map[string]string{"MLSDM_WORKERS": "30"}}, 40},
		{"flag over file", input{args: []string{"--workers", "40"}, file: "workers: 20"}, 40},
		{
			"flag over all",
			input{args: []string{"--workers=40"}, env: map[string]string{"MLSDM_WORKERS": "30"}, file: "embedder: {workers: 21}\nworkers: 20"},
			40,
		},
		{"a wrong value that is overridden does no harm", input{args: []string{"--workers=40"}, env: map[string]string{"MLSDM_WORKERS": "many"}}, 40},
		{"null in the file is not set", input{file: "workers: ~"}, 8},
		{"null in the section leaves the flat key", input{file: "workers: 20\nembedder:\n"}, 20},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cfg, _, _, err := load(t, tt.in)
			require.NoError(t, err)
			require.Equal(t, tt.want, cfg.Workers)
		})
	}
}

func TestLoadEveryType(t *testing.T) {
	t.Parallel()
	want := testConfig{
		Bus: busConfig{URL: "nats://bus:4222"}, Pool: poolConfig{Size: 7}, Workers: 3, Wait: 90 * time.Second, Level: "debug",
		Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")},
		Sizes:    []int{3, 4}, Labels: map[string]string{"a": "1", "b": "2"}, Key: secret.NewValue(canary), Model: "local/hash-384",
	}
	tests := map[string]input{
		"flags": {args: []string{
			"--nats-url=nats://bus:4222", "--pool-size=7", "--workers=3", "--wait=1m30s", "--log-level=debug", "--no-on",
			"--allow-networks=127.0.0.0/8,::1/128", "--sizes=3,4", "--labels=a=1;b=2", "--openai-api-key=" + canary,
			"--default-model", "local/hash-384",
		}},
		"environment": {env: map[string]string{
			"NATS_URL": "nats://bus:4222", "POOL_SIZE": "7", "WORKERS": "3", "MLSDM_WAIT": "1m30s", "MLSDM_LOG_LEVEL": "debug", "MLSDM_ON": "false",
			"ALLOW_NETWORKS": "127.0.0.0/8, ::1/128", "SIZES": "3,4", "LABELS": "a=1;b=2", "OPENAI_API_KEY": canary,
			"DEFAULT_MODEL": "local/hash-384",
		}},
		"flat file": {file: `
nats-url: nats://bus:4222
pool-size: 7
workers: 3
wait: 1m30s
log-level: debug
on: false
allow-networks: [127.0.0.0/8, "::1/128"]
sizes: [3, 4]
labels: {a: 1, b: "2"}
openai-api-key: ` + canary + `
default-model: local/hash-384`},
		"nested file": {file: `
nats: {url: "nats://bus:4222"}
pool: {size: 7}
wait: 1m30s
log: {level: debug}
embedder:
  workers: 3
  on: no
  allow: {networks: ["127.0.0.0/8", "::1/128"]}
  sizes: 3,4
  labels: a=1;b=2
  openai: {api: {key: ` + canary + `}}
  default: {model: local/hash-384}`},
	}
	for name, in := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg, _, _, err := load(t, in)
			require.NoError(t, err)
			require.Equal(t, canary, cfg.Key.Reveal())
			require.Equal(t, want, cfg)
		})
	}
}

func TestLoadForgetsWhatTheStructHeld(t *testing.T) {
	t.Parallel()
	cfg := testConfig{Workers: -1, Model: "left over", Bus: busConfig{URL: "nowhere"}}
	_, err := config.Load(&cfg, config.Options{Name: "embedder"})
	require.NoError(t, err)
	require.Equal(t, 8, cfg.Workers)
	require.Empty(t, cfg.Model)
}

func TestLoadFileFromFlagAndEnvironment(t *testing.T) {
	t.Parallel()
	byFlag, byEnv, byCaller := write(t, "workers: 1"), write(t, "workers: 2"), write(t, "workers: 3")
	env := map[string]string{config.FileEnv: byEnv}
	tests := []struct {
		name string
		o    config.Options
		want int
		read string
	}{
		{"environment", config.Options{Lookup: environment(env)}, 2, byEnv},
		{"caller over environment", config.Options{Lookup: environment(env), File: byCaller}, 3, byCaller},
		{"flag over all", config.Options{Lookup: environment(env), File: byCaller, Args: []string{"--config", byFlag}}, 1, byFlag},
		{"flag for no file", config.Options{Lookup: environment(env), Args: []string{"--config="}}, 8, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var cfg testConfig
			read := "left over"
			tt.o.Name, tt.o.FileRead = "embedder", &read
			_, err := config.Load(&cfg, tt.o)
			require.NoError(t, err)
			require.Equal(t, tt.want, cfg.Workers)
			require.Equal(t, tt.read, read)
		})
	}
}

func TestLoadCallersDefaults(t *testing.T) {
	t.Parallel()
	o := config.Options{Name: "embedder", Defaults: map[string]string{"workers": "5", "allow-networks": "127.0.0.0/8,::1/128"}}
	var cfg testConfig
	_, err := config.Load(&cfg, o)
	require.NoError(t, err)
	require.Equal(t, 5, cfg.Workers)
	require.Len(t, cfg.Networks, 2)

	o.File = write(t, "workers: 6")
	_, err = config.Load(&cfg, o)
	require.NoError(t, err)
	require.Equal(t, 6, cfg.Workers, "the lowest of all sources")

	o.Defaults = map[string]string{"worker": "5"}
	_, err = config.Load(&cfg, o)
	require.ErrorContains(t, err, "--worker")
}

// A struct may be put together of parts that are known only when the program runs.
func TestLoadPartsBehindInterfaces(t *testing.T) {
	t.Parallel()
	part := &poolConfig{}
	cfg := struct {
		Part any        `embed:""`
		Bus  *busConfig `embed:""`
	}{Part: part}
	_, err := config.Load(&cfg, config.Options{Name: "x", Args: []string{"--size=3", "--nats-url=a"}})
	require.NoError(t, err)
	require.Equal(t, 3, part.Size)
	require.Equal(t, "a", cfg.Bus.URL)

	_, err = config.Load(&cfg, config.Options{Name: "x", Args: []string{"--nats-url=nowhere"}})
	require.ErrorContains(t, err, "nowhere is not a server")
}
