package vault_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/secrettest"
)

const (
	user, password = "vault:/database/creds/app#username", "vault:/database/creds/app#password"
	creds          = "GET database/creds/app"
	renewLease     = "PUT sys/leases/renew"
	revokeLease    = "PUT sys/leases/revoke"
)

// All fields of a path, and all who ask for it, are of one lease.
func TestLeaseIsShared(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		s := open(t, config(t, f))
		start := time.Now()
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() { has(t, s, user, "v-app-1") })
			all.Go(func() { has(t, s, password, secrettest.Canary+"-1") })
		}
		all.Wait()
		pass(10 * time.Second)
		entry := has(t, s, user, "v-app-1")
		require.Equal(t, 1, f.count(creds))
		require.Equal(t, start.Add(time.Minute), entry.ExpiresAt)
		require.Equal(t, "vault", entry.Source)
		require.NotContains(t, entry.Version, "database")
		require.Equal(t, entry.Version, has(t, s, password, secrettest.Canary+"-1").Version)
		other := has(t, s, "vault:/database/creds/other#username", "v-other-2")
		require.NotEqual(t, entry.Version, other.Version)
		lacks(t, s, "vault:/database/creds/app", secret.ErrUnusable)
		lacks(t, s, "vault:/database/creds/app#host", secret.ErrUnusable)
		secrettest.RequireQuiet(t, s)
	})
}

func TestLeaseIsRenewed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		s := open(t, config(t, f))
		has(t, s, user, "v-app-1")
		pass(39 * time.Second)
		require.Zero(t, f.count(renewLease))
		pass(2 * time.Second)
		require.Equal(t, 1, f.count(renewLease), "at two thirds of its time")
		entry := has(t, s, user, "v-app-1")
		require.Greater(t, time.Until(entry.ExpiresAt), 58*time.Second)
		pass(time.Hour)
		has(t, s, user, "v-app-1")
		require.Equal(t, 1, f.count(creds))
	})
}

// A lease that cannot be renewed any more is good until it ends; who asks before that has a new one already.
func TestLeaseIsReplaced(t *testing.T) {
	t.Parallel()
	for name, set := range map[string]func(*fake){
		"at its most":        func(f *fake) { f.leaseMost = 100 * time.Second },
		"not renewable":      func(f *fake) { f.fixed = true },
		"renewals forbidden": func(f *fake) { f.forbidden["sys/leases/renew"] = true },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := newFake()
				set(f)
				s := open(t, config(t, f))
				entry := has(t, s, user, "v-app-1")
				versions := map[string]bool{}
				for range 300 {
					got, err := ask(t, s, user)
					require.NoError(t, err)
					require.Greater(t, time.Until(got.ExpiresAt), 10*time.Second, "it is not given out in its last moments")
					versions[got.Version] = true
					pass(time.Second)
				}
				require.GreaterOrEqual(t, len(versions), 3)
				require.LessOrEqual(t, len(versions), 9)
				require.True(t, versions[entry.Version])
				require.Zero(t, f.count(revokeLease), "those who have the old one use it until it ends")
			})
		})
	}
}

// What Vault has revoked is not given out any more, nor what is denied now.
func TestLeaseIsRevokedThere(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		s := open(t, config(t, f))
		has(t, s, user, "v-app-1")
		pass(time.Second)
		f.end(f.leases, "database")
		has(t, s, user, "v-app-2")
		pass(time.Second)
		f.forbidden["database/creds/app"] = true
		has(t, s, user, "v-app-2")
		pass(time.Second)
		f.end(f.leases, "database")
		lacks(t, s, user, secret.ErrDenied)
	})
}

func TestLeaseWhileVaultIsDown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		s := open(t, config(t, f))
		has(t, s, user, "v-app-1")
		f.failing(func(string, string) int { return http.StatusServiceUnavailable })
		for range 59 {
			has(t, s, user, "v-app-1")
			pass(time.Second)
		}
		pass(time.Second)
		lacks(t, s, user, secret.ErrUnavailable)
		f.failing(nil)
		has(t, s, user, "v-app-2")
		require.LessOrEqual(t, f.count(renewLease), 20, "who is down is not asked without pause")

		f.fixed = true
		has(t, s, "vault:/database/creds/fixed#username", "v-fixed-3")
		pass(45 * time.Second)
		f.failing(func(string, string) int { return http.StatusServiceUnavailable })
		has(t, s, "vault:/database/creds/fixed#username", "v-fixed-3")
		pass(15 * time.Second)
		lacks(t, s, "vault:/database/creds/fixed#username", secret.ErrUnavailable)
	})
}

// A lease ends with the token to which it was lent.
func TestLeaseEndsWithToken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.leaseTTL, f.tokenTTL, f.tokenMost = time.Hour, time.Minute, 100*time.Second
		s := open(t, approle(t, f))
		entry := has(t, s, user, "v-app-2")
		require.LessOrEqual(t, time.Until(entry.ExpiresAt), time.Minute)
		for range 300 {
			got, err := ask(t, s, user)
			require.NoError(t, err)
			require.Greater(t, time.Until(got.ExpiresAt), 10*time.Second)
			pass(time.Second)
		}
		f.end(f.tokens, "hvs.login")
		f.end(f.leases, "")
		before, err := ask(t, s, user)
		require.NoError(t, err)
		require.NotEqual(t, entry.Version, before.Version)
		require.Equal(t, 1, f.alive(f.leases))
	})
}

func TestLeasesAreGivenBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		s := open(t, config(t, f))
		has(t, s, user, "v-app-1")
		has(t, s, "vault:/database/creds/other#username", "v-other-2")
		require.NoError(t, s.Close(t.Context()))
		require.Zero(t, f.alive(f.leases))
		require.Equal(t, 2, f.count(revokeLease))
		asked := len(f.asked)
		pass(time.Hour)
		require.Len(t, f.asked, asked, "nothing goes on")

		s = open(t, approle(t, f))
		has(t, s, user, "v-app-4")
		require.NoError(t, s.Close(t.Context()))
		require.Zero(t, f.alive(f.leases))
		require.Equal(t, 2, f.count(revokeLease), "they went with the token")

		s = open(t, config(t, f))
		has(t, s, user, "v-app-5")
		f.forbidden["sys/leases/revoke"] = true
		err := s.Close(t.Context())
		require.ErrorContains(t, err, "1 leases")
		require.ErrorIs(t, err, secret.ErrDenied)
		secrettest.RequireQuiet(t, err)
	})
}

// Tokens that cannot be revoked, such as those of Vault's kind batch, leave their leases to be revoked one by one.
func TestLeasesOfTokensThatCannotBeRevoked(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.failing(func(_, path string) int {
			if path == "auth/token/revoke-self" {
				return http.StatusBadRequest
			}
			return 0
		})
		s := open(t, approle(t, f))
		has(t, s, user, "v-app-2")
		require.NoError(t, s.Close(t.Context()))
		require.Zero(t, f.alive(f.leases))
	})
}

// Who asks and goes away leaves no lease behind that nobody knows.
func TestLeaseOfWhoHasGone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		cfg := config(t, f)
		cfg.Transport = slowly{f}
		s := open(t, cfg)
		ref, err := secret.ParseRef(user)
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = s.Get(ctx, ref)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		secrettest.RequireKind(t, err, nil)
		require.NoError(t, s.Close(t.Context()))
		require.Equal(t, 1, f.count(creds))
		require.Zero(t, f.alive(f.leases))
	})
}

// slowly answers two seconds later what is not about a token.
type slowly struct{ *fake }

func (s slowly) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := s.fake.RoundTrip(req)
	if strings.Contains(req.URL.Path, "/creds/") {
		time.Sleep(2 * time.Second) //nolint:forbidigo // the clock of the bubble
	}
	return resp, err
}

// Close ends when its context does.
func TestCloseIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		cfg := config(t, f)
		cfg.Transport = stuck{f}
		s := open(t, cfg)
		ref, err := secret.ParseRef(user)
		require.NoError(t, err)
		done := make(chan error, 1)
		go func() {
			_, err := s.Get(t.Context(), ref)
			done <- err
		}()
		pass(time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		require.ErrorIs(t, s.Close(ctx), context.DeadlineExceeded)
		require.LessOrEqual(t, time.Since(start), time.Second)
		require.Error(t, <-done)
	})
}

// TestCloseLeavesTimeToGiveBack: what hangs does not use up the time in which the token is revoked.
func TestCloseLeavesTimeToGiveBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		cfg := approle(t, f)
		cfg.Transport = stuck{f}
		s := open(t, cfg)
		ref, err := secret.ParseRef(user)
		require.NoError(t, err)
		done := make(chan error, 1)
		go func() {
			_, err := s.Get(t.Context(), ref)
			done <- err
		}()
		pass(time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, s.Close(ctx), context.DeadlineExceeded, "a request was cut off")
		require.Error(t, <-done)
		require.Equal(t, 1, f.count("PUT auth/token/revoke-self"))
	})
}

// A Vault that never answers is unavailable after a while.
func TestVaultThatHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cfg := config(t, newFake())
		cfg.Transport = stuck{newFake()}
		start := time.Now()
		lacks(t, open(t, cfg), user, secret.ErrUnavailable)
		lacks(t, open(t, cfg), "vault:a", secret.ErrUnavailable)
		require.Equal(t, 16*time.Second, time.Since(start))
	})
}

// stuck answers what is about a token only.
type stuck struct{ *fake }

func (s stuck) RoundTrip(req *http.Request) (*http.Response, error) {
	if !strings.HasPrefix(req.URL.Path, "/v1/auth/") {
		<-req.Context().Done()
		return nil, req.Context().Err()
	}
	return s.fake.RoundTrip(req)
}

// A token that may look neither at itself nor at leases is no reason to lend again and again.
func TestLeaseOfATokenThatMayNotLook(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.blind, f.forbidden["sys/leases/lookup"] = true, true
		s := open(t, approle(t, f))
		for range 300 {
			_, err := ask(t, s, user)
			require.NoError(t, err)
			pass(time.Second)
		}
		require.LessOrEqual(t, f.count(login), 2)
		require.LessOrEqual(t, f.count(creds), 2)
	})
}
