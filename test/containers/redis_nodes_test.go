//go:build containers

package containers_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/cache/redistest"
)

// redisPort is at which port each Redis listens, at an address of its own.
const redisPort = "6379"

// nodes are containers with Redis on a network of their own. They name addresses to each other and to who asks them, so these have to be
// reachable from where the tests run: the engine is on the same machine, which runs Linux.
type nodes struct{ network string }

// node is one of them.
type node struct{ name, addr string }

// newNodes makes the network, and removes it when the test ends.
func newNodes(t *testing.T) nodes {
	t.Helper()
	n := nodes{network: "mlsdm-redis-" + strings.ToLower(rand.Text()[:10])}
	docker(t, "network", "create", "--label", "mlsdm=test", n.network)
	t.Cleanup(func() { docker(t, "network", "rm", n.network) })
	return n
}

// run starts a Redis with more arguments (--name value…), and waits until it answers.
func (n nodes) run(t *testing.T, args ...string) *node {
	t.Helper()
	return n.start(t, append([]string{"redis-server", "--save", "", "--appendonly", "no"}, args...)...)
}

// watch starts a Sentinel that takes a master for dead that is silent for 3 s.
func (n nodes) watch(t *testing.T, master *node) *node {
	t.Helper()
	settings := fmt.Sprintf("sentinel monitor %[1]s %[2]s %[3]s 2\nsentinel down-after-milliseconds %[1]s 3000\nsentinel failover-timeout %[1]s 10000\n",
		redistest.MasterName, master.host(), redisPort)
	return n.start(t, "sh", "-c", `printf %s "$0" > /tmp/sentinel.conf; exec redis-server /tmp/sentinel.conf --sentinel --port `+redisPort, settings)
}

// start starts a container that runs a command, and removes it when the test ends.
func (n nodes) start(t *testing.T, command ...string) *node {
	t.Helper()
	r := &node{name: "mlsdm-redis-" + strings.ToLower(rand.Text()[:10])}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%s at %s:\n%s", r.name, r.addr, docker(t, "logs", "--tail", "40", r.name))
		}
		docker(t, "rm", "--force", "--volumes", r.name)
	})
	image := readCompose(t).Services["redis"].Image
	docker(t, append([]string{"run", "--detach", "--name", r.name, "--network", n.network, "--label", "mlsdm=test", image}, command...)...)
	r.find(t)
	return r
}

// find sets where the container is now, and waits until it answers.
func (r *node) find(t *testing.T) {
	t.Helper()
	host := docker(t, "inspect", "--format", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", r.name)
	r.addr = strings.TrimSpace(host) + ":" + redisPort
	until(t, func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		return redistest.Client(t, r.addr).Ping(ctx).Err() == nil
	}, "redis answers at "+r.addr+", the address of its container")
}

// host is the address without the port.
func (r *node) host() string { return strings.TrimSuffix(r.addr, ":"+redisPort) }

// kill ends it at once; [node.revive] starts it again.
func (r *node) kill(t *testing.T) { t.Helper(); docker(t, "kill", r.name) }

func (r *node) revive(t *testing.T) { t.Helper(); docker(t, "start", r.name); r.find(t) }

// freeze has it stand still, with its connections open, until [node.thaw].
func (r *node) freeze(t *testing.T) { t.Helper(); docker(t, "pause", r.name) }

func (r *node) thaw(t *testing.T) { t.Helper(); docker(t, "unpause", r.name) }

// unplug takes the node off the network: nobody refuses a connection there, and nothing that was begun ends.
func (r *node) unplug(t *testing.T, n nodes) {
	t.Helper()
	docker(t, "network", "disconnect", "--force", n.network, r.name)
}

// do runs one command, which has to succeed.
func (r *node) do(t *testing.T, args ...any) {
	t.Helper()
	require.NoError(t, redistest.Client(t, r.addr).Do(t.Context(), args...).Err())
}

// says waits until the answer to a command holds texts.
func (r *node) says(t *testing.T, command []any, texts ...string) {
	t.Helper()
	client := redistest.Client(t, r.addr)
	until(t, func() bool {
		answer, err := client.Do(t.Context(), command...).Text()
		for _, text := range texts {
			if err != nil || !strings.Contains(answer, text) {
				return false
			}
		}
		return true
	}, fmt.Sprint(r.addr, " says ", texts))
}

// docker runs a command of Docker, which has to succeed, and returns what it printed.
func docker(t *testing.T, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 5*time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, "docker", args...).CombinedOutput()
	require.NoError(t, err, "docker %s: %s", strings.Join(args, " "), out)
	return string(out)
}
