package vault_test

import (
	"bytes"
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/secrettest"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/vault"
)

// A standby sends us to the active node, once, at the same path, and from https to https only.
func TestStandby(t *testing.T) {
	t.Parallel()
	f := holding()
	active := httptest.NewTLSServer(f)
	t.Cleanup(active.Close)
	plain := httptest.NewServer(f)
	t.Cleanup(plain.Close)
	var loop *httptest.Server
	loop = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, loop.URL+r.URL.RequestURI(), http.StatusTemporaryRedirect)
	}))
	t.Cleanup(loop.Close)
	for name, test := range map[string]struct {
		to     func(uri string) string
		status int
		follow bool
	}{
		"to the active node": {func(uri string) string { return active.URL + uri }, http.StatusTemporaryRedirect, true},
		"for good":           {func(uri string) string { return active.URL + uri }, http.StatusPermanentRedirect, false},
		"in plain":           {func(uri string) string { return plain.URL + uri }, http.StatusTemporaryRedirect, false},
		"to another path":    {func(uri string) string { return active.URL + "/v1/auth/approle/login" + uri }, http.StatusTemporaryRedirect, false},
		"to another version": {func(uri string) string { return active.URL + uri + "&version=2" }, http.StatusTemporaryRedirect, false},
		"as somebody else":   {func(uri string) string { return strings.Replace(active.URL, "://", "://u:p@", 1) + uri }, http.StatusTemporaryRedirect, false},
		"nowhere":            {func(string) string { return "" }, http.StatusTemporaryRedirect, false},
		"round and round":    {func(uri string) string { return loop.URL + uri }, http.StatusTemporaryRedirect, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			standby := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				if to := test.to(r.URL.RequestURI()); to != "" {
					w.Header().Set("Location", to)
				}
				w.WriteHeader(test.status)
			}))
			t.Cleanup(standby.Close)
			cfg := approle(t, f) // whose login has a body that goes along
			cfg.Addr, cfg.Transport = standby.URL, standby.Client().Transport
			s := open(t, cfg)
			if test.follow {
				has(t, s, "vault:a@1", "v")
				return
			}
			lacks(t, s, "vault:a@1", secret.ErrUnavailable)
		})
	}
	t.Run("from plain", func(t *testing.T) {
		t.Parallel()
		standby := httptest.NewServer(http.RedirectHandler(active.URL+"/v1/auth/approle/login", http.StatusTemporaryRedirect))
		t.Cleanup(standby.Close)
		cfg := approle(t, f)
		cfg.Addr, cfg.Transport = standby.URL, active.Client().Transport
		lacks(t, open(t, cfg), "vault:a", secret.ErrUnavailable)
	})
}

// The authority that VAULT_CACERT names is trusted, and no other; VAULT_TOKEN and VAULT_WRAP_TTL change nothing that we do.
func TestEnvironment(t *testing.T) {
	f := holding()
	var wrapped bool
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		wrapped = wrapped || r.Header.Get("X-Vault-Wrap-Ttl") != ""
		f.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	cfg := config(t, f)
	cfg.Addr, cfg.Transport = server.URL, nil
	lacks(t, open(t, cfg), "vault:a", secret.ErrUnavailable)

	authority := filepath.Join(t.TempDir(), "ca.pem")
	var block bytes.Buffer
	require.NoError(t, pem.Encode(&block, &pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
	require.NoError(t, os.WriteFile(authority, block.Bytes(), 0o600))
	t.Setenv("VAULT_CACERT", authority)
	t.Setenv("VAULT_TOKEN", "hvs.other")
	t.Setenv("VAULT_NAMESPACE", "other")
	t.Setenv("VAULT_WRAP_TTL", "60")
	t.Setenv("VAULT_AGENT_ADDR", "http://127.0.0.1:1")
	t.Setenv("VAULT_MAX_RETRIES", "20")
	t.Setenv("VAULT_CLIENT_TIMEOUT", "1ns")
	s := open(t, cfg)
	has(t, s, "vault:a", "v")
	require.False(t, wrapped)

	t.Setenv("VAULT_CACERT", filepath.Join(t.TempDir(), "absent"))
	_, err := vault.New(cfg)
	require.Error(t, err)
}

// What is no HTTP at all shows in no error, though net/http repeats it.
func TestNoHTTP(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		secrettest.Canary + "\r\n\r\n", "HTTP/1.1 2" + secrettest.Canary + "\r\n\r\n", "HTTP/1.1 200 OK\r\n" + secrettest.Canary + "\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + secrettest.Canary + "\r\n",
		"HTTP/1.1 307 T\r\nLocation: ://" + secrettest.Canary + "\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 11\r\n\r\n" + secrettest.Canary,
	} {
		listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
		require.NoError(t, err)
		t.Cleanup(func() { _ = listener.Close() })
		go func() {
			for {
				conn, err := listener.Accept()
				if err != nil {
					return
				}
				_, _ = conn.Read(make([]byte, 4096))
				_, _ = io.WriteString(conn, text)
				_ = conn.Close()
			}
		}()
		s := open(t, vault.Config{Addr: "http://" + listener.Addr().String(), Token: secret.NewValue(root), Mount: "kv", Log: logger(t)})
		lacks(t, s, "vault:a", secret.ErrUnavailable)
	}
}
