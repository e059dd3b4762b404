//go:build containers

package containers_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"
)

// stack is a compose project of its own, on ports of its own.
type stack struct {
	project      string
	installation string   // what `mlsdmctl init` made for it
	initialize   []string // what it is told beside that
	options      []string // of docker compose
	environment  []string
}

// startStack brings the stack up, built anew and healthy, and takes it down, with its data, when the test ends. What says where it
// is, it fills in.
func startStack(t *testing.T, s stack) stack {
	t.Helper()
	s.project = fmt.Sprintf("mlsdm-%s-%d", strings.ToLower(t.Name()), os.Getpid())
	s.installation = filepath.Join(t.TempDir(), "installation")
	initialize := exec.CommandContext(t.Context(), "go", append([]string{"run", "./cmd/mlsdmctl", "init", "--dir", s.installation}, s.initialize...)...)
	initialize.Dir = root
	made, err := initialize.CombinedOutput()
	require.NoError(t, err, "%s", made)
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		if t.Failed() {
			logs, err := s.compose(ctx, "logs", "--no-color", "--tail", "40")
			t.Logf("logs (%v):\n%s", err, logs)
		}
		out, err := s.compose(ctx, "down", "--volumes", "--timeout", "10")
		require.NoError(t, err, out)
	})
	if images() == "test" {
		s.up(t, "--build")
	} else {
		s.up(t, "--no-build")
	}
	return s
}

// images returns which images are tested: those that are built for it, or, where MLSDM_TEST_VERSION names a version, those that are there.
func images() string {
	return cmp.Or(os.Getenv("MLSDM_TEST_VERSION"), "test")
}

// up starts what is not running, and waits until all is healthy.
func (s stack) up(t *testing.T, flags ...string) {
	t.Helper()
	out, err := s.compose(t.Context(), append([]string{"up", "--detach", "--wait", "--wait-timeout", "240"}, flags...)...)
	require.NoError(t, err, out)
}

// port returns where a port of a container is published.
func (s stack) port(t *testing.T, service, port string) string {
	t.Helper()
	out, err := s.compose(t.Context(), "port", service, port)
	require.NoError(t, err, out)
	return strings.TrimSpace(out)
}

// compose runs docker compose on the stack and returns what it printed.
func (s stack) compose(ctx context.Context, args ...string) (string, error) {
	options := slices.Concat([]string{"compose", "--project-name", s.project, "--env-file", os.DevNull}, s.options, args)
	cmd := exec.CommandContext(ctx, "docker", options...)
	cmd.Dir = root
	// Port 0 lets Docker choose a free one.
	cmd.Env = slices.Concat(os.Environ(), []string{"NATS_PORT=0", "VAULT_PORT=0", "JAEGER_PORT=0", "CI_WEBHOOK_PORT=0", "VERSION=" + images(), "MLSDM_INSTALLATION=" + s.installation}, s.environment)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return stdout.String() + stderr.String(), fmt.Errorf("docker compose %s: %w", strings.Join(args, " "), err)
	}
	return stdout.String(), nil
}

// connect is a client of the stack's bus, as an application is.
func (s stack) connect(t *testing.T) *nats.Conn {
	t.Helper()
	address := "nats://" + s.port(t, "nats", "4222")
	_, err := nats.Connect(address)
	require.ErrorIs(t, err, nats.ErrAuthorization, "nobody comes in without a key")
	key, err := nats.NkeyOptionFromSeed(filepath.Join(s.installation, "users", "client.nk"))
	require.NoError(t, err)
	nc, err := nats.Connect(address, key, nats.CustomInboxPrefix("_INBOX_client"))
	require.NoError(t, err)
	t.Cleanup(nc.Close)
	return nc
}

// state is what docker compose says of a container.
type state struct {
	Service, State, Health string
	ExitCode               int
}

func (s stack) states(t *testing.T) []state {
	t.Helper()
	out, err := s.compose(t.Context(), "ps", "--all", "--format", "json")
	require.NoError(t, err, out)
	var all []state
	for line := range strings.Lines(out) {
		var st state
		require.NoError(t, json.Unmarshal([]byte(line), &st), line)
		all = append(all, st)
	}
	return all
}

func TestStack(t *testing.T) {
	t.Parallel()
	s := startStack(t, stack{})

	t.Run("everything is healthy", func(t *testing.T) {
		t.Parallel()
		states := s.states(t)
		require.Len(t, states, len(readCompose(t).plain()))
		for _, st := range states {
			if slices.Contains(jobs(), st.Service) {
				require.Equal(t, "exited", st.State)
				require.Zero(t, st.ExitCode, "%s ended well", st.Service)
				continue
			}
			require.Equal(t, "healthy", st.Health, st.Service)
		}
	})

	nc := s.connect(t)

	t.Run("every service answers the micro protocol", func(t *testing.T) {
		t.Parallel()
		want := []string{"mlsdm-ciwatch", "mlsdm-dispatcher", "mlsdm-embedder", "mlsdm-generator", "mlsdm-secretd"}
		require.Subset(t, ping(t, nc), want)
	})

	t.Run("an embedding and a generation go through", func(t *testing.T) {
		t.Parallel()
		for subject, body := range map[string]string{
			"mlsdm.as.client.embed":    `{"model":"local/hash-384","input":"hello"}`,
			"mlsdm.as.client.generate": `{"model":"local/echo","prompt":"hello"}`,
		} {
			reply, err := nc.Request(subject, []byte(body), 10*time.Second)
			require.NoError(t, err, subject)
			require.Empty(t, reply.Header.Get("Nats-Service-Error-Code"), "%s: %s", subject, reply.Data)
			require.True(t, json.Valid(reply.Data), subject)
		}
	})

	t.Run("an event is stored", func(t *testing.T) {
		t.Parallel()
		reply, err := nc.Request("mlsdm.events.custom.deploy", []byte(`{"version":"1.2.3"}`), 10*time.Second)
		require.NoError(t, err)
		require.Contains(t, string(reply.Data), "MLSDM_EVENTS")
	})

	t.Run("what is another's is refused", func(t *testing.T) {
		t.Parallel()
		for _, subject := range []string{"mlsdm.embed", "mlsdm.as.generator.secrets.get", "mlsdm.events.ci.degraded", "$JS.API.STREAM.DELETE.MLSDM_EVENTS"} {
			_, err := nc.Request(subject, nil, time.Second)
			require.ErrorIs(t, err, nats.ErrTimeout, subject)
		}
	})

	t.Run("provisioning again changes nothing", func(t *testing.T) {
		t.Parallel()
		out, err := s.compose(t.Context(), "run", "--rm", "--no-deps", job)
		require.NoError(t, err, out)
	})
}

// ping asks who is there and returns the names, sorted.
func ping(t *testing.T, nc *nats.Conn) []string {
	t.Helper()
	inbox := nc.NewInbox()
	sub, err := nc.SubscribeSync(inbox)
	require.NoError(t, err)
	defer func() { require.NoError(t, sub.Unsubscribe()) }()
	require.NoError(t, nc.PublishRequest("$SRV.PING", inbox, nil))
	var names []string
	for {
		m, err := sub.NextMsg(500 * time.Millisecond)
		if err != nil {
			slices.Sort(names)
			return slices.Compact(names)
		}
		var info struct {
			Name string `json:"name"`
		}
		require.NoError(t, json.Unmarshal(m.Data, &info))
		names = append(names, info.Name)
	}
}
