package vault_test

import (
	"net/http"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
)

const (
	login      = "PUT auth/approle/login"
	renewToken = "PUT auth/token/renew-self"
)

func TestTokenIsRenewed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := holding()
		f.tokenTTL = time.Minute
		s := open(t, approle(t, f))
		has(t, s, "vault:a", "v")
		pass(39 * time.Second)
		require.Zero(t, f.count(renewToken))
		pass(2 * time.Second)
		require.Equal(t, 1, f.count(renewToken), "at two thirds of its time")
		pass(10 * time.Minute)
		has(t, s, "vault:a", "v")
		require.Equal(t, 1, f.count(login))
		require.LessOrEqual(t, f.count(renewToken), 17)
	})
}

// A token that reaches the most that Vault grants, or cannot be renewed, is replaced before it ends.
func TestTokenIsReplaced(t *testing.T) {
	t.Parallel()
	for name, set := range map[string]func(*fake){
		"at its most":   func(f *fake) { f.tokenMost = 100 * time.Second },
		"not renewable": func(f *fake) { f.fixed = true },
		"renewals forbidden": func(f *fake) {
			f.forbidden["auth/token/renew-self"] = true
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := holding()
				f.tokenTTL = time.Minute
				set(f)
				s := open(t, approle(t, f))
				for range 300 {
					has(t, s, "vault:a", "v")
					pass(time.Second)
				}
				logins := f.count(login)
				require.GreaterOrEqual(t, logins, 3)
				require.LessOrEqual(t, logins, 8)
				require.Equal(t, 300, f.count("GET kv/app/data/a"), "no request met a token that had ended")
			})
		})
	}
}

func TestTokenWhileVaultIsDown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := holding()
		f.tokenTTL = time.Minute
		s := open(t, approle(t, f))
		has(t, s, "vault:a", "v")
		f.failing(func(string, string) int { return http.StatusServiceUnavailable })
		pass(50 * time.Second)
		lacks(t, s, "vault:a", secret.ErrUnavailable)
		f.failing(nil)
		pass(9 * time.Second)
		require.Equal(t, 1, f.count(login), "it was renewed in time")
		f.failing(func(string, string) int { return http.StatusServiceUnavailable })
		pass(10 * time.Minute)
		lacks(t, s, "vault:a", secret.ErrUnavailable)
		f.failing(nil)
		has(t, s, "vault:a", "v")
		require.LessOrEqual(t, len(f.asked), 60, "who is down is not asked without pause")
	})
}

// A token that was given to us is renewed too; when it ends, the file has another one, or it was renewed by somebody else.
func TestTokenGivenEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := holding()
		f.tokenTTL = time.Minute
		f.tokens["hvs.short"] = f.grant(time.Minute, 10*time.Minute)
		f.tokens["hvs.next"] = f.grant(time.Hour, time.Hour)
		cfg := config(t, f)
		cfg.Token, cfg.TokenFile = secret.Value{}, file(t, "hvs.short")
		s := open(t, cfg)
		has(t, s, "vault:a", "v")
		pass(9 * time.Minute)
		has(t, s, "vault:a", "v")
		require.NoError(t, os.WriteFile(cfg.TokenFile, []byte("hvs.next"), 0o600))
		pass(10 * time.Minute)
		has(t, s, "vault:a", "v")

		f.fixed = true
		f.tokens["hvs.fixed"] = f.grant(time.Minute, 0)
		cfg.TokenFile = file(t, "hvs.fixed")
		s = open(t, cfg)
		has(t, s, "vault:a", "v")
		f.mu.Lock()
		f.tokens["hvs.fixed"].ends = time.Now().Add(time.Hour)
		f.mu.Unlock()
		pass(2 * time.Minute)
		has(t, s, "vault:a", "v")
		pass(time.Hour)
		lacks(t, s, "vault:a", secret.ErrDenied)
	})
}

func TestClose(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := holding()
		f.tokenTTL = time.Minute
		s := open(t, approle(t, f))
		require.NoError(t, s.Close(t.Context()), "nothing was asked")
		require.Empty(t, f.asked)

		s = open(t, approle(t, f))
		has(t, s, "vault:a", "v")
		require.Equal(t, 2, f.alive(f.tokens))
		require.NoError(t, s.Close(t.Context()))
		require.Equal(t, 1, f.alive(f.tokens), "the token of the login was given back")
		lacks(t, s, "vault:a", secret.ErrUnavailable)
		lacks(t, s, "vault:/database/creds/app#password", secret.ErrUnavailable)
		require.NoError(t, s.Close(t.Context()))

		s = open(t, config(t, f))
		has(t, s, "vault:a", "v")
		require.NoError(t, s.Close(t.Context()))
		require.Equal(t, 1, f.alive(f.tokens), "a token that was given to us is not ours to revoke")
	})
}
