//go:build containers

package containers_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services"
)

// cluster is the stack of deploy/cluster, and its administrator.
type cluster struct {
	stack
	nc *nats.Conn
	js jetstream.JetStream
}

func startCluster(t *testing.T) cluster {
	t.Helper()
	c := cluster{stack: startStack(t, stack{
		initialize:  []string{"--cluster", "nats-1,nats-2,nats-3"},
		options:     []string{"--file", "docker-compose.yml", "--file", "deploy/cluster/docker-compose.yml"},
		environment: []string{"NATS_PORT_2=0", "NATS_PORT_3=0", "CI_WEBHOOK_PORT=0"},
	})}
	file := filepath.Join(c.installation, "users", "admin.nk")
	option, err := nats.NkeyOptionFromSeed(file)
	require.NoError(t, err)
	key, err := bus.ReadKey(file)
	require.NoError(t, err)
	var addresses []string
	for _, server := range servers() {
		addresses = append(addresses, "nats://"+c.port(t, server, "4222"))
	}
	c.nc, err = nats.Connect(strings.Join(addresses, ","), option, nats.CustomInboxPrefix("_INBOX_admin"), nats.MaxReconnects(-1))
	require.NoError(t, err)
	t.Cleanup(c.nc.Close)
	c.js, err = jetstream.NewWithAPIPrefix(c.nc, key.API.Reveal())
	require.NoError(t, err)
	return c
}

func servers() []string { return []string{"nats-1", "nats-2", "nats-3"} }

func TestCluster(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	for _, st := range c.states(t) {
		if st.Service == job {
			require.Zero(t, st.ExitCode)
			continue
		}
		require.Equal(t, "healthy", st.Health, st.Service)
	}
	want := len(events.Streams()) + len(events.Buckets()) + len(events.ObjectStores())
	until(t, func() bool { return c.current(t) == want }, "everything has a leader and two copies that are current")
	c.shared(t)
	c.embeds(t)

	stored := c.publish(t)
	stored.reach(t, 50)
	c.fail(t, c.metaLeader(t), stored)
	c.fail(t, c.leader(t, "MLSDM_EVENTS"), stored)
	stored.end(t, c)
	until(t, func() bool { return c.current(t) == want }, "those that were killed have caught up")
}

// current returns how many streams have a leader and two replicas that have all it has.
func (c cluster) current(t *testing.T) int {
	t.Helper()
	count := 0
	list := c.js.ListStreams(t.Context())
	for info := range list.Info() {
		if info.Cluster == nil {
			continue
		}
		well := info.Config.Replicas == 3 && info.Cluster.Leader != "" && len(info.Cluster.Replicas) == 2
		for _, r := range info.Cluster.Replicas {
			well = well && r.Current && !r.Offline
		}
		if well {
			count++
		}
	}
	if err := list.Err(); err != nil {
		t.Logf("the streams cannot be listed now: %v", err)
		return 0
	}
	return count
}

// shared asks until both replicas of the embedder have answered.
func (c cluster) shared(t *testing.T) {
	t.Helper()
	until(t, func() bool {
		for range 20 {
			c.embeds(t)
		}
		both := map[string]int{}
		for _, service := range services.Units() {
			both[events.MicroName(service.Name)] = 0
		}
		busy := map[string]int{}
		for _, s := range c.stats(t) {
			both[s.Name]++
			for _, endpoint := range s.Endpoints {
				if endpoint.Requests > 0 && strings.HasSuffix(endpoint.Subject, ".embed") {
					busy[s.ID]++
				}
			}
		}
		for name, count := range both {
			if count != 2 {
				t.Logf("%s has %d replicas", name, count)
				return false
			}
		}
		return len(busy) == 2
	}, "each service has two replicas, and both of the embedder work")
}

// stats is what a replica says of itself in the micro protocol.
type stats struct {
	Name, ID  string
	Endpoints []struct {
		Subject  string
		Requests int `json:"num_requests"`
	}
}

func (c cluster) stats(t *testing.T) []stats {
	t.Helper()
	inbox := c.nc.NewInbox()
	sub, err := c.nc.SubscribeSync(inbox)
	require.NoError(t, err)
	defer func() { require.NoError(t, sub.Unsubscribe()) }()
	require.NoError(t, c.nc.PublishRequest("$SRV.STATS", inbox, nil))
	var all []stats
	for {
		m, err := sub.NextMsg(2 * time.Second)
		if err != nil {
			return all
		}
		var s stats
		require.NoError(t, json.Unmarshal(m.Data, &s))
		all = append(all, s)
	}
}

// embeds waits for an embedding.
func (c cluster) embeds(t *testing.T) {
	t.Helper()
	until(t, func() bool {
		reply, err := c.nc.Request("mlsdm.as.admin.embed", []byte(`{"model":"local/hash-384","input":"hello"}`), 10*time.Second)
		return err == nil && reply.Header.Get("Nats-Service-Error-Code") == ""
	}, "an embedding is answered")
}

// metaLeader returns the server that leads the cluster.
func (c cluster) metaLeader(t *testing.T) (leader string) {
	t.Helper()
	until(t, func() bool {
		for _, server := range servers() {
			out, err := c.compose(t.Context(), "exec", "-T", server, "wget", "-qO-", "http://127.0.0.1:8222/jsz")
			var about struct {
				Meta struct{ Leader string } `json:"meta_cluster"`
			}
			if err == nil && json.Unmarshal([]byte(out), &about) == nil && about.Meta.Leader != "" {
				leader = about.Meta.Leader
				return true
			}
		}
		return false
	}, "the cluster has a leader")
	return leader
}

// leader returns the server that leads a stream.
func (c cluster) leader(t *testing.T, stream string) (leader string) {
	t.Helper()
	until(t, func() bool {
		s, err := c.js.Stream(t.Context(), stream)
		if err != nil || s.CachedInfo().Cluster == nil {
			return false
		}
		leader = s.CachedInfo().Cluster.Leader
		return leader != ""
	}, "the stream has a leader")
	return leader
}

// fail kills a server, sees that all goes on without it, and starts it again.
func (c cluster) fail(t *testing.T, server string, p *publisher) {
	t.Helper()
	require.Contains(t, servers(), server)
	began := time.Now()
	docker(t, "kill", "--signal", "KILL", c.project+"-"+server+"-1")
	p.reach(t, p.acked.Load()+50)
	t.Logf("killed %s: 50 more events were stored %s later", server, time.Since(began).Round(time.Millisecond))
	c.embeds(t)
	c.up(t, "--no-build", server)
}

// publisher publishes events one after the other, each until it is acked.
type publisher struct {
	acked atomic.Int64
	stop  context.CancelFunc
	done  chan struct{}
}

func (c cluster) publish(t *testing.T) *publisher {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	p := &publisher{stop: stop, done: make(chan struct{})}
	go func() {
		defer close(p.done)
		for n := int64(0); ; n++ {
			m := &nats.Msg{
				Subject: fmt.Sprintf("mlsdm.events.custom.cluster.n%d", n), Data: []byte(`{}`),
				Header: nats.Header{"Nats-Msg-Id": {fmt.Sprintf("cluster-%d-%d", os.Getpid(), n)}},
			}
			for {
				try, cancel := context.WithTimeout(t.Context(), 5*time.Second)
				_, err := c.js.PublishMsg(try, m)
				cancel()
				if err == nil {
					p.acked.Add(1)
					break
				}
				if ctx.Err() != nil {
					return
				}
			}
			if ctx.Err() != nil {
				return
			}
		}
	}()
	t.Cleanup(func() {
		stop()
		<-p.done
	})
	return p
}

// reach waits until so many events are acked.
func (p *publisher) reach(t *testing.T, count int64) {
	t.Helper()
	until(t, func() bool { return p.acked.Load() >= count }, fmt.Sprint(count, " events are acked"))
}

// end stops publishing, and finds each event that was acked once.
func (p *publisher) end(t *testing.T, c cluster) {
	t.Helper()
	p.stop()
	<-p.done
	s, err := c.js.Stream(t.Context(), "MLSDM_EVENTS")
	require.NoError(t, err)
	info, err := s.Info(t.Context(), jetstream.WithSubjectFilter("mlsdm.events.custom.cluster.*"))
	require.NoError(t, err)
	for n := range p.acked.Load() {
		require.EqualValues(t, 1, info.State.Subjects[fmt.Sprintf("mlsdm.events.custom.cluster.n%d", n)], "event %d of %d", n, p.acked.Load())
	}
	t.Logf("%d events were acked, and each is there once", p.acked.Load())
}
