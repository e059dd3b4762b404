package permissions_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/internal/permissions"
	"github.com/neuron7x/mlsdm-integrations/test/natscli"
)

// What docs/closed-bus.md says of `nats` works.
func TestTheNATSCommandLine(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t, bustest.Closed())
	as := func(user string, args ...string) string {
		key := s.Key(t, user)
		file := filepath.Join(t.TempDir(), user+".nk")
		require.NoError(t, os.WriteFile(file, []byte("# user: "+user+"\n"+key.Seed.Reveal()+"\n"), 0o600))
		flags := []string{"--nkey", file, "--inbox-prefix", permissions.Inbox(user)}
		if user == permissions.Admin {
			flags = append(flags, "--js-api-prefix", key.API.Reveal())
		}
		return natscli.Run(t, s.URL(), append(flags, args...)...)
	}
	require.Contains(t, as(permissions.Client, "pub", "--jetstream", "mlsdm.events.custom.deploy", "hello"), "MLSDM_EVENTS")
	require.Contains(t, as(permissions.Client, "sub", "--stream", "MLSDM_EVENTS", "--all", "--count", "1", "mlsdm.events.>"), "hello")
	require.Contains(t, as(permissions.Admin, "stream", "ls", "--names"), "MLSDM_AUDIT")
	require.Contains(t, as(permissions.Admin, "sub", "--stream", "MLSDM_EVENTS", "--all", "--count", "1", "mlsdm.events.>"), "hello")
	require.Contains(t, as(permissions.Admin, "stream", "get", "MLSDM_EVENTS", "1"), "hello")
	require.Contains(t, as(permissions.Admin, "kv", "put", "mlsdm_ci", "key", "value"), "value")
	require.Contains(t, as(permissions.Admin, "kv", "get", "mlsdm_ci", "key", "--raw"), "value")
	require.Contains(t, as(permissions.Admin, "consumer", "ls", "MLSDM_REQUESTS", "--names"), "embedder")
}
