package config_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/config"
)

// One file serves all services: each reads what is its own and checks the rest.
func TestLoadFileOfAllServices(t *testing.T) {
	t.Parallel()
	known := config.Known{"dispatcher": {"webhook-url", "workers", "headers"}, "secretd": {"vault-addr"}, "up": {"data"}}
	cfg, _, _, err := load(t, input{known: known, file: `
workers: 20
webhook-url: https://example.com/hook
vault: {addr: "http://vault:8200"}
headers: {X-One: "1"}
dispatcher: {workers: 50, webhook: {url: "https://example.com"}, headers: {X-Two: "2"}}
secretd:
up: {data: .mlsdm}
embedder: {default-model: local/hash-384}
`})
	require.NoError(t, err)
	require.Equal(t, 20, cfg.Workers, "the section of another service is not ours")
	require.Equal(t, "local/hash-384", cfg.Model)

	tests := []struct {
		name, file string
		want       []string
	}{
		{"flat key of nobody", "webhook-ulr: x", []string{`unknown key "webhook-ulr"`, `did you mean "webhook-url"?`}},
		{"misspelled in another's section", "dispatcher:\n  worker: 3", []string{"mlsdm.yaml:2", `"worker" in section "dispatcher"`, `"workers"?`}},
		{
			"setting of another service in the own section", "embedder:\n  vault-addr: x",
			[]string{`unknown key "vault-addr" in section "embedder"`, "it is a setting of secretd"},
		},
		{"misspelled section", "dispacher: 3", []string{`unknown key "dispacher"; did you mean "dispatcher"?`}},
		{"twice in another's section", "dispatcher: {workers: 1, workers: 2}", []string{"workers is set twice"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, _, _, err := load(t, input{known: known, file: tt.file})
			for _, part := range tt.want {
				require.ErrorContains(t, err, part)
			}
		})
	}
}

func TestLoadKnowsItsOwnKeysWhateverKnownSays(t *testing.T) {
	t.Parallel()
	known := config.Known{"embedder": {"long-gone"}}
	cfg, _, _, err := load(t, input{known: known, file: "workers: 3"})
	require.NoError(t, err)
	require.Equal(t, 3, cfg.Workers)
	require.Equal(t, config.Known{"embedder": {"long-gone"}}, known, "the caller's value must not change")
	_, _, _, err = load(t, input{known: known, file: "long-gone: 3"})
	require.ErrorContains(t, err, "unknown key")
}

// A command with a name of two words still has a section of one.
func TestLoadSectionOfAnotherName(t *testing.T) {
	t.Parallel()
	var cfg testConfig
	path := write(t, "up: {workers: 3}\nworkers: 2\nembedder: {anything: 1}")
	_, err := config.Load(&cfg, config.Options{
		Name: "mlsdmctl up", Section: "up", File: path, Known: config.Known{"embedder": {"anything"}},
	})
	require.NoError(t, err)
	require.Equal(t, 3, cfg.Workers)
}
