package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWhichServer(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	contexts := filepath.Join(dir, "nats", "context")
	require.NoError(t, os.MkdirAll(contexts, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(contexts, "there.json"), []byte(`{"url":"nats://context"}`), 0o600))

	const flag, env = "nats://flag", "nats://env"
	for name, c := range map[string]struct {
		given connection
		env   map[string]string
		want  string
		fails string
	}{
		"nothing":                     {want: defaultServer},
		"flag":                        {given: connection{Server: flag}, want: flag},
		"environment":                 {given: connection{Server: env}, env: map[string]string{"NATS_URL": env}, want: env},
		"context":                     {given: connection{Context: "there"}, want: "nats://context"},
		"context over environment":    {given: connection{Server: env, Context: "there"}, env: map[string]string{"NATS_URL": env}, want: "nats://context"},
		"no such context":             {given: connection{Server: env, Context: "gone"}, env: map[string]string{"NATS_URL": env}, fails: "no NATS context"},
		"flag over environment":       {given: connection{Server: flag, Context: "there"}, env: map[string]string{"NATS_CONTEXT": "there"}, want: flag},
		"both in the environment":     {given: connection{Server: env, Context: "there"}, env: map[string]string{"NATS_URL": env, "NATS_CONTEXT": "there"}, want: env},
		"both on the command line":    {given: connection{Server: flag, Context: "there"}, fails: "leave one out"},
		"both, and others are around": {given: connection{Server: flag, Context: "there"}, env: map[string]string{"NATS_URL": env, "NATS_CONTEXT": "x"}, fails: "leave one out"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := c.given.resolve(terminal{lookup: func(name string) (string, bool) {
				if name == "XDG_CONFIG_HOME" {
					return dir, true
				}
				value, ok := c.env[name]
				return value, ok
			}})
			if c.fails != "" {
				require.ErrorContains(t, err, c.fails)
				return
			}
			require.NoError(t, err)
			require.Equal(t, c.want, got.Server)
		})
	}
}
