package engine_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/services/generator/internal/engine"
	"github.com/neuron7x/mlsdm-integrations/services/generator/internal/route"
)

// Callers in a hurry do not have a server left alone that answers others in time. Where the operator wants answers so soon, it is.
func TestCallersInAHurryBlameNobody(t *testing.T) {
	t.Parallel()
	for _, streamed := range []bool{false, true} {
		for _, own := range []time.Duration{0, 100 * time.Millisecond} {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				w.on("b", hangs())
				e := newEngine(t, w, nil)
				path := with(to(t, "b/m", "c/m"), route.Options{Timeout: own})
				for range 10 {
					ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
					var r *reader
					if streamed {
						r = &reader{}
					}
					_, err := ask(ctx, e, path, r)
					cancel()
					require.NoError(t, err, "the other one has answered")
				}
				require.Equal(t, own == 0, e.Available("b", "m").Available)
			})
		}
	}
}

// A key that is about to be tried again does not keep a request from waiting for one whose limit ends later.
func TestALimitIsWaitedForBesideAKeyThatRests(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.on("a/k1", fails(status(401)))
		w.on("a/k2", says("first"), fails(retryAfter(429, "65")()), says("second"))
		e := newEngine(t, w, func(c *engine.Config) { c.Random = func() float64 { return 0.99 } }) // the first key
		for _, want := range []string{"first", "second"} {
			res, err := ask(t.Context(), e, to(t, "a/m"), nil)
			require.NoError(t, err)
			require.Equal(t, want, text(res.Response))
			<-time.After(55 * time.Second)
		}
		require.Equal(t, "a:k1 a:k2 a:k2@55s a:k1@1m5.99s a:k2", w.asked())
	})
}

// denied is an engine whose provider b has been refused with 403 a while ago, so that the next attempt is one that others wait for.
func denied(t *testing.T, w *world, change func(*engine.Config)) *engine.Engine {
	t.Helper()
	w.on("b", fails(status(403)), hangs(), says("fine"))
	e := newEngine(t, w, change)
	_, err := ask(t.Context(), e, to(t, "b/m"), nil)
	require.Error(t, err)
	require.Equal(t, llm.ClassKey, e.Available("b", "m").Class)
	<-time.After(2 * time.Minute)
	require.True(t, e.Available("b", "m").Available)
	return e
}

// A gate that panics in the middle of such an attempt has nobody wait for ever either.
func TestGateThatPanics(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, g := newWorld(), &panicking{}
		e := denied(t, w, func(c *engine.Config) { c.Gate = g })
		g.now = true
		require.Panics(t, func() { _, _ = ask(t.Context(), e, to(t, "b/m"), nil) })
		require.True(t, e.Available("b", "m").Available)
	})
}

// panicking is a gate that lets everybody pass, until it panics.
type panicking struct{ now bool }

// Reserve implements [engine.Gate].
func (p *panicking) Reserve(context.Context, engine.Attempt) (engine.Lease, error) {
	if p.now {
		panic("a bug")
	}
	return nil, nil //nolint:nilnil // a lease may be nil
}
