package vault_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/secrettest"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/vault"
)

func TestSettings(t *testing.T) {
	t.Parallel()
	hidden := secret.NewValue(secrettest.Canary)
	good := map[string]vault.Config{
		"token":      {Token: hidden},
		"token file": {Auth: vault.AuthToken, TokenFile: "/run/token"},
		"approle":    {Auth: vault.AuthAppRole, RoleID: secrettest.Canary, SecretID: hidden},
		"wrapped":    {Auth: vault.AuthAppRole, RoleIDFile: "/run/role", SecretIDFile: "/run/id", SecretIDWrapped: true, AuthMount: "team/roles"},
		"role alone": {Auth: vault.AuthAppRole, RoleID: secrettest.Canary},
		"kubernetes": {Auth: vault.AuthKubernetes, Role: "secretd"},
		"jwt":        {Auth: vault.AuthJWT, JWTFile: "/run/jwt", Namespace: "team/app/"},
	}
	for name, cfg := range good {
		cfg.Addr, cfg.Mount = "https://vault:8200", "secret"
		require.NoError(t, cfg.Validate(), name)
		_, err := vault.New(cfg)
		require.NoError(t, err, name)
	}
	for name, spoil := range map[string]func(*vault.Config){
		"no address":             func(c *vault.Config) { c.Addr = "" },
		"no URL":                 func(c *vault.Config) { c.Addr = "vault:8200" },
		"another one":            func(c *vault.Config) { c.Addr = "unix:///run/vault" },
		"with a user":            func(c *vault.Config) { c.Addr = "https://u:" + secrettest.Canary + "@vault" },
		"with a query":           func(c *vault.Config) { c.Addr = "https://vault?token=" + secrettest.Canary },
		"no token":               func(c *vault.Config) { c.Token = secret.Value{} },
		"two tokens":             func(c *vault.Config) { c.TokenFile = "/run/token" },
		"no mount":               func(c *vault.Config) { c.Mount = "" },
		"mount climbs":           func(c *vault.Config) { c.Mount = "../sys" },
		"mount begins at root":   func(c *vault.Config) { c.Mount = "/secret" },
		"mount queries":          func(c *vault.Config) { c.Mount = "a?list=true" },
		"way to log in climbs":   func(c *vault.Config) { c.AuthMount = "../token" },
		"namespace breaks lines": func(c *vault.Config) { c.Namespace = "a\r\nX-Vault-Token: b" },
		"version three":          func(c *vault.Config) { c.KVVersion = 3 },
		"another way to log in":  func(c *vault.Config) { c.Auth = "ldap" },
		"no role id":             func(c *vault.Config) { c.Auth = vault.AuthAppRole },
		"two role ids":           func(c *vault.Config) { c.Auth, c.RoleID, c.RoleIDFile = vault.AuthAppRole, "r", "/run/role" },
		"two secret ids": func(c *vault.Config) {
			c.Auth, c.RoleID, c.SecretID, c.SecretIDFile = vault.AuthAppRole, "r", hidden, "/run/id"
		},
		"nothing wrapped": func(c *vault.Config) { c.Auth, c.RoleID, c.SecretIDWrapped = vault.AuthAppRole, "r", true },
		"no role":         func(c *vault.Config) { c.Auth = vault.AuthKubernetes },
		"no jwt":          func(c *vault.Config) { c.Auth = vault.AuthJWT },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := vault.Config{Addr: "https://vault:8200", Token: hidden, Mount: "secret"}
			require.NoError(t, cfg.Validate())
			spoil(&cfg)
			_, err := vault.New(cfg)
			require.Error(t, err)
			secrettest.RequireQuiet(t, err)
		})
	}
}
