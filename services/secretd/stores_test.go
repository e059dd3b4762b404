package secretd_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/health"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// vaultServer is a KV engine that has one secret and can be sealed.
func vaultServer(t *testing.T) (url string, sealed *atomic.Bool) {
	t.Helper()
	sealed = &atomic.Bool{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case sealed.Load():
			w.WriteHeader(http.StatusServiceUnavailable)
		case r.Header.Get("X-Vault-Token") != "root":
			w.WriteHeader(http.StatusForbidden)
		case r.URL.Path == "/v1/secret/data/mlsdm/number":
			_ = json.NewEncoder(w).Encode(map[string]any{"data": map[string]any{"data": map[string]any{"value": 7}}})
		case !strings.HasPrefix(r.URL.Path, "/v1/secret/data/mlsdm/in_"):
			w.WriteHeader(http.StatusNotFound)
		default:
			_ = json.NewEncoder(w).Encode(map[string]any{"data": map[string]any{
				"data": map[string]any{"value": "from vault"}, "metadata": map[string]any{"version": 3, "created_time": "2026-01-31T12:00:00Z"},
			}})
		}
	}))
	t.Cleanup(server.Close)
	return server.URL, sealed
}

func TestStoresAreAskedInOrder(t *testing.T) {
	t.Parallel()
	url, sealed := vaultServer(t)
	r := start(t, map[string]string{
		"SECRETD_ALLOW": "in_env,in_vault,in_both,nowhere,number", "VAULT_ADDR": url, "VAULT_TOKEN": "root",
		"IN_ENV": "from env", "IN_BOTH": "from env",
	})
	c := r.as(t, "generator")
	requireSecret := func(name, want, source, version string) {
		t.Helper()
		value, err := c.Secret(within(t), name)
		require.NoError(t, err)
		require.Equal(t, []string{want, source, version}, []string{value.Reveal(), value.Source, value.Version})
	}
	requireSecret("in_env", "from env", "env", "")
	requireSecret("in_both", "from env", "env", "")
	requireSecret("in_vault", "from vault", "vault", "3")
	_, err := c.Secret(within(t), "nowhere")
	requireCode(t, events.CodeNotFound, err)
	require.Equal(t, health.StatusReady, r.checks.Run(t.Context()).Status)

	sealed.Store(true)
	for _, name := range []string{"in_vault", "nowhere"} {
		_, err := c.Secret(within(t), name)
		requireCode(t, events.CodeUnavailable, err) // and never "not found": nobody knows that now
		require.Equal(t, "vault", events.AsError(err).Provider)
		require.True(t, events.AsError(err).Retryable)
		require.NotContains(t, err.Error(), url)
	}
	report := r.checks.Run(t.Context())
	require.Equal(t, health.StatusDegraded, report.Status)
	require.Equal(t, health.StatusDegraded, report.Checks["vault"].Status)
	require.Equal(t, health.StatusOK, report.Checks["env"].Status)
	requireSecret("in_env", "from env", "env", "")

	sealed.Store(false)
	_, err = c.Secret(within(t), "number")
	requireCode(t, events.CodeFailedPrecondition, err)
	require.Equal(t, health.StatusReady, r.checks.Run(t.Context()).Status, "a value of no use is an answer all the same")
	requireSecret("in_vault", "from vault", "vault", "3")
	require.Equal(t, health.StatusReady, r.checks.Run(t.Context()).Status)
}

func TestTheOrderIsTheOperators(t *testing.T) {
	t.Parallel()
	url, _ := vaultServer(t)
	r := start(t, map[string]string{
		"SECRETD_ALLOW": "in_both,in_env", "SECRETD_STORES": "vault", "VAULT_ADDR": url, "VAULT_TOKEN": "root", "IN_BOTH": "from env",
	})
	value, err := r.as(t, "generator").Secret(within(t), "in_both")
	require.NoError(t, err)
	require.Equal(t, "from vault", value.Reveal())

	r = start(t, map[string]string{"SECRETD_ALLOW": "in_vault", "VAULT_ADDR": url, "VAULT_TOKEN": "another"})
	_, err = r.as(t, "generator").Secret(within(t), "in_vault")
	requireCode(t, events.CodeUnauthenticated, err)
}
