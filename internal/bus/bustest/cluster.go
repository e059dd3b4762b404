package bustest

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
)

// Cluster is several NATS servers in the test's process that are one JetStream cluster, without assets.
type Cluster struct {
	Servers []*Server
}

// StartCluster starts a cluster of n servers, 3 or more, on free loopback ports, and waits until it has a leader.
func StartCluster(t testing.TB, n int) *Cluster {
	t.Helper()
	var routes []*url.URL
	ports := freePorts(t, n)
	for _, port := range ports {
		routes = append(routes, &url.URL{Scheme: "nats", Host: fmt.Sprintf("127.0.0.1:%d", port)})
	}
	c := &Cluster{}
	for i := range n {
		s := &Server{dir: t.TempDir(), port: server.RANDOM_PORT, configure: func(o *server.Options) {
			o.ServerName = fmt.Sprintf("bustest-%d", i+1)
			o.Cluster = server.ClusterOpts{Name: "bustest", Host: "127.0.0.1", Port: ports[i]}
			o.Routes = routes
		}}
		s.start(t)
		t.Cleanup(s.stop)
		c.Servers = append(c.Servers, s)
	}
	require.Eventually(t, func() bool {
		led := false
		for _, s := range c.Servers {
			led = led || s.JetStreamIsLeader() && len(s.JetStreamClusterPeers()) == n // only the leader knows them
			if !s.JetStreamIsCurrent() {
				return false
			}
		}
		return led
	}, time.Minute, 20*time.Millisecond, "the cluster has a leader")
	return c
}

// freePorts finds ports that are free now. They are none of those that systems give to who asks for any, so nobody is given one before it
// is used.
func freePorts(t testing.TB, n int) []int {
	t.Helper()
	var ports []int
	for tries := 0; len(ports) < n; tries++ {
		require.Less(t, tries, 1000, "there are ports that are free")
		port := 10000 + rand.IntN(20000)
		var config net.ListenConfig
		l, err := config.Listen(t.Context(), "tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue
		}
		require.NoError(t, l.Close())
		if !slices.Contains(ports, port) {
			ports = append(ports, port)
		}
	}
	return ports
}

// Config is the bus configuration that reaches all of its servers.
func (c *Cluster) Config() bus.Config {
	var cfg bus.Config
	for _, s := range c.Servers {
		cfg.URLs = append(cfg.URLs, s.URL())
	}
	return cfg
}
