package vault_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/secrettest"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/vault"
)

const token = "hvs." + secrettest.Canary

// fake answers as Vault's KV engine does (https://developer.hashicorp.com/vault/api-docs/secret/kv).
type fake struct {
	kv   int
	data map[string]map[string]any // by path
	// deleted versions are answered with 404 and metadata, by version 2.
	deleted map[string]bool
}

// ServeHTTP implements [http.Handler].
func (f fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	answer := func(status int, v any) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(v)
	}
	if r.Header.Get("X-Vault-Token") != token || r.Header.Get("X-Vault-Request") != "true" {
		answer(http.StatusForbidden, map[string]any{"errors": []string{"permission denied for " + token}})
		return
	}
	prefix := "/v1/kv/app/data/team/"
	if f.kv == 1 {
		prefix = "/v1/kv/app/team/"
	}
	name, ok := strings.CutPrefix(r.URL.Path, prefix)
	data, found := f.data[name]
	metadata := map[string]any{"created_time": "2026-01-31T12:00:00Z", "deletion_time": "", "destroyed": false, "version": 7}
	switch {
	case r.Method != http.MethodGet || !ok:
		answer(http.StatusNotFound, map[string]any{"errors": []string{"no handler for route"}})
	case f.deleted[name]:
		metadata["deletion_time"] = "2026-02-01T12:00:00Z"
		answer(http.StatusNotFound, map[string]any{"data": map[string]any{"data": nil, "metadata": metadata}})
	case !found:
		answer(http.StatusNotFound, map[string]any{"errors": []string{}})
	case f.kv == 1:
		answer(http.StatusOK, map[string]any{"data": data})
	default:
		answer(http.StatusOK, map[string]any{"data": map[string]any{"data": data, "metadata": metadata}})
	}
}

// config is how to reach a server.
func config(addr string, kv int) vault.Config {
	return vault.Config{Addr: addr, Token: secret.NewValue(token), Mount: "kv/app", Path: "team", KVVersion: kv}
}

// start returns a store over a handler.
func start(t *testing.T, kv int, h http.Handler) secret.Store {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	s, err := vault.New(config(server.URL, kv))
	require.NoError(t, err)
	return s
}

func TestContract(t *testing.T) {
	t.Parallel()
	for _, kv := range []int{1, 2} {
		t.Run("version "+strconv.Itoa(kv), func(t *testing.T) {
			t.Parallel()
			secrettest.Run(t, secrettest.Harness{
				Source: "vault",
				New: func(t *testing.T, values map[string]string) secret.Store {
					t.Helper()
					f := fake{kv: kv, data: map[string]map[string]any{}}
					for name, value := range values {
						f.data[name] = map[string]any{"value": value}
					}
					return start(t, kv, f)
				},
				Down: func(t *testing.T) secret.Store {
					t.Helper()
					s, err := vault.New(config("http://127.0.0.1:1", kv))
					require.NoError(t, err)
					return s
				},
				Denied: func(t *testing.T) secret.Store {
					t.Helper()
					server := httptest.NewServer(fake{kv: kv})
					t.Cleanup(server.Close)
					cfg := config(server.URL, kv)
					cfg.Token = secret.NewValue("hvs.other")
					s, err := vault.New(cfg)
					require.NoError(t, err)
					return s
				},
			})
		})
	}
}

// get asks for one secret.
func get(t *testing.T, s secret.Store, text string) (secret.Entry, error) {
	t.Helper()
	name, err := secret.ParseName(text)
	require.NoError(t, err)
	return s.Get(t.Context(), name)
}

func TestFields(t *testing.T) {
	t.Parallel()
	s := start(t, 2, fake{kv: 2, deleted: map[string]bool{"deleted": true}, data: map[string]map[string]any{
		"value":   {"value": "v", "user": "u"},
		"only":    {"api_key": "k"},
		"several": {"user": "u", "password": secrettest.Canary},
		"number":  {"value": 7},
		"object":  {"value": map[string]any{"a": secrettest.Canary}},
	}})
	for name, want := range map[string]string{"value": "v", "only": "k"} {
		entry, err := get(t, s, name)
		require.NoError(t, err)
		require.Equal(t, want, entry.Value.Reveal())
		require.Equal(t, "7", entry.Version)
	}
	for _, name := range []string{"several", "number", "object"} {
		_, err := get(t, s, name)
		require.ErrorIs(t, err, secret.ErrUnusable)
		require.NotContains(t, err.Error(), secrettest.Canary)
	}
	_, err := get(t, s, "deleted")
	require.ErrorIs(t, err, secret.ErrNotFound)
}

func TestFailures(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		status int
		body   string
		want   error
	}{
		"sealed":               {http.StatusServiceUnavailable, `{"errors":["Vault is sealed ` + secrettest.Canary + `"]}`, secret.ErrUnavailable},
		"standby":              {http.StatusTooManyRequests, `{"errors":[]}`, secret.ErrUnavailable},
		"a proxy":              {http.StatusBadGateway, "<html>" + secrettest.Canary, secret.ErrUnavailable},
		"the wrong version":    {http.StatusOK, `{"data":{"value":"` + secrettest.Canary + `"}}`, secret.ErrUnavailable},
		"no JSON":              {http.StatusOK, secrettest.Canary, secret.ErrUnavailable},
		"cut off":              {http.StatusOK, `{"data":{"data":{"value":"` + secrettest.Canary, secret.ErrUnavailable},
		"data of another type": {http.StatusOK, `{"data":{"data":"` + secrettest.Canary + `"}}`, secret.ErrUnavailable},
		"endless":              {http.StatusOK, `{"data":{"data":{"value":"` + strings.Repeat("x", 2<<20) + `"}}}`, secret.ErrUnavailable},
		"unauthorized":         {http.StatusUnauthorized, `{"errors":["` + token + `"]}`, secret.ErrDenied},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := get(t, start(t, 2, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(test.status)
				_, _ = w.Write([]byte(test.body))
			})), "key")
			require.ErrorIs(t, err, test.want)
			require.NotContains(t, err.Error(), secrettest.Canary)
		})
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*vault.Config){
		"no address":    func(c *vault.Config) { c.Addr = "" },
		"no URL":        func(c *vault.Config) { c.Addr = "vault:8200" },
		"another one":   func(c *vault.Config) { c.Addr = "unix:///run/vault" },
		"with a user":   func(c *vault.Config) { c.Addr = "https://u:p@vault" },
		"no token":      func(c *vault.Config) { c.Token = secret.Value{} },
		"no mount":      func(c *vault.Config) { c.Mount = "" },
		"mount climbs":  func(c *vault.Config) { c.Mount = "../sys" },
		"path climbs":   func(c *vault.Config) { c.Path = "a/../../sys" },
		"path queries":  func(c *vault.Config) { c.Path = "a?list=true" },
		"version three": func(c *vault.Config) { c.KVVersion = 3 },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := config("https://vault:8200", 2)
			require.NoError(t, cfg.Validate())
			spoil(&cfg)
			_, err := vault.New(cfg)
			require.Error(t, err)
			require.NotContains(t, err.Error(), secrettest.Canary)
		})
	}
}
