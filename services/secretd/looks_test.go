package secretd_test

import (
	"context"
	"strconv"
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

// TestToldOfIsNotUsed: that a value is another each time does not keep it, and what was lent, for ever.
func TestToldOfIsNotUsed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		store := lender{newFake()}
		s, err := secretd.Looks(ctx, "secrets: {key: ['vault:/database/creds/app']}", store)
		require.NoError(t, err)
		require.NoError(t, s.Ask(ctx, "key"))
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
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				store := newFake()
				s, err := secretd.Looks(ctx, "secrets: {key: "+chain+"}", store)
				require.NoError(t, err)
				require.ErrorIs(t, s.Ask(ctx, "key"), secret.ErrNotFound)
				store.set("key", "1", canary)
				require.ErrorIs(t, s.Ask(ctx, "key"), secret.ErrNotFound, "remembered")
				<-time.After(time.Millisecond)
				require.NoError(t, s.AskAnew(ctx, "key"))
				for _, failure := range []error{secret.ErrDenied, nil, secret.ErrUnavailable, nil} {
					store.fail(failure)
					<-time.After(time.Millisecond)
					require.ErrorIs(t, s.AskAnew(ctx, "key"), failure)
				}
			})
		})
	}
}
