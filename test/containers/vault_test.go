//go:build containers

package containers_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/pkg/client"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

const (
	openai  = "vault:mlsdm/openai#api_key"
	outside = "vault:other/thing#value"
	example = "example-openai-not-a-real-key"
	fresh   = "another-example-not-a-real-key"
)

// rules let the embedder ask for more than secretd can read in Vault.
const rules = `
secrets:
  briefly: {from: ["vault:mlsdm/cohere#api_key"], ttl: 1s}
policy:
  embedder: [briefly, "vault:mlsdm/openai#*", "vault:other/*"]
  admin: {refresh: ["vault:mlsdm/*"]}
`

// vaultStack is a stack with a Vault, and the callers of the test.
type vaultStack struct {
	stack
	mlsdmctl string
	root     string // token
	bus      string
	embedder *client.Client
	rotated  chan events.Event
}

// TestStackWithVault goes through the life of a secret in a real Vault. It is not parallel, so that one stack starts at a time.
func TestStackWithVault(t *testing.T) {
	s := startVaultStack(t)

	t.Run("a caller gets what is in Vault", func(t *testing.T) {
		got, err := s.embedder.Secret(t.Context(), openai)
		require.NoError(t, err)
		require.Equal(t, example, got.Reveal())
		require.Equal(t, "vault", got.Source)
		require.Equal(t, "1", got.Version)
		got, err = s.embedder.Secret(t.Context(), "briefly")
		require.NoError(t, err)
		require.Equal(t, "example-cohere-not-a-real-key", got.Reveal())
	})

	t.Run("seeding again changes nothing", func(t *testing.T) {
		before := s.credentials(t)
		out, err := s.compose(t.Context(), "run", "--rm", "--no-TTY", "vault-seed")
		require.NoError(t, err, out)
		require.Equal(t, before, s.credentials(t))
		status, body := s.vault(t, http.MethodGet, "secret/data/mlsdm/openai", s.root, nil)
		require.Equal(t, http.StatusOK, status)
		require.Contains(t, body, `"version":1`, "nothing was written over it")
	})

	t.Run("secretd can read below mlsdm and nothing else", s.testReach)
	t.Run("nobody else can log in as secretd, or has the root token", s.testCredentials)
	t.Run("a new version is in use after a refresh", s.testRotation)
	t.Run("Vault may be away", s.testOutage)
	t.Run("Vault may have forgotten everything", s.testAmnesia)
}

// startVaultStack starts the stack with deploy/vault.compose.yml and rules of the test's own.
func startVaultStack(t *testing.T) vaultStack {
	t.Helper()
	dir := t.TempDir()
	s := vaultStack{mlsdmctl: filepath.Join(dir, "mlsdmctl")}
	build := exec.CommandContext(t.Context(), "go", "build", "-o", s.mlsdmctl, "./cmd/mlsdmctl")
	build.Dir = root
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)

	folder := filepath.Join(dir, "rules")
	require.NoError(t, os.Mkdir(folder, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(folder, "secrets.yaml"), []byte(rules), 0o600))
	// The container's user is another.
	require.NoError(t, os.Chmod(folder, 0o755))
	require.NoError(t, os.Chmod(filepath.Join(folder, "secrets.yaml"), 0o644))
	s.stack = startStack(t, stack{
		options:     []string{"--file", "docker-compose.yml", "--file", "deploy/vault.compose.yml", "--profile", "vault"},
		environment: []string{"SECRETD_RULES_DIR=" + folder},
	})

	token, err := os.ReadFile(filepath.Join(s.installation, "vault-root.token"))
	require.NoError(t, err)
	s.root = strings.TrimSpace(string(token))
	require.NotEmpty(t, s.root)
	s.bus = "nats://" + s.port(t, "nats", "4222")
	known, err := os.ReadFile(filepath.Join(s.installation, "secretd.env"))
	require.NoError(t, err)
	_, secretd, found := strings.Cut(strings.TrimSpace(string(known)), "=")
	require.True(t, found)
	s.embedder = s.client(t, "embedder", client.SecretdKey(secretd))
	s.rotated = make(chan events.Event, 100)
	_, err = s.client(t, "client").Subscribe(t.Context(), []string{events.TypeSecretRotated}, func(_ context.Context, ev events.Event) error {
		s.rotated <- ev
		return nil
	})
	require.NoError(t, err)
	return s
}

// client connects as a user of the bus.
func (s vaultStack) client(t *testing.T, user string, options ...client.Option) *client.Client {
	t.Helper()
	options = append(options, client.Caller(user), client.NKey(filepath.Join(s.installation, "users", user+".nk")))
	c, err := client.Connect(t.Context(), s.bus, options...)
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

// testReach: what reaches too far is refused by the rules, or by Vault, and stands in the audit.
func (s vaultStack) testReach(t *testing.T) {
	status, body := s.vault(t, http.MethodPost, "secret/data/other/thing", s.root, `{"data":{"value":"out of reach"}}`)
	require.Equal(t, http.StatusOK, status, body)

	_, err := s.embedder.Secret(t.Context(), "vault:elsewhere/thing#value")
	require.Equal(t, events.CodePermissionDenied, events.CodeOf(err), "%v", err)
	_, err = s.embedder.Secret(t.Context(), outside)
	require.Equal(t, events.CodeUnauthenticated, events.CodeOf(err), "the rules allow it, and Vault does not: %v", err)
	require.Equal(t, "vault", events.AsError(err).Provider)
	for _, outcome := range []events.Code{events.CodePermissionDenied, events.CodeUnauthenticated} {
		until(t, func() bool {
			var records []events.SecretAccess
			out := s.ctl(t, "admin", "--json", "secrets", "audit", "--asker", "embedder", "--outcome", string(outcome))
			require.NoError(t, json.Unmarshal(out, &records))
			return len(records) > 0
		}, "the audit has a record of "+string(outcome))
	}

	status, body = s.vault(t, http.MethodPost, "auth/approle/login", "", s.credentials(t))
	require.Equal(t, http.StatusOK, status, body)
	var login struct {
		Auth struct {
			ClientToken string   `json:"client_token"`
			Policies    []string `json:"policies"`
		} `json:"auth"`
	}
	require.NoError(t, json.Unmarshal([]byte(body), &login))
	require.Equal(t, []string{"mlsdm-secretd"}, login.Auth.Policies)
	mine := login.Auth.ClientToken
	status, _ = s.vault(t, http.MethodGet, "secret/data/mlsdm/openai", mine, nil)
	require.Equal(t, http.StatusOK, status)
	for _, call := range []struct{ method, path string }{
		{http.MethodGet, "secret/data/other/thing"},
		{http.MethodGet, "secret/metadata/mlsdm?list=true"},
		{http.MethodPost, "secret/data/mlsdm/openai"},
		{http.MethodDelete, "secret/data/mlsdm/openai"},
		{http.MethodGet, "sys/policies/acl/mlsdm-secretd"},
		{http.MethodPost, "auth/approle/role/mlsdm-secretd/secret-id"},
		{http.MethodPost, "auth/token/create"},
	} {
		var body any
		if call.method == http.MethodPost {
			body = `{"data":{"api_key":"x"}}`
		}
		status, _ := s.vault(t, call.method, call.path, mine, body)
		require.Equal(t, http.StatusForbidden, status, "%s %s", call.method, call.path)
	}
	status, body = s.vault(t, http.MethodPost, "auth/token/revoke-self", mine, "{}")
	require.Equal(t, http.StatusNoContent, status, body)
}

// testCredentials looks at who holds what.
func (s vaultStack) testCredentials(t *testing.T) {
	for _, st := range s.states(t) {
		id, err := s.compose(t.Context(), "ps", "--all", "--quiet", st.Service)
		require.NoError(t, err, id)
		about, err := exec.CommandContext(t.Context(), "docker", "inspect", strings.TrimSpace(id)).Output()
		require.NoError(t, err)
		require.NotContains(t, string(about), s.root, "%s: it stands in no settings", st.Service)
		has := st.Service == "vault" || st.Service == "vault-seed"
		require.Equal(t, has, strings.Contains(string(about), "vault-root.token"), "%s: the file", st.Service)
		has = has || st.Service == keeper
		require.Equal(t, has, strings.Contains(string(about), "/run/approle"), "%s: the volume", st.Service)
	}
	out, err := s.compose(t.Context(), "exec", "--no-TTY", "vault", "cat", "/run/approle/secret_id")
	require.Error(t, err, "Vault keeps the volume and cannot read it")
	require.Contains(t, out, "ermission denied")
}

func (s vaultStack) testRotation(t *testing.T) {
	status, body := s.vault(t, http.MethodPost, "secret/data/mlsdm/openai", s.root, `{"data":{"api_key":"`+fresh+`"}}`)
	require.Equal(t, http.StatusOK, status, body)
	got, err := s.embedder.Secret(t.Context(), openai)
	require.NoError(t, err)
	require.Equal(t, example, got.Reveal(), "it is in the cache")

	var done events.SecretsRefreshed
	require.NoError(t, json.Unmarshal(s.ctl(t, "admin", "--json", "secrets", "refresh", openai), &done))
	require.True(t, done.Rotated)
	require.Equal(t, "1", done.PreviousVersion)
	got, err = s.embedder.Secret(t.Context(), openai)
	require.NoError(t, err)
	require.Equal(t, fresh, got.Reveal())
	require.Equal(t, "2", got.Version)

	select {
	case ev := <-s.rotated:
		told, err := events.Decode[events.SecretRotated](ev)
		require.NoError(t, err)
		require.Equal(t, events.SecretRotated{Name: openai, Store: "vault", Version: "2", PreviousVersion: "1"}, told)
		require.NotContains(t, string(ev.Data), fresh)
	case <-time.After(30 * time.Second):
		require.Fail(t, "nobody was told that it was rotated")
	}
}

func (s vaultStack) testOutage(t *testing.T) {
	got, err := s.embedder.Secret(t.Context(), "briefly", client.NoCache())
	require.NoError(t, err)
	require.False(t, got.Stale)
	out, err := s.compose(t.Context(), "stop", "vault")
	require.NoError(t, err, out)
	until(t, func() bool {
		got, err := s.embedder.Secret(t.Context(), "briefly")
		require.NoError(t, err, "what is known is served")
		require.Equal(t, "example-cohere-not-a-real-key", got.Reveal())
		return got.Stale
	}, "past its time it is marked")
	_, err = s.embedder.Secret(t.Context(), openai, client.NoCache())
	require.Equal(t, events.CodeUnavailable, events.CodeOf(err), "%v", err)
	got, err = s.embedder.Secret(t.Context(), openai)
	require.NoError(t, err)
	require.Equal(t, fresh, got.Reveal())
}

// testAmnesia: a Vault for development has lost the role of secretd too; seeding makes it anew, and secretd logs in by itself.
func (s vaultStack) testAmnesia(t *testing.T) {
	before := s.credentials(t)
	out, err := s.compose(t.Context(), "start", "vault")
	require.NoError(t, err, out)
	until(t, func() bool {
		_, err := s.embedder.Secret(t.Context(), openai, client.NoCache())
		return events.CodeOf(err) == events.CodeUnauthenticated
	}, "Vault refuses who it does not know")
	_, err = s.embedder.Secret(t.Context(), openai)
	require.Equal(t, events.CodeUnauthenticated, events.CodeOf(err), "a refusal is believed, and ends what was known: %v", err)

	s.up(t)
	after := s.credentials(t)
	require.NotEqual(t, before, after, "Vault knows the old secret id no more")
	until(t, func() bool {
		got, err := s.embedder.Secret(t.Context(), openai, client.NoCache())
		return err == nil && got.Reveal() == example && !got.Stale
	}, "what is in Vault now is given")
}

// until waits for something to become true, and looks from the test's own goroutine, which may fail meanwhile.
func until(t *testing.T, isTrue func() bool, what string) {
	t.Helper()
	patience := time.After(time.Minute)
	again := time.NewTicker(500 * time.Millisecond) // slower than secretd lets a caller ask past the cache
	defer again.Stop()
	for !isTrue() {
		select {
		case <-again.C:
		case <-patience:
			require.Fail(t, "not within a minute", "%s", what)
		}
	}
}

// credentials are secretd's, as what a login sends.
func (s vaultStack) credentials(t *testing.T) map[string]string {
	t.Helper()
	out, err := s.compose(t.Context(), "run", "--rm", "--no-TTY", "--no-deps", "--entrypoint", "cat", "vault-seed", "/run/approle/role_id", "/run/approle/secret_id")
	require.NoError(t, err, out)
	ids := strings.Fields(out)
	require.Len(t, ids, 2)
	return map[string]string{"role_id": ids[0], "secret_id": ids[1]}
}

// ctl runs mlsdmctl as a user of the bus.
func (s vaultStack) ctl(t *testing.T, user string, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), s.mlsdmctl, append([]string{"--server", s.bus}, args...)...)
	cmd.Env = []string{"NATS_NKEY=" + filepath.Join(s.installation, "users", user+".nk")}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, "mlsdmctl %s: %s", strings.Join(args, " "), stderr.String())
	return out
}

// vault asks Vault's API from the machine that the stack is on.
func (s vaultStack) vault(t *testing.T, method, path, token string, body any) (status int, answer string) {
	t.Helper()
	var content bytes.Buffer
	switch body := body.(type) {
	case nil:
	case string:
		content.WriteString(body)
	default:
		require.NoError(t, json.NewEncoder(&content).Encode(body))
	}
	// The port is another after a restart.
	req, err := http.NewRequestWithContext(t.Context(), method, "http://"+s.port(t, "vault", "8200")+"/v1/"+path, &content)
	require.NoError(t, err)
	if token != "" {
		req.Header.Set("X-Vault-Token", token)
	}
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer func() { require.NoError(t, resp.Body.Close()) }()
	var text bytes.Buffer
	_, err = text.ReadFrom(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, text.String()
}
