package vaultsrv_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/vault"
)

// reading is a role that may read what is in KV below app/.
func (s *server) reading(t *testing.T) map[string]any {
	t.Helper()
	s.policy(t, "reader", "v2/data/app/*")
	for _, path := range []string{"app/a", "other/a"} {
		_, err := s.admin.KVv2("v2").Put(t.Context(), path, map[string]any{"value": "v"})
		require.NoError(t, err)
	}
	return map[string]any{"token_policies": "reader", "token_ttl": "1h"}
}

// works checks that a store may read what it may, and no more, with one login.
func works(t *testing.T, s *server, cfg vault.Config) *vault.Store {
	t.Helper()
	store := open(t, cfg)
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if entry, err := ask(t, store, "vault:app/a"); err != nil || entry.Value.Reveal() != "v" {
				t.Errorf("a get failed: %v", err)
			}
		})
	}
	all.Wait()
	for range 3 {
		lacks(t, store, "vault:other/a", secret.ErrDenied)
	}
	require.Equal(t, 2, s.tokens(t), "the root's, and that of one login")
	return store
}

func TestAppRole(t *testing.T) {
	t.Parallel()
	s := start(t)
	cfg := s.approle(t, s.reading(t))
	store := works(t, s, cfg)
	s.revokeTokens(t)
	has(t, store, "vault:app/a", "v")
	s.revokeTokens(t)
	lacks(t, store, "vault:other/a", secret.ErrDenied)
	has(t, store, "vault:app/a", "v")
	require.NoError(t, store.Close(t.Context()))
	require.Equal(t, 1, s.tokens(t), "the root's: ours was given back")

	cfg.SecretID = secret.NewValue("another")
	store = open(t, cfg)
	lacks(t, store, "vault:app/a", secret.ErrDenied)
	_, err := ask(t, store, "vault:app/a")
	require.ErrorContains(t, err, "again in", "what was refused is not sent again at once")
	cfg.AuthMount = "elsewhere"
	lacks(t, open(t, cfg), "vault:app/a", secret.ErrDenied)
}

// A token that ends is renewed before; one that ends all the same is followed by another.
func TestTokenEnds(t *testing.T) {
	t.Parallel()
	s := start(t)
	settings := s.reading(t)
	settings["token_ttl"], settings["token_max_ttl"] = "5s", "8s"
	store := open(t, s.approle(t, settings))
	for first := time.Now(); time.Since(first) < 12*time.Second; <-time.After(tick) {
		has(t, store, "vault:app/a", "v")
	}
}

// Tokens of the kind batch cannot be renewed, nor revoked.
func TestBatchToken(t *testing.T) {
	t.Parallel()
	s := start(t)
	settings := s.reading(t)
	s.policy(t, "lending", "database/creds/*", "sys/leases/revoke update")
	settings["token_type"], settings["token_policies"], settings["token_ttl"] = "batch", "reader,lending", "1h"
	store := open(t, s.approle(t, settings))
	has(t, store, "vault:app/a", "v")
	user, err := ask(t, store, "vault:/database/creds/app#username")
	require.NoError(t, err)
	require.NoError(t, store.Close(t.Context()))
	require.Eventually(t, func() bool { return s.lent.isRevoked(user.Value.Reveal()) }, patience, tick)
}

func TestWrappedSecretID(t *testing.T) {
	t.Parallel()
	s := start(t)
	cfg := s.approle(t, s.reading(t))
	wrapped := func(path string) string {
		t.Helper()
		wrapping, err := s.admin.Clone()
		require.NoError(t, err)
		wrapping.SetToken(s.root)
		wrapping.SetWrappingLookupFunc(func(string, string) string { return "5m" })
		answer, err := wrapping.Logical().WriteWithContext(t.Context(), path, nil)
		require.NoError(t, err)
		return answer.WrapInfo.Token
	}
	token := wrapped("auth/approle/role/secretd/secret-id")
	cfg.SecretID, cfg.SecretIDWrapped = secret.NewValue(token), true
	store := works(t, s, cfg)
	s.revokeTokens(t)
	has(t, store, "vault:app/a", "v") // the secret id is still known

	_, err := ask(t, open(t, cfg), "vault:app/a")
	require.ErrorIs(t, err, secret.ErrDenied)
	require.ErrorContains(t, err, "somebody else")

	other := wrapped("auth/token/create")
	cfg.SecretID = secret.NewValue(other)
	lacks(t, open(t, cfg), "vault:app/a", secret.ErrDenied)
	_, err = s.admin.Logical().UnwrapWithContext(t.Context(), other)
	require.NoError(t, err, "what is not ours was not opened")
}

func TestJWT(t *testing.T) {
	t.Parallel()
	s := start(t)
	settings := s.reading(t)
	s.enable(t, "jwt")
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	require.NoError(t, err)
	s.put(t, "auth/jwt/config", map[string]any{"jwt_validation_pubkeys": string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}))})
	settings["role_type"], settings["user_claim"], settings["bound_audiences"] = "jwt", "sub", "vault"
	s.put(t, "auth/jwt/role/secretd", settings)
	claims := map[string]any{"sub": "secretd", "aud": "vault", "iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix()}
	cfg := s.config(t)
	cfg.Token, cfg.Auth, cfg.Role = secret.Value{}, vault.AuthJWT, "secretd"
	cfg.JWTFile = filepath.Join(t.TempDir(), "jwt")
	write := func(token string) { require.NoError(t, os.WriteFile(cfg.JWTFile, []byte(token+"\n"), 0o600)) }
	write(sign(t, key, claims))
	works(t, s, cfg)

	claims["aud"] = "elsewhere"
	write(sign(t, key, claims))
	store := open(t, cfg)
	lacks(t, store, "vault:app/a", secret.ErrDenied)
	claims["aud"] = "vault"
	write(sign(t, key, claims)) // as a projected token is replaced
	has(t, store, "vault:app/a", "v")
}

func TestKubernetes(t *testing.T) {
	t.Parallel()
	s := start(t)
	settings := s.reading(t)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	account := sign(t, key, map[string]any{
		"iss": "https://kubernetes.default.svc", "sub": "system:serviceaccount:mlsdm:secretd",
		"iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(),
		"kubernetes.io": map[string]any{"namespace": "mlsdm", "serviceaccount": map[string]any{"name": "secretd", "uid": "d77f89bc"}},
	})
	cluster := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var review struct {
			Spec struct{ Token string }
		}
		good := json.NewDecoder(r.Body).Decode(&review) == nil && review.Spec.Token == account &&
			r.URL.Path == "/apis/authentication.k8s.io/v1/tokenreviews"
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{
			"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "status": map[string]any{
				"authenticated": good, "user": map[string]any{"username": "system:serviceaccount:mlsdm:secretd", "uid": "d77f89bc"},
			},
		})
	}))
	t.Cleanup(cluster.Close)
	var authority bytes.Buffer
	require.NoError(t, pem.Encode(&authority, &pem.Block{Type: "CERTIFICATE", Bytes: cluster.Certificate().Raw}))
	require.NoError(t, s.admin.Sys().EnableAuthWithOptionsWithContext(t.Context(), "team/cluster", &api.EnableAuthOptions{Type: "kubernetes"}))
	s.put(t, "auth/team/cluster/config", map[string]any{"kubernetes_host": cluster.URL, "kubernetes_ca_cert": authority.String()})
	settings["bound_service_account_names"], settings["bound_service_account_namespaces"] = "secretd", "mlsdm"
	s.put(t, "auth/team/cluster/role/secretd", settings)

	cfg := s.config(t)
	cfg.Token, cfg.Auth, cfg.AuthMount, cfg.Role = secret.Value{}, vault.AuthKubernetes, "team/cluster", "secretd"
	cfg.JWTFile = filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(cfg.JWTFile, []byte(account), 0o600))
	works(t, s, cfg)
	cfg.Role = "other"
	lacks(t, open(t, cfg), "vault:app/a", secret.ErrDenied)
	cfg.Role = "secretd"
	require.NoError(t, os.WriteFile(cfg.JWTFile, []byte(sign(t, key, map[string]any{
		"sub": "system:serviceaccount:mlsdm:embedder", "exp": time.Now().Add(time.Hour).Unix(),
		"kubernetes.io": map[string]any{"namespace": "mlsdm", "serviceaccount": map[string]any{"name": "secretd", "uid": "d77f89bc"}},
	})), 0o600))
	lacks(t, open(t, cfg), "vault:app/a", secret.ErrDenied)
}

// sign makes a token of claims, signed with ES256 (RFC 7518, section 3.4).
func sign(t *testing.T, key *ecdsa.PrivateKey, claims map[string]any) string {
	t.Helper()
	payload, err := json.Marshal(claims)
	require.NoError(t, err)
	text := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"ES256","typ":"JWT"}`)) + "." + base64.RawURLEncoding.EncodeToString(payload)
	sum := sha256.Sum256([]byte(text))
	r, s, err := ecdsa.Sign(rand.Reader, key, sum[:])
	require.NoError(t, err)
	return text + "." + base64.RawURLEncoding.EncodeToString(append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...))
}
