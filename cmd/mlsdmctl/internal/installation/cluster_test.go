package installation_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/cmd/mlsdmctl/internal/installation"
)

func TestClusterOfFewerThanThreeIsRefused(t *testing.T) {
	t.Parallel()
	for _, hosts := range [][]string{{"a", "b"}, {"a", "b", "b"}, {"a", "b", "c:6222"}, {"a", "b", "c\""}, {"a", "b", ""}} {
		o := options(t)
		o.Cluster = hosts
		_, err := installation.Make(o)
		require.Error(t, err, "%q", hosts)
		require.NoDirExists(t, o.Dir, "nothing was made")
	}
}

func TestClusterIsKeptAndSecret(t *testing.T) {
	t.Parallel()
	o := options(t)
	require.Len(t, create(t, o).Changes, 15)
	o.Cluster = []string{"nats-1", "nats-2", "nats-3"}
	result := create(t, o)
	made := files(t, o.Dir)
	password := strings.TrimSpace(made["routes.password"])
	require.Len(t, password, 26)
	require.NotContains(t, fmt.Sprintf("%+v", result), password)
	require.Contains(t, made["nats/cluster.conf"], "nats://route:"+password+"@nats-2:6222")
	require.NotContains(t, made["nats/cluster.conf"], "tls")
	o.Cluster = nil
	require.Empty(t, create(t, o).Changes)
	o.TLS = true
	create(t, o)
	require.Contains(t, files(t, o.Dir)["nats/cluster.conf"], "verify: true")
}

// Servers become a cluster over TLS, and who has no certificate does not come in.
func TestServersFormTheCluster(t *testing.T) {
	t.Parallel()
	o := options(t)
	o.TLS, o.Cluster = true, []string{"127.0.0.1", "localhost", "nats-3"}
	create(t, o)
	start := func(name string, tls bool, routes string) *server.Server {
		file := filepath.Join(t.TempDir(), "nats.conf")
		text := `listen: "127.0.0.1:-1"` + "\nserver_name: " + name + "\ninclude \"" + relative(t, file, o.Dir, "users.conf") + "\"\n" +
			`include "` + relative(t, file, o.Dir, "cluster.conf") + "\"\n"
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		config, err := server.ProcessConfigFile(file)
		require.NoError(t, err)
		config.NoSigs, config.NoLog = true, true
		config.Cluster.Host, config.Cluster.Port, config.Routes = "127.0.0.1", -1, server.RoutesFromStr(routes)
		if !tls {
			config.Cluster.TLSConfig = nil
		}
		s, err := server.NewServer(config)
		require.NoError(t, err)
		s.Start()
		t.Cleanup(func() {
			s.Shutdown()
			s.WaitForShutdown()
		})
		require.True(t, s.ReadyForConnections(20*time.Second))
		return s
	}
	first := start("one", true, "")
	password := strings.TrimSpace(files(t, o.Dir)["routes.password"])
	route := "nats://route:" + password + "@" + first.ClusterAddr().String()
	second := start("two", true, route)
	require.Eventually(t, func() bool { return first.NumRemotes() == 1 && second.NumRemotes() == 1 }, 30*time.Second, 20*time.Millisecond)
	stranger := start("three", false, route)
	require.Never(t, func() bool { return stranger.NumRemotes() > 0 }, time.Second, 50*time.Millisecond)
}

// relative is where a configuration finds a file of the server's folder.
func relative(t *testing.T, from, dir, name string) string {
	t.Helper()
	path, err := filepath.Rel(filepath.Dir(from), filepath.Join(dir, "nats", name))
	require.NoError(t, err)
	return path
}
