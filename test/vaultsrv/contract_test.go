package vaultsrv_test

import (
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/hashicorp/vault/api"
	core "github.com/hashicorp/vault/vault"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/secrettest"
)

// The contract of a store, over the real Vault.
func TestContract(t *testing.T) {
	t.Parallel()
	shared := start(t)
	var mounts atomic.Int64
	lacks := map[secrettest.Row]string{secrettest.RowBinary: "Vault keeps JSON, which has no bytes"}
	for _, row := range []secrettest.Row{
		secrettest.RowThrottled, secrettest.RowSlow, secrettest.RowHalf, secrettest.RowGarbage, secrettest.RowEndless, secrettest.RowRedirected,
	} {
		lacks[row] = "the real one does not do that when it is told to"
	}
	secrettest.Contract{Source: "vault", Lacks: lacks, Start: func(t *testing.T, p secrettest.Provider) secrettest.Subject {
		t.Helper()
		s := shared
		if p.Condition == secrettest.Broken || p.Condition == secrettest.Down {
			s = start(t)
		}
		mount := "suite" + strconv.FormatInt(mounts.Add(1), 10)
		s.mountKV(t, mount, "2")
		put := func(key string, content secrettest.Content) {
			fields := content.Fields
			if fields == nil {
				fields = map[string]any{"value": content.Text + string(content.Binary)}
			}
			_, err := s.admin.KVv2(mount).Put(t.Context(), key, fields)
			require.NoError(t, err)
		}
		for key, held := range p.Secrets {
			for _, content := range held.Versions {
				put(key, content)
			}
			if held.Gone {
				require.NoError(t, s.admin.KVv2(mount).Delete(t.Context(), key))
			}
		}
		return secrettest.Subject{
			Store: s.in(t, p.Condition, mount), Rotate: put,
			At:      func(key string) secret.Ref { return secret.Ref{Store: "vault", Path: key} },
			Version: func(_ string, n int) string { return strconv.Itoa(n + 1) },
		}
	}}.Run(t)
}

// in brings Vault into a condition and returns a store that asks it.
func (s *server) in(t *testing.T, condition secrettest.Condition, mount string) secret.Store {
	t.Helper()
	cfg := s.config(t)
	cfg.Mount = mount
	switch condition { //nolint:exhaustive // the others are lacking
	case secrettest.Denied, secrettest.Expired:
		cfg.KVVersion = 2 // which version it is, is not told to who may read nothing there
		made, err := s.admin.Auth().Token().CreateWithContext(t.Context(), &api.TokenCreateRequest{Policies: []string{"default"}})
		require.NoError(t, err)
		cfg.Token = secret.NewValue(made.Auth.ClientToken)
		if condition == secrettest.Expired {
			require.NoError(t, s.admin.Auth().Token().RevokeTreeWithContext(t.Context(), made.Auth.ClientToken))
		}
	case secrettest.Broken:
		require.NoError(t, core.TestCoreSeal(s.core))
	case secrettest.Down:
		s.stop()
	}
	return open(t, cfg)
}
