package engine_test

import (
	"context"
	"errors"
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

// chaos does, at each call, anything.
func chaos(ctx context.Context, call *llm.Call, emit func(*events.ChatChunk) error) (*events.ChatResponse, error) {
	if err := wait(ctx, time.Duration(rand.IntN(2000))*time.Millisecond); err != nil {
		return nil, err
	}
	statuses := []int{400, 401, 402, 403, 404, 429, 500, 501, 503, 504}
	switch n := rand.IntN(30); {
	case n < len(statuses):
		return fails(status(statuses[n]))(ctx, call, emit)
	case n < 14:
		return fails(retryAfter(429, "3")())(ctx, call, emit)
	case n < 16:
		return fails(network(), "some ")(ctx, call, emit)
	case n < 17:
		return hangs("some ")(ctx, call, emit)
	default:
		return says("one ", "two ", "three")(ctx, call, emit)
	}
}

// TestStress: whatever happens, each request ends in time, once, with an answer or an error, and what others are told never
// contradicts what was passed on. Afterwards everything can be used again.
func TestStress(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, g := newWorld(), &counting{}
		v := &vault{now: "live-0", next: "live-0", takes: time.Millisecond}
		for _, name := range []string{"a", "b", "c"} {
			w.on(name, chaos)
		}
		e := newEngineOf(t, func(c *engine.Config) { c.Random, c.Gate = rand.Float64, g },
			engine.Provider{Name: "a", Adapter: fake{w, "a"}, Keys: append(keys("k1", "k2"), providers.Key{Name: "live", Value: secret.Live(v), Weight: 2})},
			engine.Provider{Name: "b", Adapter: fake{w, "b"}, Keys: keys("k3")},
			engine.Provider{Name: "c", Adapter: fake{w, "c"}},
		)
		routes := []string{"a/m", "a/n", "b/m", "b/n", "c/m"}
		var all sync.WaitGroup
		for range 40 {
			all.Go(func() {
				for range 50 {
					stressOne(t, e, routes)
				}
			})
		}
		all.Go(func() {
			for range 20 {
				<-time.After(time.Second)
				v.push("live-" + time.Now().String())
				for _, name := range []string{"a", "b", "c"} {
					e.State(name)
				}
			}
		})
		all.Wait()
		require.Equal(t, g.reserved.Load(), g.ended.Load(), "every lease is ended once")
		for _, name := range []string{"a", "b", "c"} {
			w.on(name, says("well"))
		}
		<-time.After(7 * time.Hour)
		for _, target := range routes {
			_, err := ask(t.Context(), e, to(t, target), nil)
			require.NoError(t, err, target)
			require.True(t, e.Available(target[:1], target[2:]).Available)
		}
	})
}

// stressOne makes one request.
func stressOne(t *testing.T, e *engine.Engine, targets []string) {
	deadline := 30 * time.Second
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	some := make([]string, 0, len(targets))
	for _, i := range rand.Perm(len(targets))[:1+rand.IntN(3)] {
		some = append(some, targets[i])
	}
	var r *reader
	if rand.IntN(2) == 0 {
		r = &reader{}
	}
	begin := time.Now()
	res, err := ask(ctx, e, to(t, some...), r)
	if took := time.Since(begin); took > deadline {
		t.Errorf("%s, and the deadline is %s", took, deadline)
	}
	partial, begun := errors.AsType[*engine.PartialError](err)
	switch {
	case err == nil && text(res.Response) != "one two three":
		t.Errorf("%q", text(res.Response))
	case err == nil && r != nil && r.text.String() != "one two three":
		t.Errorf("the reader has %q", r.text.String())
	case err != nil && events.CodeOf(err) == events.CodeInternal:
		t.Errorf("%v", err)
	case begun && (r == nil || r.text.String() != text(partial.Partial)):
		t.Errorf("the reader has another text than %q", text(partial.Partial))
	case err != nil && !begun && r != nil && len(r.chunks) > 0:
		t.Errorf("the reader has %q of an attempt that was given up", r.text.String())
	}
}

// counting counts leases.
type counting struct{ reserved, ended atomic.Int64 }

// Reserve implements [engine.Gate].
func (c *counting) Reserve(context.Context, engine.Attempt) (engine.Lease, error) {
	c.reserved.Add(1)
	return c, nil
}

// Settle implements [engine.Lease].
func (c *counting) Settle(*events.ChatUsage) { c.ended.Add(1) }

// Release implements [engine.Lease].
func (c *counting) Release() { c.ended.Add(1) }
