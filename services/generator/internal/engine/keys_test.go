package engine_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
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

func TestKeysAreChosenByWeight(t *testing.T) {
	t.Parallel()
	w := newWorld()
	rnd := rand.New(rand.NewPCG(1, 2))
	list := keys("k1", "k2", "k3")
	list[0].Weight, list[1].Weight = 6, 3
	e := newEngineOf(t, func(c *engine.Config) { c.Random = rnd.Float64 }, engine.Provider{Name: "a", Adapter: fake{w, "a"}, Keys: list})
	const asks = 20_000
	for range asks {
		_, err := ask(t.Context(), e, to(t, "a/m"), nil)
		require.NoError(t, err)
	}
	counts := make(map[string]int)
	for _, c := range w.calls {
		counts[c.key]++
	}
	for key, want := range map[string]float64{"k1": .6, "k2": .3, "k3": .1} {
		require.InDelta(t, want, float64(counts[key])/asks, 5*math.Sqrt(want*(1-want)/asks), key)
	}
}

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

// TestForbiddenModel: a key that may not use a model is good for others.
func TestForbiddenModel(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.on("b", fails(status(403)), says("hello"))
	e := newEngine(t, w, nil)
	_, err := ask(t.Context(), e, to(t, "b/m"), nil)
	require.Equal(t, events.CodePermissionDenied, events.CodeOf(err))
	_, err = ask(t.Context(), e, to(t, "b/m"), nil)
	require.Equal(t, events.CodePermissionDenied, events.CodeOf(err))
	require.Equal(t, 1, w.count())
	_, err = ask(t.Context(), e, to(t, "b/n"), nil)
	require.NoError(t, err)
}

// TestQuotaIsNotHammered: a key behind which there is no money is asked less and less often, by one request at a time.
func TestQuotaIsNotHammered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.on("b", fails(status(429, "insufficient_quota")))
		var log bytes.Buffer
		e := newEngine(t, w, func(c *engine.Config) { c.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
		for range 48 * 60 {
			var all sync.WaitGroup
			for range 3 {
				all.Go(func() {
					_, err := ask(t.Context(), e, to(t, "b/m"), nil)
					if events.CodeOf(err) != events.CodeRateLimited || events.AsError(err).Retryable {
						t.Errorf("%+v", err)
					}
				})
			}
			all.Wait()
			<-time.After(time.Minute)
		}
		// At 0, 5, 15, 35, 75, 155, 315 minutes, and then every six hours.
		require.Less(t, w.count(), 20)
		require.Greater(t, w.count(), 10)
		require.Contains(t, log.String(), "a key rests: the money behind it is used up")
		require.Contains(t, log.String(), "key=k3")

		w.on("b", says("paid"))
		<-time.After(6 * time.Hour)
		for range 3 {
			_, err := ask(t.Context(), e, to(t, "b/m"), nil)
			require.NoError(t, err)
		}
		require.Contains(t, log.String(), "a key works again")
	})
}

// TestRefusedKeyRests: a key that is not accepted is not used by the next request, nor repeated by the first.
func TestRefusedKeyRests(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.on("b", fails(status(401)))
		e := newEngine(t, w, nil)
		for range 10 {
			_, err := ask(t.Context(), e, to(t, "b/m"), nil)
			require.Equal(t, events.CodeUnauthenticated, events.CodeOf(err))
			require.False(t, events.AsError(err).Retryable)
		}
		require.Equal(t, 1, w.count())
		<-time.After(time.Minute)
		for range 10 {
			_, err := ask(t.Context(), e, to(t, "b/m"), nil)
			require.Error(t, err)
		}
		require.Equal(t, 2, w.count(), "once in a while it is looked whether that has changed")
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

func (v *vault) rotate(to string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.next = to
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

		// One that is refused, too, is asked for once.
		w.on("a/new", fails(status(401)))
		_, err = ask(t.Context(), e, to(t, "a/m"), nil)
		require.Equal(t, events.CodeUnauthenticated, events.CodeOf(err))
		require.Equal(t, 2, v.asked)
		_, err = ask(t.Context(), e, to(t, "a/m"), nil)
		require.Equal(t, events.CodeUnauthenticated, events.CodeOf(err))
		require.Equal(t, "a:old a:new a:new", w.asked(), "it rests")
		require.Equal(t, 2, v.asked)

		v.push("third")
		_, err = ask(t.Context(), e, to(t, "a/m"), nil)
		require.NoError(t, err, "another content is another key")

		v.push("")
		_, err = ask(t.Context(), e, to(t, "a/m"), nil)
		require.ErrorContains(t, err, "there is no API key now")
		require.Equal(t, "a:old a:new a:new a:third", w.asked())
		state, _ := e.State("a")
		require.False(t, state.Available)
		require.Equal(t, llm.ClassKey, state.Class)
		v.push("fourth")
		_, err = ask(t.Context(), e, to(t, "a/m"), nil)
		require.NoError(t, err)
	})
}

// TestRotationFailsNoRequest: keys are rotated while many requests are under way. The provider refuses the old key as soon as
// there is a new one, of which this process hears only when it asks; calls in flight finish on the old one.
func TestRotationFailsNoRequest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, v := newWorld(), &vault{now: "key-0", next: "key-0", takes: 20 * time.Millisecond}
		var valid atomic.Pointer[string]
		first := "key-0"
		valid.Store(&first)
		w.on("a", func(ctx context.Context, call *llm.Call, emit func(*events.ChatChunk) error) (*events.ChatResponse, error) {
			if call.Key.Reveal() != *valid.Load() {
				return nil, status(401)
			}
			if err := wait(ctx, 7*time.Millisecond); err != nil { // finished with the key that it began with
				return nil, err
			}
			return says("hello")(ctx, call, emit)
		})
		e := liveEngine(t, w, v)
		var all sync.WaitGroup
		for i := range 50 {
			all.Go(func() {
				for range 100 {
					var r *reader
					if i%2 == 0 {
						r = &reader{}
					}
					if _, err := ask(t.Context(), e, to(t, "a/m"), r); err != nil {
						t.Errorf("%v", err)
					}
				}
			})
		}
		for n := range 5 {
			<-time.After(100 * time.Millisecond)
			fresh := fmt.Sprintf("key-%d", n+1)
			v.rotate(fresh)
			valid.Store(&fresh)
		}
		all.Wait()
		require.GreaterOrEqual(t, w.count(), 5000)
		state, _ := e.State("a")
		require.True(t, state.Available)
		require.Equal(t, 5, v.asked, "the store is asked once for each")
	})
}

// TestLateRefusalOfAnOldKey: what is said of an old content does not count for the new one.
func TestLateRefusalOfAnOldKey(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, v := newWorld(), &vault{now: "old", next: "old"}
		w.on("a/old", func(ctx context.Context, _ *llm.Call, _ func(*events.ChatChunk) error) (*events.ChatResponse, error) {
			if err := wait(ctx, time.Second); err != nil {
				return nil, err
			}
			return nil, status(429, "insufficient_quota")
		})
		e := liveEngine(t, w, v)
		time.AfterFunc(time.Millisecond, func() { v.push("new") })
		res, err := ask(t.Context(), e, to(t, "a/m"), nil)
		require.NoError(t, err)
		require.Equal(t, "a:live=quota a:live=ok", tried(res))
	})
}

// TestUpdate: other keys and providers take effect with the next request, and what is known of those that stay is not forgotten.
func TestUpdate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, updates)
}

func updates(t *testing.T) {
	w := newWorld()
	w.on("a/k1", fails(status(401)))
	e := newEngine(t, w, nil)
	_, err := ask(t.Context(), e, to(t, "a/m"), nil)
	require.NoError(t, err)
	require.NoError(t, e.Update([]engine.Provider{{Name: "a", Adapter: fake{w, "a"}, Keys: keys("k1", "k9")}}))
	_, err = ask(t.Context(), e, to(t, "a/m"), nil)
	require.NoError(t, err)
	require.Equal(t, "a:k1 a:k2 a:k9", w.asked())
	w.on("a/k9", fails(retryAfter(429, "3600")()))
	_, err = ask(t.Context(), e, to(t, "a/m"), nil)
	require.Equal(t, events.CodeRateLimited, events.CodeOf(err))
	require.NoError(t, e.Update([]engine.Provider{{Name: "a", Adapter: fake{w, "a"}, Keys: keys("k1", "k9")}}))
	require.False(t, e.Available("a", "m").Available, "limits are not forgotten")
	require.True(t, e.Available("a", "n").Available)
	_, err = ask(t.Context(), e, to(t, "b/m"), nil)
	require.Equal(t, events.CodeNotFound, events.CodeOf(err))
	_, known := e.State("b")
	require.False(t, known)
	require.False(t, e.Available("b", "m").Available)

	for _, wrong := range [][]engine.Provider{
		{{Name: "a"}},
		{{Adapter: fake{}}},
		{{Name: "a", Adapter: fake{}}, {Name: "a", Adapter: fake{}}},
		{{Name: "a", Adapter: fake{}, Keys: make([]providers.Key, providers.MaxKeys+1)}},
	} {
		require.Error(t, e.Update(wrong))
	}
	_, err = ask(t.Context(), e, to(t, "a/n"), nil)
	require.Equal(t, events.CodeRateLimited, events.CodeOf(err), "what is wrong changes nothing")
}

// TestManyModels: names that callers make up do not fill the memory.
func TestManyModels(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.on("b", fails(retryAfter(429, "3600")()))
	e := newEngine(t, w, nil)
	for i := range 1000 {
		_, err := ask(t.Context(), e, to(t, fmt.Sprintf("b/m%d", i)), nil)
		require.Error(t, err)
	}
	require.False(t, e.Available("b", "m999").Available)
	rests := 0
	for i := range 1000 {
		if !e.Available("b", fmt.Sprintf("m%d", i)).Available {
			rests++
		}
	}
	require.Equal(t, 256, rests)
}
