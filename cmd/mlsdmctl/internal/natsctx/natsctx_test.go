package natsctx_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/cmd/mlsdmctl/internal/natsctx"
)

func TestLoad(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	env := func(name string) string { return map[string]string{"HOME": home}[name] }
	_, err := natsctx.Load("", env)
	require.ErrorIs(t, err, natsctx.ErrNone)
	_, err = natsctx.Load("", func(string) string { return "" })
	require.ErrorIs(t, err, natsctx.ErrNone)

	dir := filepath.Join(home, ".config", "nats")
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "context"), 0o700))
	write := func(name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	write("context/prod.json", `{"description":"x","url":"nats://prod:4222","creds":"/c","color_scheme":"red"}`)
	write("context/odd.json", `{"url":"nats://odd:4222","nsc":"nsc://op/acc/user"}`)
	write("context/bad.json", `{`)
	write("context.txt", "prod\n")

	c, err := natsctx.Load("", env)
	require.NoError(t, err)
	require.Equal(t, natsctx.Context{Name: "prod", URL: "nats://prod:4222", Creds: "/c"}, c)
	for name, want := range map[string]string{
		"odd": "uses nsc", "bad": "not readable", "nope": "there is no NATS context", "../prod": "not the name", "..": "not the name",
	} {
		_, err = natsctx.Load(name, env)
		require.ErrorContains(t, err, want, name)
	}
}
