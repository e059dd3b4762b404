package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/cmd/mlsdmctl/internal/installation"
	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/internal/permissions"
)

// typed runs a command line and returns its exit code and what it printed.
func typed(t *testing.T, args ...string) (int, string) {
	t.Helper()
	var out bytes.Buffer
	code := run(t.Context(), args, terminal{
		in: bytes.NewReader(nil), out: &out, err: &out, lookup: func(string) (string, bool) { return "", false },
	})
	return code, out.String()
}

func TestInit(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "installation")
	code, out := typed(t, "init", "--dir", dir, "--caller", "team-a", "--caller=team-b", "--json")
	require.Zero(t, code, out)
	require.NotRegexp(t, `SU[A-Z2-7]{56}`, out, "no seed is printed")
	var result installation.Result
	require.NoError(t, json.Unmarshal([]byte(out), &result))
	require.Subset(t, result.Users, []string{"team-a", "team-b"})

	code, out = typed(t, "init", "--dir", dir)
	require.Zero(t, code, out)
	require.Contains(t, out, "nothing was changed")
	code, out = typed(t, "init", "--dir", dir, "--rotate", "dispatcher,client")
	require.Zero(t, code, out)
	require.Contains(t, out, "docker compose kill --signal HUP nats")
	require.Contains(t, out, "--force-recreate dispatcher\n")
	for _, args := range [][]string{{"--caller", "embedder"}, {"--rotate", "nobody"}, {"--tls-name", "x"}} {
		code, out = typed(t, append([]string{"init", "--dir", dir}, args...)...)
		require.Equal(t, 1, code, out)
	}
}

// Who has a key file of init needs nothing else to come in, and is who the file says.
func TestTheKeySaysWhoAsks(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t, bustest.Closed())
	as := func(user string, args ...string) (int, string) {
		key := s.Key(t, user)
		text := "# user: " + user + "\n"
		if !key.API.IsZero() {
			text += "# api: " + key.API.Reveal() + "\n"
		}
		file := filepath.Join(t.TempDir(), "key")
		require.NoError(t, os.WriteFile(file, []byte(text+key.Seed.Reveal()+"\n"), 0o600))
		return typed(t, append([]string{"--server", s.URL(), "--nkey", file}, args...)...)
	}
	code, out := as(permissions.Client, "publish", "custom.deploy", `{"version":"1"}`)
	require.Zero(t, code, out)
	code, out = as(permissions.Client, "publish", "ci.degraded", "{}")
	require.Equal(t, 1, code, out)
	code, out = as(permissions.Client, "embed", "hello", "--timeout", "5s")
	require.Equal(t, 1, code)
	require.Contains(t, out, "mlsdm.as.client.embed", "it asks as itself, and nobody is there to answer")
	code, out = as(permissions.Admin, "provision")
	require.Zero(t, code, out)
	require.Contains(t, out, "MLSDM_EVENTS")
	_, out = as(permissions.Admin, "doctor")
	require.Contains(t, out, "streams, consumers and buckets are there")
	code, out = typed(t, "--server", s.URL(), "publish", "custom.deploy", "{}")
	require.Equal(t, 1, code)
	require.Contains(t, out, "This bus is closed")
}
