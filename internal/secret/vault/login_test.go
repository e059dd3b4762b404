package vault_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/secrettest"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/vault"
)

// holding returns a fake with one entry, a.
func holding() *fake {
	f := newFake()
	f.put("a", map[string]any{"value": "v"})
	return f
}

// approle is how a store logs in by AppRole.
func approle(t *testing.T, f *fake) vault.Config {
	t.Helper()
	cfg := config(t, f)
	cfg.Token, cfg.Auth, cfg.RoleID, cfg.SecretID = secret.Value{}, vault.AuthAppRole, "role", secret.NewValue("id-"+secrettest.Canary)
	return cfg
}

// file writes a credential to a file.
func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "credential")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func TestLogins(t *testing.T) {
	t.Parallel()
	jwt := file(t, secrettest.Canary+"\n")
	for name, test := range map[string]struct {
		cfg  vault.Config
		path string
		want map[string]string
	}{
		"approle": {
			vault.Config{Auth: vault.AuthAppRole, RoleID: "r", SecretID: secret.NewValue(secrettest.Canary)},
			"approle",
			map[string]string{"role_id": "r", "secret_id": secrettest.Canary},
		},
		"approle of files": {
			vault.Config{Auth: vault.AuthAppRole, RoleIDFile: file(t, " r\n"), SecretIDFile: jwt, AuthMount: "team/roles"},
			"team/roles",
			map[string]string{"role_id": "r", "secret_id": secrettest.Canary},
		},
		"approle without a secret id": {vault.Config{Auth: vault.AuthAppRole, RoleID: "r"}, "approle", map[string]string{"role_id": "r"}},
		"kubernetes": {
			vault.Config{Auth: vault.AuthKubernetes, Role: "secretd", JWTFile: jwt},
			"kubernetes",
			map[string]string{"role": "secretd", "jwt": secrettest.Canary},
		},
		"jwt": {vault.Config{Auth: vault.AuthJWT, JWTFile: jwt}, "jwt", map[string]string{"jwt": secrettest.Canary}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := holding()
			var got map[string]string
			f.login = func(members map[string]string) int {
				got = members
				return 0
			}
			cfg := test.cfg
			cfg.Addr, cfg.Mount, cfg.KVVersion, cfg.Transport, cfg.Log = "http://vault:8200", "kv/app", 2, f, logger(t)
			s := open(t, cfg)
			has(t, s, "vault:a", "v")
			has(t, s, "vault:a", "v")
			require.Equal(t, test.want, got)
			require.Equal(t, 1, f.count("PUT auth/"+test.path+"/login"))
		})
	}
}

func TestNamespace(t *testing.T) {
	t.Parallel()
	f := holding()
	cfg := approle(t, f)
	cfg.Namespace = "team/app"
	cfg.Transport = seeing{f, func(r *http.Request) { require.Equal(t, "team/app", r.Header.Get("X-Vault-Namespace")) }}
	has(t, open(t, cfg), "vault:a", "v")
}

// seeing looks at requests.
type seeing struct {
	*fake
	see func(*http.Request)
}

func (s seeing) RoundTrip(req *http.Request) (*http.Response, error) {
	s.see(req)
	return s.fake.RoundTrip(req)
}

func TestLoginRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := holding()
		f.login = func(members map[string]string) int {
			if members["secret_id"] != "good" {
				return http.StatusBadRequest
			}
			return 0
		}
		cfg := approle(t, f)
		cfg.SecretID, cfg.SecretIDFile = secret.Value{}, file(t, secrettest.Canary)
		s := open(t, cfg)
		for range 5 {
			lacks(t, s, "vault:a", secret.ErrDenied)
		}
		require.Equal(t, 1, f.count("PUT auth/approle/login"), "what was refused is not sent again at once")
		pass(5 * time.Second)
		lacks(t, s, "vault:a", secret.ErrDenied)
		pass(5 * time.Second)
		lacks(t, s, "vault:a", secret.ErrDenied)
		require.Equal(t, 2, f.count("PUT auth/approle/login"), "each time it waits twice as long")
		require.NoError(t, os.WriteFile(cfg.SecretIDFile, []byte("good"), 0o600))
		has(t, s, "vault:a", "v")
	})
}

func TestLoginUnavailable(t *testing.T) {
	t.Parallel()
	f := holding()
	cfg := approle(t, f)
	for _, status := range []int{http.StatusServiceUnavailable, http.StatusTooManyRequests, http.StatusInternalServerError} {
		f.failing(func(string, string) int { return status })
		s := open(t, cfg)
		lacks(t, s, "vault:a", secret.ErrUnavailable)
		f.failing(nil)
		has(t, s, "vault:a", "v")
	}
	cfg.SecretID, cfg.SecretIDFile = secret.Value{}, filepath.Join(t.TempDir(), "absent")
	s := open(t, cfg)
	lacks(t, s, "vault:a", secret.ErrUnavailable)
	require.NoError(t, os.WriteFile(cfg.SecretIDFile, []byte("\n"), 0o600))
	lacks(t, s, "vault:a", secret.ErrUnavailable)
	require.NoError(t, os.WriteFile(cfg.SecretIDFile, []byte(strings.Repeat("x", 65<<10)), 0o600))
	lacks(t, s, "vault:a", secret.ErrUnavailable)
	require.NoError(t, os.WriteFile(cfg.SecretIDFile, []byte("id"), 0o600))
	has(t, s, "vault:a", "v")
}

// Vault 1.14.0 answers 500 to a secret id that is no more.
func TestLoginRefusedBy500(t *testing.T) {
	t.Parallel()
	cfg := approle(t, newFake())
	for text, kind := range map[string]error{"invalid secret id": secret.ErrDenied, "internal error": secret.ErrUnavailable} {
		cfg.Transport = failing(`{"errors":["` + text + `"]}`)
		lacks(t, open(t, cfg), "vault:a", kind)
	}
}

// failing answers everything with 500.
type failing string

func (f failing) RoundTrip(req *http.Request) (*http.Response, error) {
	return handled(req, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusInternalServerError)
		_, _ = w.Write([]byte(f))
	}), nil
}

func TestOneLoginAtATime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := holding()
		cfg := approle(t, f)
		cfg.Transport = seeing{f, func(r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/login") {
				time.Sleep(time.Second) //nolint:forbidigo // the clock of the bubble
			}
		}}
		s := open(t, cfg)
		var all sync.WaitGroup
		many := func() {
			for range 100 {
				all.Go(func() { has(t, s, "vault:a", "v") })
			}
			all.Wait()
		}
		many()
		require.Equal(t, 1, f.count("PUT auth/approle/login"))
		f.end(f.tokens, "hvs.login")
		many()
		require.Equal(t, 2, f.count("PUT auth/approle/login"))
	})
}

// A 403 is meant, or it is of a token that has ended: Vault says which.
func TestDenied(t *testing.T) {
	t.Parallel()
	f := holding()
	f.forbidden["kv/app/data/b"] = true
	s := open(t, approle(t, f))
	has(t, s, "vault:a", "v")
	for range 3 {
		lacks(t, s, "vault:b", secret.ErrDenied)
	}
	require.Equal(t, 1, f.count("PUT auth/approle/login"))
	f.end(f.tokens, "hvs.login")
	has(t, s, "vault:a", "v")
	f.end(f.tokens, "hvs.login")
	lacks(t, s, "vault:b", secret.ErrDenied)
	f.failing(func(_, path string) int {
		switch path {
		case "auth/token/lookup-self":
			return http.StatusServiceUnavailable
		case "kv/app/data/a":
			return http.StatusForbidden
		}
		return 0
	})
	lacks(t, s, "vault:a", secret.ErrUnavailable)
}

// Where a token may not look at itself, every 403 could be of its end: it is replaced at once, and then not too often.
func TestDeniedWithoutLooking(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := holding()
		f.blind, f.forbidden["kv/app/data/b"] = true, true
		s := open(t, approle(t, f))
		for range 20 {
			lacks(t, s, "vault:b", secret.ErrDenied)
			has(t, s, "vault:a", "v")
			pass(time.Second)
		}
		require.LessOrEqual(t, f.count("PUT auth/approle/login"), 4)
	})
}

func TestTokenGiven(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := holding()
		f.forbidden["kv/app/data/b"] = true
		s := open(t, config(t, f))
		has(t, s, "vault:a", "v")
		lacks(t, s, "vault:b", secret.ErrDenied)
		has(t, s, "vault:a", "v")
		f.end(f.tokens, root)
		for range 3 {
			lacks(t, s, "vault:a", secret.ErrDenied)
		}

		f = holding()
		f.blind, f.forbidden["kv/app/data/b"] = true, true
		s = open(t, config(t, f))
		for range 3 {
			lacks(t, s, "vault:b", secret.ErrDenied)
			has(t, s, "vault:a", "v")
		}
	})
}

// The file of a token is read again when the token is refused, as the sink of a Vault agent is.
func TestTokenFile(t *testing.T) {
	t.Parallel()
	f := holding()
	cfg := config(t, f)
	cfg.Token, cfg.TokenFile = secret.Value{}, file(t, root+"\n")
	s := open(t, cfg)
	has(t, s, "vault:a", "v")
	f.end(f.tokens, root)
	f.tokens["hvs.next"] = &grant{}
	lacks(t, s, "vault:a", secret.ErrDenied)
	require.NoError(t, os.WriteFile(cfg.TokenFile, []byte("hvs.next"), 0o600))
	has(t, s, "vault:a", "v")
}

func TestLoginWithoutToken(t *testing.T) {
	t.Parallel()
	s := open(t, func() vault.Config {
		cfg := approle(t, newFake())
		cfg.Transport = answering(`{"request_id":"1","auth":{"client_token":"","mfa_requirement":{"mfa_request_id":"` + secrettest.Canary + `"}}}`)
		return cfg
	}())
	lacks(t, s, "vault:a", secret.ErrDenied)
}

// answering answers everything the same.
type answering string

func (a answering) RoundTrip(req *http.Request) (*http.Response, error) {
	return handled(req, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(a)) }), nil
}

// A wrapped secret id is unwrapped once, when it is one of our mount, and is then good for every login.
func TestWrapped(t *testing.T) {
	t.Parallel()
	f := holding()
	held := map[string][2]string{
		"hvs.wrap":  {"auth/approle/role/secretd/secret-id", "good"},
		"hvs.next":  {"auth/approle/role/secretd/secret-id", "next"},
		"hvs.other": {"auth/approle/role/../../sys/secret-id", "good"},
		"hvs.kv":    {"kv/app/data/a", "good"},
		"hvs.empty": {"auth/approle/role/secretd/secret-id", ""},
	}
	good := "good"
	f.login = func(members map[string]string) int {
		if members["secret_id"] != good {
			return http.StatusBadRequest
		}
		return 0
	}
	cfg := approle(t, f)
	cfg.SecretIDWrapped, cfg.SecretID, cfg.SecretIDFile = true, secret.Value{}, file(t, "hvs.wrap")
	cfg.Transport = wrapping{f, held}
	s := open(t, cfg)
	has(t, s, "vault:a", "v")
	require.NotContains(t, held, "hvs.wrap")
	f.end(f.tokens, "hvs.login")
	has(t, s, "vault:a", "v")

	good = "next" // the secret id has been replaced, and a new one is wrapped
	f.end(f.tokens, "hvs.login")
	lacks(t, s, "vault:a", secret.ErrDenied)
	require.NoError(t, os.WriteFile(cfg.SecretIDFile, []byte("hvs.next"), 0o600))
	has(t, s, "vault:a", "v")

	for _, token := range []string{"hvs.spent", "hvs.other", "hvs.kv", "hvs.empty"} {
		cfg.SecretIDFile = file(t, token)
		_, before := held[token]
		_, err := ask(t, open(t, cfg), "vault:a")
		require.ErrorIs(t, err, secret.ErrDenied)
		if !before {
			require.ErrorContains(t, err, "somebody else")
		} else if token != "hvs.empty" {
			require.Contains(t, held, token, "what is not ours is not opened")
		}
	}
}

// wrapping is a fake that unwraps what is held by tokens: where it was made, and the secret id.
type wrapping struct {
	*fake
	held map[string][2]string
}

func (w wrapping) RoundTrip(req *http.Request) (*http.Response, error) {
	operation, ok := strings.CutPrefix(req.URL.Path, "/v1/sys/wrapping/")
	if !ok {
		return w.fake.RoundTrip(req)
	}
	return handled(req, func(resp http.ResponseWriter, req *http.Request) {
		var members map[string]string
		_ = json.NewDecoder(req.Body).Decode(&members)
		token := members["token"]
		if operation == "unwrap" {
			token = req.Header.Get("X-Vault-Token")
		}
		what, ok := w.held[token]
		data := map[string]string{"creation_path": what[0]}
		switch {
		case !ok:
			resp.WriteHeader(http.StatusBadRequest)
			_, _ = resp.Write([]byte(`{"errors":["wrapping token is not valid or does not exist"]}`))
			return
		case operation == "unwrap":
			delete(w.held, token)
			data = map[string]string{"secret_id": what[1]}
		}
		_ = json.NewEncoder(resp).Encode(map[string]any{"request_id": "1", "data": data})
	}), nil
}
