package engine_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/providers"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/generator/internal/engine"
)

// TestLimitedKeyRests: until the time that the provider has said, and for the one model.
func TestLimitedKeyRests(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.on("a/k1", fails(retryAfter(429, "600")()), says("again"))
		e := newEngine(t, w, nil)
		for range 2 {
			res, err := ask(t.Context(), e, to(t, "a/m"), nil)
			require.NoError(t, err)
			require.Equal(t, "k2", res.Attempts[len(res.Attempts)-1].Key)
		}
		require.Equal(t, "a:k1 a:k2 a:k2", w.asked())
		state, known := e.State("a")
		require.True(t, known)
		require.True(t, state.Available)
		require.True(t, e.Available("a", "m").Available)
		_, err := ask(t.Context(), e, to(t, "a/other"), nil)
		require.NoError(t, err)
		require.Equal(t, "a:k1 a:k2 a:k2 a:k1", w.asked(), "other models have other limits")

		w.on("a/k2", fails(retryAfter(429, "900")()))
		_, err = ask(t.Context(), e, to(t, "a/m"), nil)
		require.Equal(t, events.CodeRateLimited, events.CodeOf(err))
		require.Equal(t, 10*time.Minute, events.AsError(err).RetryAfter, "k1 is the first that can be used again")
		a := e.Available("a", "m")
		require.False(t, a.Available)
		require.Equal(t, llm.ClassLimit, a.Class)
		require.Equal(t, 10*time.Minute, time.Until(a.Until))
		require.True(t, e.Available("a", "other").Available)
		asked := w.count()
		_, err = ask(t.Context(), e, to(t, "a/m"), nil)
		require.Equal(t, events.CodeRateLimited, events.CodeOf(err))
		require.Equal(t, 10*time.Minute, events.AsError(err).RetryAfter)
		require.Equal(t, asked, w.count(), "nobody is asked")

		<-time.After(10 * time.Minute)
		res, err := ask(t.Context(), e, to(t, "a/m"), nil)
		require.NoError(t, err)
		require.Equal(t, "a:k1=ok", tried(res))
	})
}

// vault is where a live key comes from.
type vault struct {
	mu        sync.Mutex
	now, next string
	asked     int
	takes     time.Duration
}

// Current implements [secret.Source].
func (v *vault) Current() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.now
}

// Renew implements [secret.Source].
func (v *vault) Renew(_ context.Context, refused string) {
	<-time.After(v.takes)
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.now == refused {
		v.asked++
		v.now = v.next
	}
}

func (v *vault) push(to string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.now, v.next = to, to
}

// liveEngine has one provider with one live key.
func liveEngine(t *testing.T, w *world, v *vault) *engine.Engine {
	t.Helper()
	return newEngineOf(t, nil, engine.Provider{Name: "a", Adapter: fake{w, "a"}, Keys: []providers.Key{{Name: "live", Value: secret.Live(v)}}})
}

func TestRefusedLiveKeyIsRenewed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, v := newWorld(), &vault{now: "old", next: "new"}
		w.on("a/old", fails(status(401)))
		e := liveEngine(t, w, v)
		res, err := ask(t.Context(), e, to(t, "a/m"), nil)
		require.NoError(t, err)
		require.Equal(t, "a:old a:new", w.asked())
		require.Equal(t, "a:live=key a:live=ok", tried(res))
		require.Equal(t, 1, v.asked)
	})
}
