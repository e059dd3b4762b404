package config_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/config"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/local"
)

// connection is needed before anybody can be asked.
type connection struct {
	Password secret.Value `name:"nats-password" env:"NATS_PASSWORD" refs:"local" help:"A password."`
}

// referring has a setting of each kind that can hold a secret.
type referring struct {
	Bus  connection     `embed:"" group:"NATS"`
	Key  secret.Value   `name:"key" env:"KEY" help:"A key."`
	Keys []secret.Value `name:"keys" env:"KEYS" refs:"fixed" help:"Some keys."`
	Raw  secret.Value   `name:"raw" env:"RAW" refs:"none" help:"No reference."`
	Name string         `name:"plain" env:"PLAIN" help:"No secret."`
}

// refer loads the settings of an environment.
func refer(t *testing.T, vars map[string]string, args ...string) (*referring, string, error) {
	t.Helper()
	var out bytes.Buffer
	cfg := &referring{}
	_, err := config.Load(cfg, config.Options{Name: "embedder", Args: args, Lookup: environment(vars), Out: &out})
	return cfg, out.String(), err
}

func TestReferences(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "password")
	require.NoError(t, os.WriteFile(file, []byte(canary+"\n"), 0o600))
	cfg, _, err := refer(t, map[string]string{
		"NATS_PASSWORD": "file:" + file, "KEY": "secret:openai_api_key", "RAW": "secret:literally", "PLAIN": "secret:text",
		"KEYS": "plain,vault:mlsdm/seal#key,env:OTHER,file:/run/secrets/later", "OTHER": "from the environment",
	})
	require.NoError(t, err)
	require.Equal(t, canary, cfg.Bus.Password.Reveal(), "a file that is needed at once is read at once")
	require.True(t, cfg.Bus.Password.IsLive())
	require.True(t, cfg.Key.IsPending())
	require.Equal(t, "secret:literally", cfg.Raw.Reveal())
	require.Equal(t, "secret:text", cfg.Name)
	require.Equal(t, "plain", cfg.Keys[0].Reveal())
	require.False(t, cfg.Keys[0].IsLive())
	require.Equal(t, "from the environment", cfg.Keys[2].Reveal())
	require.False(t, cfg.Keys[2].IsLive(), "the environment does not change")

	refs, err := config.References(cfg)
	require.NoError(t, err)
	got := make([]string, 0, len(refs))
	for _, ref := range refs {
		got = append(got, ref.Setting+" "+ref.Secret.String())
		require.Equal(t, ref.Setting == "keys", ref.Fixed)
	}
	require.Equal(t, []string{"key secret:openai_api_key", "keys vault:mlsdm/seal#key", "keys file:/run/secrets/later"}, got)

	refs[0].Secret.Bind(local.NewFile(file))
	refs, err = config.References(cfg)
	require.NoError(t, err)
	require.Len(t, refs, 3, "a service that is started again sees to all of them again")
}

func TestReferencesOfWhoHasNobodyToAsk(t *testing.T) {
	t.Parallel()
	var cfg referring
	load := func(vars map[string]string) error {
		_, err := config.Load(&cfg, config.Options{Name: "secretd", LocalRefs: true, Lookup: environment(vars)})
		return err
	}
	require.ErrorContains(t, load(map[string]string{"KEY": "secret:" + canary}), "only env:VARIABLE and file:/path")
	require.ErrorContains(t, load(map[string]string{"KEYS": "vault:mlsdm/x"}), "keys:")
	require.ErrorContains(t, load(map[string]string{"KEY": "file:/does/not/exist"}), "/does/not/exist")
	require.NoError(t, load(map[string]string{"KEY": "env:OTHER", "OTHER": "x"}))
	require.Equal(t, "x", cfg.Key.Reveal())
}

func TestReferencesThatAreWrong(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		vars map[string]string
		want string
	}{
		"no name":               {map[string]string{"KEY": "secret:"}, "key: not a name of a secret"},
		"a name that climbs":    {map[string]string{"KEY": "secret:../" + canary}, "key: not a name of a secret"},
		"a path that climbs":    {map[string]string{"KEY": "vault:a/../" + canary}, "key: not a reference"},
		"a relative file":       {map[string]string{"KEY": "file:" + canary}, "an absolute path"},
		"one of many":           {map[string]string{"KEYS": "x,azure:a/" + canary}, "keys: not a reference"},
		"before there is a bus": {map[string]string{"NATS_PASSWORD": "secret:nats"}, "nats-password: only env:VARIABLE and file:/path"},
		"no such variable":      {map[string]string{"KEY": "env:NOT_THERE"}, "key: env:NOT_THERE is not set (set by KEY)"},
		"no such file, at once": {map[string]string{"NATS_PASSWORD": "file:/does/not/exist"}, "/does/not/exist"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, out, err := refer(t, test.vars)
			require.ErrorContains(t, err, test.want)
			require.NotContains(t, err.Error(), canary)
			require.Empty(t, out)
			var configErr *config.Error
			require.ErrorAs(t, err, &configErr)
			require.Equal(t, 2, configErr.ExitCode())
		})
	}
}

func TestReferencesAreChecked(t *testing.T) {
	t.Parallel()
	vars := map[string]string{"KEY": "secret:key", "NATS_PASSWORD": "file:/does/not/exist/here", "KEYS": "env:NOT_THERE"}
	_, out, err := refer(t, vars, "--check-config")
	require.NoError(t, err, "the grammar is checked, wherever that is done; what is there is not")
	require.Contains(t, out, "valid")

	_, _, err = refer(t, map[string]string{"KEY": "vault:../x"}, "--check-config")
	var configErr *config.Error
	require.ErrorAs(t, err, &configErr)
	require.Equal(t, 1, configErr.ExitCode())
}

func TestReferencesArePrinted(t *testing.T) {
	t.Parallel()
	_, out, err := refer(t, map[string]string{"KEY": "vault:mlsdm/openai#api_key@3", "KEYS": canary + ",secret:seal", "RAW": canary}, "--print-config")
	require.NoError(t, err)
	require.Contains(t, out, "key: vault:mlsdm/openai#api_key@3 # KEY")
	require.Contains(t, out, "keys: ['[redacted]', 'secret:seal']")
	require.NotContains(t, out, canary)

	file := filepath.Join(t.TempDir(), "mlsdm.yaml")
	require.NoError(t, os.WriteFile(file, []byte(out), 0o600))
	_, _, err = refer(t, nil, "--config", file, "--raw=x", "--keys=x", "--check-config")
	require.NoError(t, err, "what was printed can be read")
}
