//go:build containers

package containers_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/pkg/client"
)

// canary is a secret of the stack that must not be found anywhere.
const canary = "sk-canary-31337-not-a-real-key"

// trio is a stack on three NATS servers.
type trio struct {
	stack
	servers []string // the names of their services
	ports   []int    // at which each is published on loopback, whatever becomes of it
}

// startTrio starts the services on a cluster of three NATS servers, with streams of three replicas.
func startTrio(t *testing.T) trio {
	t.Helper()
	folder := t.TempDir()
	require.NoError(t, os.Chmod(folder, 0o755)) // the container's user is another
	s := trio{servers: []string{"nats", "nats-2", "nats-3"}}
	var routes, urls []string
	for _, server := range s.servers {
		routes = append(routes, "nats://"+server+":6222")
		urls = append(urls, "nats://"+server+":4222")
	}
	var text strings.Builder
	text.WriteString("services:\n")
	name := regexp.MustCompile(`(?m)^server_name: .*$`)
	for _, server := range s.servers {
		config := name.ReplaceAllString(read(t, "deploy/nats/nats.conf"), "server_name: "+server) +
			"\ncluster { name: mlsdm, listen: \"0.0.0.0:6222\", routes: [" + strings.Join(routes, ", ") + "] }\n"
		file := filepath.Join(folder, server+".conf")
		require.NoError(t, os.WriteFile(file, []byte(config), 0o644))
		port := freePort(t)
		s.ports = append(s.ports, port)
		fmt.Fprintf(&text, "  %s:\n", server)
		if server != "nats" {
			fmt.Fprintf(&text, "    extends: { file: %s, service: nats }\n", filepath.Join(mustAbs(t, root), "docker-compose.yml"))
		}
		fmt.Fprintf(&text, "    ports: [\"127.0.0.1:%d:4222\"]\n    volumes: [\"%s:/etc/nats/nats-server.conf:ro\", \"%s-data:/data\"]\n", port, file, server)
	}
	for _, service := range []string{job, "ciwatch", "dispatcher", "embedder", "generator", "secretd"} {
		fmt.Fprintf(&text, "  %s: { environment: { NATS_URL: \"%s\" } }\n", service, strings.Join(urls, ","))
	}
	order := strings.Replace(text.String(), job+": { environment",
		job+": { depends_on: { nats-2: { condition: service_healthy }, nats-3: { condition: service_healthy } }, environment", 1)
	order += "volumes:\n  nats-2-data:\n  nats-3-data:\n"
	override := filepath.Join(folder, "trio.yml")
	require.NoError(t, os.WriteFile(override, []byte(order), 0o644))
	s.stack = startStack(t, stack{
		options: []string{"--file", "docker-compose.yml", "--file", override},
		environment: []string{
			"MLSDM_REPLICAS=3", "CI_WEBHOOK_PORT=0", "WEBHOOK_ALLOW_HTTP=true", "WEBHOOK_ALLOW_NETWORKS=172.16.0.0/12,192.168.0.0/16",
			"SECRETD_ALLOW=openai_api_key", "OPENAI_API_KEY=" + canary,
		},
	})
	return s
}

func mustAbs(t *testing.T, path string) string {
	t.Helper()
	abs, err := filepath.Abs(path)
	require.NoError(t, err)
	return abs
}

// freePort is one that nobody listens at now.
func freePort(t *testing.T) int {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	n, err := strconv.Atoi(port)
	require.NoError(t, err)
	return n
}

// container is the name of a service's.
func (s trio) container(service string) string { return s.project + "-" + service + "-1" }

// client connects as a user of the bus to some of the servers, all without any.
func (s trio) client(t *testing.T, user string, ports []int, options ...client.Option) *client.Client {
	t.Helper()
	var urls []string
	for _, port := range ports {
		urls = append(urls, "nats://127.0.0.1:"+strconv.Itoa(port))
	}
	options = append(options, client.Caller(user), client.NKey(filepath.Join(s.installation, "users", user+".nk")),
		client.NATS(nats.MaxReconnects(-1), nats.IgnoreDiscoveredServers()))
	c, err := client.Connect(t.Context(), strings.Join(urls, ","), options...)
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

// admin is JetStream, through some of the servers, for who may see all. Its API begins as the file of its key says.
func (s trio) admin(t *testing.T, ports []int) jetstream.JetStream {
	t.Helper()
	key, err := os.ReadFile(filepath.Join(s.installation, "users", "admin.nk"))
	require.NoError(t, err)
	found := regexp.MustCompile(`(?m)^# api: (\S+)$`).FindSubmatch(key)
	require.Len(t, found, 2)
	js, err := jetstream.NewWithAPIPrefix(s.client(t, "admin", ports).Conn(), string(found[1]))
	require.NoError(t, err)
	return js
}

// gateway is this machine, as the containers see it.
func (s trio) gateway(t *testing.T) string {
	t.Helper()
	return strings.TrimSpace(docker(t, "network", "inspect", "--format", "{{(index .IPAM.Config 0).Gateway}}", s.project+"_default"))
}

// each reads what a stream has on subjects that begin so, again if that ends halfway: the servers may still be busy with each other.
func each(t *testing.T, js jetstream.JetStream, name, below string, do func(jetstream.Msg)) {
	t.Helper()
	var all []jetstream.Msg
	until(t, func() bool {
		var err error
		all, err = whole(t.Context(), js, name, below)
		if err != nil {
			t.Logf("%s cannot be read yet: %v", name, err)
		}
		return err == nil
	}, name+" is read")
	for _, m := range all {
		do(m)
	}
}

// whole returns what a stream has on subjects that begin so.
func whole(ctx context.Context, js jetstream.JetStream, name, below string) ([]jetstream.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	consumer, err := js.OrderedConsumer(ctx, name, jetstream.OrderedConsumerConfig{}) // a wildcard in a filter would stand in the subject of the question
	if err != nil {
		return nil, err
	}
	info, err := consumer.Info(ctx)
	if err != nil {
		return nil, err
	}
	var all []jetstream.Msg
	for range info.NumPending {
		m, err := consumer.Next(jetstream.FetchMaxWait(10 * time.Second))
		if err != nil {
			return nil, err
		}
		if strings.HasPrefix(m.Subject(), below) {
			all = append(all, m)
		}
	}
	return all, nil
}
