package vaultsrv_test

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
)

const (
	user     = "vault:/database/creds/app#username"
	password = "vault:/database/creds/app#password"
)

// lending is how a role may read what is lent, with no right but those that every token has.
func (s *server) lending(t *testing.T) map[string]any {
	t.Helper()
	s.policy(t, "lending", "database/creds/*")
	return map[string]any{"token_policies": "lending", "token_ttl": "1h"}
}

// What is lent is one lease for all who ask, renewed while the store lives, and revoked when it is closed.
func TestLease(t *testing.T) {
	t.Parallel()
	s := start(t)
	store := open(t, s.approle(t, s.lending(t)))
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if _, err := ask(t, store, password); err != nil {
				t.Errorf("a get failed: %v", err)
			}
		})
	}
	all.Wait()
	first := has(t, store, user, "app-1")
	require.Greater(t, time.Until(first.ExpiresAt), time.Second)
	require.LessOrEqual(t, time.Until(first.ExpiresAt), 15*time.Second)
	require.Eventually(t, func() bool { return s.lent.renewals() > 0 }, patience, tick)
	require.Eventually(t, func() bool {
		again := has(t, store, user, "app-1")
		require.Equal(t, first.Version, again.Version)
		return again.ExpiresAt.After(first.ExpiresAt)
	}, patience, tick)
	require.False(t, s.lent.isRevoked("app-1"))
	require.NoError(t, store.Close(t.Context()))
	require.Eventually(t, func() bool { return s.lent.isRevoked("app-1") }, patience, tick)
	lacks(t, store, user, secret.ErrUnavailable)
}

// A lease that cannot be renewed, or not any more, is followed by a new one; nobody who asks sees one that has ended.
func TestLeaseEnds(t *testing.T) {
	t.Parallel()
	s := start(t)
	store := open(t, s.config(t))
	ref := func(name string) string { return "vault:/database/creds/" + name + "#username" }
	first := map[string]string{}
	for _, name := range []string{"fixed", "bounded"} {
		lent, err := ask(t, store, ref(name))
		require.NoError(t, err)
		first[name] = lent.Version
	}
	require.Eventually(t, func() bool {
		changed := 0
		for name, version := range first {
			lent, err := ask(t, store, ref(name))
			require.NoError(t, err)
			require.True(t, lent.ExpiresAt.After(time.Now()))
			require.False(t, s.lent.isRevoked(lent.Value.Reveal()))
			if lent.Version != version {
				changed++
			}
		}
		return changed == len(first)
	}, patience, tick)
	require.NoError(t, store.Close(t.Context()))
	require.Eventually(t, func() bool { return len(s.leases(t)) == 0 }, patience, tick)
}

// leases returns those that there are.
func (s *server) leases(t *testing.T) []any {
	t.Helper()
	var all []any
	for _, name := range []string{"app", "fixed", "bounded"} {
		list, err := s.admin.Logical().ListWithContext(t.Context(), "sys/leases/lookup/database/creds/"+name)
		require.NoError(t, err)
		if list != nil {
			keys, _ := list.Data["keys"].([]any)
			all = append(all, keys...)
		}
	}
	return all
}

// What somebody revokes in Vault is not given out any more, nor what was lent to a token that somebody revokes.
func TestLeaseIsRevokedThere(t *testing.T) {
	t.Parallel()
	s := start(t)
	store := open(t, s.approle(t, s.lending(t)))
	has(t, store, user, "app-1")
	require.NoError(t, s.admin.Sys().RevokePrefixWithContext(t.Context(), "database/creds/app"))
	require.Eventually(t, func() bool {
		got, err := ask(t, store, user)
		require.NoError(t, err)
		return got.Value.Reveal() == "app-2"
	}, patience, tick)
	s.revokeTokens(t)
	require.Eventually(t, func() bool {
		got, err := ask(t, store, user)
		require.NoError(t, err)
		return got.Value.Reveal() == "app-3"
	}, patience, tick)
	s.policy(t, "lending", "database/creds/other")
	require.NoError(t, s.admin.Sys().RevokePrefixWithContext(t.Context(), "database/creds/app"))
	require.Eventually(t, func() bool {
		_, err := ask(t, store, user)
		return err != nil
	}, patience, tick)
	lacks(t, store, user, secret.ErrDenied)
}

// A token that was given to us has no right to revoke leases but what its policy says; who closes the store is told.
func TestLeasesOfAGivenToken(t *testing.T) {
	t.Parallel()
	s := start(t)
	for _, test := range []struct {
		policies []string
		user     string
	}{{[]string{"database/creds/*", "sys/leases/revoke update"}, ""}, {[]string{"database/creds/*"}, "leases of vault could not be revoked"}} {
		s.policy(t, "lending", test.policies...)
		made := s.put(t, "auth/token/create", map[string]any{"policies": []string{"lending"}, "ttl": "1h"})
		cfg := s.config(t)
		cfg.Token = secret.NewValue(made.Auth.ClientToken)
		store := open(t, cfg)
		lent, err := ask(t, store, user)
		require.NoError(t, err)
		err = store.Close(t.Context())
		if test.user == "" {
			require.NoError(t, err)
			require.Eventually(t, func() bool { return s.lent.isRevoked(lent.Value.Reveal()) }, patience, tick)
			continue
		}
		require.ErrorContains(t, err, test.user)
		require.False(t, s.lent.isRevoked(lent.Value.Reveal()))
	}
}
