package vaultsrv_test

import (
	"strconv"
	"testing"

	core "github.com/hashicorp/vault/vault"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
)

func TestKV(t *testing.T) {
	t.Parallel()
	s := start(t)
	for n := range 3 {
		_, err := s.admin.KVv2("v2").Put(t.Context(), "team/app", map[string]any{"key": "k" + strconv.Itoa(n+1), "user": "u"})
		require.NoError(t, err)
	}
	require.NoError(t, s.admin.KVv1("v1").Put(t.Context(), "team/app", map[string]any{"value": "first"}))
	cfg := s.config(t)
	for _, told := range []int{0, 2} {
		cfg.KVVersion = told
		store := open(t, cfg)
		require.Equal(t, "3", has(t, store, "vault:team/app#key", "k3").Version)
		require.Equal(t, "1", has(t, store, "vault:team/app#key@1", "k1").Version)
		lacks(t, store, "vault:team/app", secret.ErrUnusable)
		lacks(t, store, "vault:team/app#missing", secret.ErrUnusable)
		lacks(t, store, "vault:team/app#key@9", secret.ErrNotFound)
		lacks(t, store, "vault:team", secret.ErrNotFound)
		has(t, store, "vault:/v1/team/app", "first")
		has(t, store, "vault:/v2/data/team/app#key@2", "k2")
	}
	cfg.Mount = "v1"
	for _, told := range []int{0, 1} {
		cfg.KVVersion = told
		store := open(t, cfg)
		entry := has(t, store, "vault:team/app", "first")
		require.Empty(t, entry.Version)
		require.True(t, entry.ExpiresAt.IsZero(), "KV lends nothing, whatever lease_duration it names")
		lacks(t, store, "vault:team/other", secret.ErrNotFound)
	}
	cfg.Mount, cfg.KVVersion = "v2", 1
	lacks(t, open(t, cfg), "vault:team/app#key", secret.ErrUnavailable)
	cfg.Mount, cfg.KVVersion = "nowhere", 2
	lacks(t, open(t, cfg), "vault:team/app#key", secret.ErrNotFound)
}

func TestDeleted(t *testing.T) {
	t.Parallel()
	s := start(t)
	kv := s.admin.KVv2("v2")
	for range 4 {
		_, err := kv.Put(t.Context(), "a", map[string]any{"value": "v"})
		require.NoError(t, err)
	}
	require.NoError(t, kv.DeleteVersions(t.Context(), "a", []int{4}))
	require.NoError(t, kv.Destroy(t.Context(), "a", []int{2}))
	store := open(t, s.config(t))
	for ref, kind := range map[string]error{
		"vault:a": secret.ErrGone, "vault:a@4": secret.ErrGone, "vault:a@2": secret.ErrGone, "vault:/v2/data/a": secret.ErrGone,
	} {
		lacks(t, store, ref, kind)
	}
	has(t, store, "vault:a@3", "v")
	require.NoError(t, kv.Undelete(t.Context(), "a", []int{4}))
	has(t, store, "vault:a", "v")
	require.NoError(t, kv.DeleteMetadata(t.Context(), "a"))
	lacks(t, store, "vault:a", secret.ErrNotFound)
}

// A Vault that is sealed is no answer; when it is open again, all is as it was.
func TestSealed(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.policy(t, "reader", "v2/data/*", "database/creds/*")
	_, err := s.admin.KVv2("v2").Put(t.Context(), "a", map[string]any{"value": "v"})
	require.NoError(t, err)
	store := open(t, s.approle(t, map[string]any{"token_policies": "reader", "token_ttl": "1h"}))
	has(t, store, "vault:a", "v")
	user, err := ask(t, store, "vault:/database/creds/app#username")
	require.NoError(t, err)
	require.NoError(t, core.TestCoreSeal(s.core))
	lacks(t, store, "vault:a", secret.ErrUnavailable)
	has(t, store, "vault:/database/creds/app#username", user.Value.Reveal())
	lacks(t, open(t, s.config(t)), "vault:a", secret.ErrUnavailable)
	for _, key := range s.keys {
		_, err := core.TestCoreUnseal(s.core, key)
		require.NoError(t, err)
	}
	require.Eventually(t, func() bool {
		entry, err := ask(t, store, "vault:a")
		return err == nil && entry.Value.Reveal() == "v"
	}, patience, tick)
	require.Equal(t, 2, s.tokens(t), "the root's, and one of a login")
}
