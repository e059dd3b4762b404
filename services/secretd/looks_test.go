package secretd_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/services/secretd"
)

// lender gives another value each time, for a while.
type lender struct{ *fake }

// Get implements [secret.Store].
func (l lender) Get(ctx context.Context, ref secret.Ref) (secret.Entry, error) {
	n := strconv.Itoa(l.asked())
	l.set(ref.Path, n, canary+n)
	entry, err := l.fake.Get(ctx, ref)
	entry.ExpiresAt = time.Now().Add(time.Hour)
	return entry, err
}

// looks runs a test of a secretd without a bus.
func looks(t *testing.T, rules string, store secret.Store, test func(t *testing.T, s *secretd.Service)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		s, err := secretd.Looks(ctx, rules, store)
		require.NoError(t, err)
		defer s.Finish()
		defer cancel()
		test(t, s)
	})
}

// TestToldOfIsNotUsed: that a value is another each time does not keep it, and what was lent, for ever.
func TestToldOfIsNotUsed(t *testing.T) {
	t.Parallel()
	store := lender{newFake()}
	looks(t, "secrets: {key: ['vault:/database/creds/app']}", store, func(t *testing.T, s *secretd.Service) {
		require.NoError(t, s.Ask(t.Context(), "key"))
		<-time.After(time.Hour)
		before := store.asked()
		<-time.After(24 * time.Hour)
		require.Equal(t, before, store.asked(), "nobody has asked for it for a day")
	})
}

// TestARefreshIsAskedAnew: what was refused just before is not the answer.
func TestARefreshIsAskedAnew(t *testing.T) {
	t.Parallel()
	for name, chain := range map[string]string{"alone": "['vault:key']", "in a chain": "['vault:none', 'vault:key']"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := newFake()
			looks(t, "secrets: {key: "+chain+"}", store, func(t *testing.T, s *secretd.Service) {
				require.ErrorIs(t, s.Ask(t.Context(), "key"), secret.ErrNotFound)
				store.set("key", "1", canary)
				require.ErrorIs(t, s.Ask(t.Context(), "key"), secret.ErrNotFound, "remembered")
				<-time.After(time.Millisecond)
				require.NoError(t, s.AskAnew(t.Context(), "key"))
				for _, failure := range []error{secret.ErrDenied, nil, secret.ErrUnavailable, nil} {
					store.fail(failure)
					<-time.After(time.Millisecond)
					require.ErrorIs(t, s.AskAnew(t.Context(), "key"), failure)
				}
			})
		})
	}
}

// TestTheEndWaitsForNobody: an outage of all secrets that nobody can be told of does not hold up the end.
func TestTheEndWaitsForNobody(t *testing.T) {
	t.Parallel()
	const many = 5000 // more than may wait to be told
	store := newFake()
	store.always(canary)
	var rules strings.Builder
	rules.WriteString("secrets:\n")
	for i := range many {
		fmt.Fprintf(&rules, "  key_%d: ['vault:key_%d']\n", i, i)
	}
	looks(t, rules.String(), store, func(t *testing.T, s *secretd.Service) {
		for i := range many {
			require.NoError(t, s.Ask(t.Context(), "key_"+strconv.Itoa(i)))
		}
		store.fail(secret.ErrUnavailable)
		<-time.After(10 * time.Minute)
		began := time.Now()
		s.Finish()
		require.Less(t, time.Since(began), time.Minute)
	})
}

// TestHalfAFileIsNotRead: somebody may be writing it.
func TestHalfAFileIsNotRead(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "rules")
	require.NoError(t, os.WriteFile(file, []byte("policy: {embedder: [key]}"), 0o600))
	synctest.Test(t, func(t *testing.T) { // in which now is what the test says it is
		changed := secretd.Changes(file)
		require.False(t, changed())
		require.NoError(t, os.WriteFile(file, []byte("policy: {}"), 0o600))
		require.NoError(t, os.Chtimes(file, time.Time{}, time.Now()))
		require.False(t, changed(), "it was written just now")
		<-time.After(2 * time.Second)
		require.True(t, changed())
		require.False(t, changed())
		require.NoError(t, os.Chtimes(file, time.Time{}, time.Now().Add(time.Hour)))
		require.True(t, changed(), "of a clock that is wrong nothing can be told")
		require.NoError(t, os.Remove(file))
		require.True(t, changed())
		require.False(t, changed())
	})
}
