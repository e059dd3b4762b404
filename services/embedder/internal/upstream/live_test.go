package upstream_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/embedder/internal/upstream"
)

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

// rotate changes the content: what is known of it at once, or what is found when it is asked for.
func (v *vault) rotate(to string, known bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.next = to
	if known {
		v.now = to
	}
}

func live(v *vault) []upstream.Key { return []upstream.Key{{Name: "live", Value: secret.Live(v)}} }

func TestRefusedLiveKeyIsRenewed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, v := newFake(), &vault{now: "old", next: "new"}
		f.on("old", status(401))
		u := newUpstream(t, f, live(v), nil)
		require.NoError(t, ask(t.Context(), u, "m"))
		require.Equal(t, "old new", f.calls())
		require.Equal(t, 1, v.asked)

		f.on("new", status(401))
		require.Equal(t, events.CodeUnauthenticated, events.CodeOf(ask(t.Context(), u, "m")))
		require.Equal(t, events.CodeUnauthenticated, events.CodeOf(ask(t.Context(), u, "m")))
		require.Equal(t, "old new new", f.calls(), "it rests")
		require.Equal(t, 2, v.asked)

		v.rotate("third", true)
		require.NoError(t, ask(t.Context(), u, "m"), "another content is another key")
		v.rotate("", true)
		require.ErrorContains(t, ask(t.Context(), u, "m"), "there is no API key now")
		require.Equal(t, "old new new third", f.calls())
		v.rotate("fourth", true)
		require.NoError(t, ask(t.Context(), u, "m"))
	})
}

// TestLateRefusalOfAnOldKey: what is said of an old content does not count for the new one.
func TestLateRefusalOfAnOldKey(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, v := newFake(), &vault{now: "old", next: "old"}
		f.on("old", func(ctx context.Context, call *llm.EmbedCall) (*llm.Embedded, error) {
			<-time.After(time.Second)
			return reason(429, "insufficient_quota")(ctx, call)
		})
		u := newUpstream(t, f, live(v), nil)
		time.AfterFunc(time.Millisecond, func() { v.rotate("new", true) })
		require.NoError(t, ask(t.Context(), u, "m"))
		require.Equal(t, "old new@1s", f.calls())
	})
}

// TestRotationFailsNoCall: the provider refuses the old key as soon as there is a new one, of which this process hears only when it asks.
func TestRotationFailsNoCall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, v := newFake(), &vault{now: "key-0", next: "key-0", takes: 20 * time.Millisecond}
		var valid atomic.Value
		valid.Store("key-0")
		f.on("", func(ctx context.Context, call *llm.EmbedCall) (*llm.Embedded, error) {
			if call.Key.Reveal() != valid.Load() {
				return status(401)(ctx, call)
			}
			return takes(7*time.Millisecond)(ctx, call)
		})
		u := newUpstream(t, f, live(v), func(o *upstream.Options) { o.InFlight = 20 })
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				for range 100 {
					if err := ask(t.Context(), u, "m"); err != nil {
						t.Errorf("%v", err)
					}
				}
			})
		}
		for n := range 5 {
			<-time.After(200 * time.Millisecond)
			fresh := fmt.Sprintf("key-%d", n+1)
			v.rotate(fresh, false)
			valid.Store(fresh)
		}
		all.Wait()
		require.GreaterOrEqual(t, f.count(), 5000)
		require.Equal(t, 5, v.asked, "the store is asked once for each")
	})
}
