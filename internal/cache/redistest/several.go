package redistest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
)

// MasterName is how the Sentinels of [RunSentinels] know their master.
const MasterName = "tested"

// Replicated is a master with a replica, and the Sentinels that watch them.
type Replicated struct {
	Master, Replica *Server
	Sentinels       []*Server
}

// Addrs are the addresses of the Sentinels, host:port.
func (r *Replicated) Addrs() []string {
	addrs := make([]string, len(r.Sentinels))
	for i, s := range r.Sentinels {
		addrs[i] = s.Addr
	}
	return addrs
}

// RunSentinels starts a master, a replica, and three Sentinels, who take a master for dead that is silent for a second. They name
// addresses to each other, and are processes: without the program it does what [Run] does without a Redis.
func RunSentinels(tb testing.TB) *Replicated {
	tb.Helper()
	chosen, err := thisMachine(tb.Context()).choose(tb, program)
	require.NoError(tb, err)
	master := run(tb, chosen, arguments(nil))
	if master == nil {
		return nil
	}
	port := strconv.Itoa(Port(tb, master.Addr))
	r := &Replicated{Master: master, Replica: run(tb, chosen, arguments([]string{"--replicaof", "127.0.0.1", port}))}
	eventually(tb, "the replica follows", func() error {
		return says(tb.Context(), r.Replica.Client(), "replication", "master_link_status:up")
	})
	for range 3 {
		r.Sentinels = append(r.Sentinels, run(tb, chosen, func(s *Server, own string) []string {
			file := filepath.Join(s.Dir, "sentinel.conf")
			require.NoError(tb, os.WriteFile(file, []byte("port "+own+"\n"+
				"sentinel monitor "+MasterName+" 127.0.0.1 "+port+" 2\n"+
				"sentinel down-after-milliseconds "+MasterName+" 1000\n"+
				"sentinel failover-timeout "+MasterName+" 5000\n"), 0o600))
			return []string{file, "--sentinel"}
		}))
	}
	for _, s := range r.Sentinels {
		eventually(tb, "the Sentinels know each other", func() error {
			return says(tb.Context(), s.Client(), "sentinel", "slaves=1,sentinels=3")
		})
	}
	return r
}

// RunCluster starts a Cluster of three masters, and returns them. It returns nil where [RunSentinels] does.
func RunCluster(tb testing.TB) []*Server {
	tb.Helper()
	chosen, err := thisMachine(tb.Context()).choose(tb, program)
	require.NoError(tb, err)
	nodes := make([]*Server, 3)
	for i := range nodes {
		nodes[i] = run(tb, chosen, arguments(clustered()))
		if nodes[i] == nil {
			return nil
		}
	}
	const slots = 16384
	for i, node := range nodes {
		node.Do("CLUSTER", "ADDSLOTSRANGE", slots*i/3, slots*(i+1)/3-1)
		node.Do("CLUSTER", "SET-CONFIG-EPOCH", i+1)
		if i > 0 {
			node.Do("CLUSTER", "MEET", "127.0.0.1", Port(tb, nodes[0].Addr))
		}
	}
	for _, node := range nodes {
		client := node.Client()
		eventually(tb, "the Cluster is whole", func() error {
			text, err := client.ClusterInfo(tb.Context()).Result()
			if err != nil || !strings.Contains(text, "cluster_state:ok") || !strings.Contains(text, "cluster_slots_ok:16384") ||
				!strings.Contains(text, "cluster_known_nodes:3") {
				return fmt.Errorf("%s %w", text, err)
			}
			return nil
		})
	}
	return nodes
}

// clustered are the arguments of a node.
func clustered() []string {
	return []string{"--cluster-enabled", "yes", "--cluster-node-timeout", "2000", "--cluster-require-full-coverage", "no"}
}

// AddReplica adds a node to the Cluster that master is of, which follows it, and takes its place when it is gone.
func AddReplica(tb testing.TB, master *Server) *Server {
	tb.Helper()
	s := run(tb, program, arguments(clustered()))
	s.Do("CLUSTER", "MEET", "127.0.0.1", Port(tb, master.Addr))
	id, err := master.Client().Do(tb.Context(), "CLUSTER", "MYID").Text()
	require.NoError(tb, err)
	client := s.Client()
	eventually(tb, "the master is known", func() error { return client.ClusterReplicate(tb.Context(), id).Err() })
	eventually(tb, "the replica follows", func() error {
		return says(tb.Context(), s.Client(), "replication", "master_link_status:up")
	})
	return s
}

// says returns an error unless a section of INFO holds text.
func says(ctx context.Context, client *redis.Client, section, text string) error {
	info, err := client.Do(ctx, "INFO", section).Text()
	if err == nil && !strings.Contains(info, text) {
		err = errors.New(info)
	}
	return errors.Join(err, client.Close())
}

// eventually waits until check returns nil.
func eventually(tb testing.TB, what string, check func() error) {
	tb.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := check()
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			tb.Fatalf("not so: %s: %v", what, err)
		}
	}
}
