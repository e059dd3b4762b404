package vaultsrv_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	jwt "github.com/hashicorp/vault-plugin-auth-jwt"
	kubernetes "github.com/hashicorp/vault-plugin-auth-kubernetes"
	kv "github.com/hashicorp/vault-plugin-secrets-kv"
	"github.com/hashicorp/vault/api"
	"github.com/hashicorp/vault/builtin/credential/approle"
	vaulthttp "github.com/hashicorp/vault/http"
	"github.com/hashicorp/vault/sdk/logical"
	core "github.com/hashicorp/vault/vault"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/secrettest"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/vault"
)

// patience is how long a test waits for what must come, since the machine may be busy; tick is how often it looks.
const (
	patience = 30 * time.Second
	tick     = 20 * time.Millisecond
)

// server is an unsealed Vault that is reached over HTTP.
type server struct {
	addr  string
	root  string
	keys  [][]byte
	core  *core.Core
	admin *api.Client
	lent  *engine // mounted at database/
	stop  func()
}

// start starts a Vault with KV at v1/ and v2/, an engine that lends credentials at database/, and the ways to log in.
func start(t *testing.T) *server {
	t.Helper()
	lent := &engine{revoked: map[string]bool{}}
	c, keys, root := core.TestCoreUnsealedWithConfig(t, &core.CoreConfig{
		Logger:          hclog.New(&hclog.LoggerOptions{Level: hclog.Debug}),
		LogicalBackends: map[string]logical.Factory{"kv": kv.Factory, "lending": lent.factory},
		CredentialBackends: map[string]logical.Factory{
			"approle": approle.Factory, "jwt": jwt.Factory, "kubernetes": kubernetes.Factory,
		},
	})
	listener, addr := vaulthttp.TestServer(t, c)
	stop := func() { _ = listener.Close() }
	t.Cleanup(stop)
	settings := api.DefaultConfig()
	settings.Address = addr
	admin, err := api.NewClient(settings)
	require.NoError(t, err)
	admin.SetToken(root)
	s := &server{addr: addr, root: root, keys: keys, core: c, admin: admin, lent: lent, stop: stop}
	s.mountKV(t, "v1", "1")
	s.mountKV(t, "v2", "2")
	s.mount(t, "database", &api.MountInput{Type: "lending"})
	return s
}

// mount mounts an engine.
func (s *server) mount(t *testing.T, path string, input *api.MountInput) {
	t.Helper()
	require.NoError(t, s.admin.Sys().MountWithContext(t.Context(), path, input))
}

// mountKV mounts a version of KV. Version 2 makes itself ready after it has been mounted.
func (s *server) mountKV(t *testing.T, path, version string) {
	t.Helper()
	s.mount(t, path, &api.MountInput{Type: "kv", Options: map[string]string{"version": version}})
	if version == "2" {
		require.Eventually(t, func() bool {
			_, err := s.admin.KVv2(path).Put(t.Context(), "ready", map[string]any{"value": "yes"})
			return err == nil
		}, patience, tick)
	}
}

// put writes what a path takes, and returns what Vault answers.
func (s *server) put(t *testing.T, path string, members map[string]any) *api.Secret {
	t.Helper()
	answer, err := s.admin.Logical().WriteWithContext(t.Context(), path, members)
	require.NoError(t, err)
	return answer
}

// policy lets who has it read paths, each "read" but those that name something else behind a space.
func (s *server) policy(t *testing.T, name string, paths ...string) {
	t.Helper()
	var rules strings.Builder
	for _, path := range paths {
		path, capability, ok := strings.Cut(path, " ")
		if !ok {
			capability = "read"
		}
		rules.WriteString(`path "` + path + `" { capabilities = ["` + capability + `"] }` + "\n")
	}
	require.NoError(t, s.admin.Sys().PutPolicyWithContext(t.Context(), name, rules.String()))
}

// enable mounts a way to log in.
func (s *server) enable(t *testing.T, method string) {
	t.Helper()
	require.NoError(t, s.admin.Sys().EnableAuthWithOptionsWithContext(t.Context(), method, &api.EnableAuthOptions{Type: method}))
}

// approle makes a role of AppRole with what settings say, and returns how a store logs in by it.
func (s *server) approle(t *testing.T, settings map[string]any) vault.Config {
	t.Helper()
	s.enable(t, "approle")
	s.put(t, "auth/approle/role/secretd", settings)
	role, err := s.admin.Logical().ReadWithContext(t.Context(), "auth/approle/role/secretd/role-id")
	require.NoError(t, err)
	id := s.put(t, "auth/approle/role/secretd/secret-id", nil)
	cfg := s.config(t)
	cfg.Token, cfg.Auth = secret.Value{}, vault.AuthAppRole
	cfg.RoleID = text(t, role, "role_id")
	cfg.SecretID = secret.NewValue(text(t, id, "secret_id"))
	return cfg
}

// tokens returns how many tokens there are.
func (s *server) tokens(t *testing.T) int {
	t.Helper()
	list, err := s.admin.Logical().ListWithContext(t.Context(), "auth/token/accessors")
	require.NoError(t, err)
	keys, ok := list.Data["keys"].([]any)
	require.True(t, ok)
	return len(keys)
}

// revokeTokens revokes every token but the root's.
func (s *server) revokeTokens(t *testing.T) {
	t.Helper()
	list, err := s.admin.Logical().ListWithContext(t.Context(), "auth/token/accessors")
	require.NoError(t, err)
	self, err := s.admin.Auth().Token().LookupSelfWithContext(t.Context())
	require.NoError(t, err)
	keys, ok := list.Data["keys"].([]any)
	require.True(t, ok)
	for _, key := range keys {
		if accessor, ok := key.(string); ok && accessor != text(t, self, "accessor") {
			require.NoError(t, s.admin.Auth().Token().RevokeAccessorWithContext(t.Context(), accessor))
		}
	}
}

// config is how a store reaches the server, with its root token, and KV at v2/.
func (s *server) config(t *testing.T) vault.Config {
	t.Helper()
	return vault.Config{
		Addr: s.addr, Token: secret.NewValue(s.root), Mount: "v2",
		Log: slog.New(slog.NewTextHandler(quiet{t}, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
}

// quiet takes log lines, which must not hold a secret.
type quiet struct{ t *testing.T }

func (q quiet) Write(line []byte) (int, error) {
	if strings.Contains(string(line), secrettest.Canary) || strings.Contains(string(line), "hvs.") || strings.Contains(string(line), "hvb.") {
		q.t.Error("a log line holds a secret")
	}
	return len(line), nil
}

// open returns a store, which is closed at the end.
func open(t *testing.T, cfg vault.Config) *vault.Store {
	t.Helper()
	s, err := vault.New(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close(context.WithoutCancel(t.Context())) })
	return s
}

// ask asks for what a reference says.
func ask(t *testing.T, s secret.Store, ref string) (secret.Entry, error) {
	t.Helper()
	parsed, err := secret.ParseRef(ref)
	require.NoError(t, err)
	entry, err := s.Get(t.Context(), parsed)
	if err != nil {
		secrettest.RequireQuiet(t, err)
		require.NotContains(t, err.Error(), "hvs.")
	}
	return entry, err
}

// has asks for what is there.
func has(t *testing.T, s secret.Store, ref, want string) secret.Entry {
	t.Helper()
	entry, err := ask(t, s, ref)
	require.NoError(t, err)
	require.Equal(t, want, entry.Value.Reveal())
	return entry
}

// lacks asks for what is not to be had.
func lacks(t *testing.T, s secret.Store, ref string, kind error) {
	t.Helper()
	_, err := ask(t, s, ref)
	secrettest.RequireKind(t, err, kind)
}

// text is one text of an answer.
func text(t *testing.T, answer *api.Secret, field string) string {
	t.Helper()
	require.NotNil(t, answer)
	value, ok := answer.Data[field].(string)
	require.True(t, ok, field)
	return value
}
