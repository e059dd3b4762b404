package engine_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/generator/internal/engine"
)

// gate is an [engine.Gate] that notes what it is asked and told.
type gate struct {
	mu      sync.Mutex
	refuses map[string]error // by provider
	notes   []string
	last    engine.Attempt
}

// Reserve implements [engine.Gate].
func (g *gate) Reserve(_ context.Context, a engine.Attempt) (engine.Lease, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.last = a
	if err := g.refuses[a.Target.Provider]; err != nil {
		g.notes = append(g.notes, a.Target.Provider+" refused")
		return nil, err
	}
	return &lease{g, a.Target.Provider}, nil
}

// lease is an [engine.Lease].
type lease struct {
	gate *gate
	name string
}

func (l *lease) note(what string) {
	l.gate.mu.Lock()
	defer l.gate.mu.Unlock()
	l.gate.notes = append(l.gate.notes, l.name+" "+what)
}

// Settle implements [engine.Lease].
func (l *lease) Settle(u *events.ChatUsage) {
	if u == nil {
		l.note("unknown")
		return
	}
	l.note("settled")
}

// Release implements [engine.Lease].
func (l *lease) Release() { l.note("released") }

func withGate(g engine.Gate) func(*engine.Config) {
	return func(c *engine.Config) { c.Gate, c.Retries = g, 0 }
}

// TestGate: each attempt is reserved, and what it used is told.
func TestGate(t *testing.T) {
	t.Parallel()
	used := func(f *llm.Fault) step {
		return does(func(_ context.Context, _ *llm.Call, emit func(*events.ChatChunk) error) error {
			if emit == nil {
				return f
			}
			if err := emit(&events.ChatChunk{Usage: usage()}); err != nil {
				return err
			}
			return f
		})
	}
	for name, c := range map[string]struct {
		step     step
		streamed bool
		notes    []string
	}{
		"answered":              {says("hello"), false, []string{"b settled"}},
		"streamed":              {says("hello"), true, []string{"b settled"}},
		"refused":               {fails(status(400)), false, []string{"b released"}},
		"limited":               {fails(retryAfter(429, "999999")()), false, []string{"b released", "c settled"}},
		"failed":                {fails(status(503)), false, []string{"b released", "c settled"}},
		"slow":                  {fails(status(504)), false, []string{"b unknown", "c settled"}},
		"not understood":        {fails(badAnswer()), true, []string{"b unknown", "c settled"}},
		"paid, and of no use":   {fails(&llm.Fault{Class: llm.ClassAnswer, Err: badAnswer().Err, Usage: usage()}), false, []string{"b settled", "c settled"}},
		"broken off":            {fails(network(), "one"), true, []string{"b unknown"}},
		"failed after counting": {used(status(503)), true, []string{"b settled", "c settled"}},
		"left":                  {hangs(), false, []string{"b unknown"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w, g := newWorld(), &gate{}
				w.on("b", c.step)
				e := newEngine(t, w, withGate(g))
				var r *reader
				if c.streamed {
					r = &reader{}
				}
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				time.AfterFunc(time.Second, cancel)
				_, err := ask(ctx, e, to(t, "b/m", "c/m"), r)
				require.Equal(t, len(c.notes) == 1 && c.notes[0] != "b settled", err != nil)
				require.Equal(t, c.notes, g.notes)
				require.Equal(t, "test", g.last.Caller)
				require.Equal(t, "alias", g.last.Asked)
				require.True(t, g.last.Alias)
				require.Equal(t, "hello?", g.last.Request.Prompt)
			})
		})
	}
}

// TestGateRefuses: who has used up a limit for one target may ask another one; who has for all is told when to come back.
func TestGateRefuses(t *testing.T) {
	t.Parallel()
	limited := func(d time.Duration) error {
		return &events.Error{Code: events.CodeRateLimited, Message: "1000 requests a minute are used up", Retryable: true, RetryAfter: d}
	}
	synctest.Test(t, func(t *testing.T) {
		w, g := newWorld(), &gate{refuses: map[string]error{"b": limited(time.Minute)}}
		e := newEngine(t, w, withGate(g))
		res, err := ask(t.Context(), e, to(t, "b/m", "c/m"), nil)
		require.NoError(t, err)
		require.Equal(t, "c:=ok", tried(res))

		g.refuses["c"] = limited(40 * time.Second)
		res, err = ask(t.Context(), e, to(t, "b/m", "c/m"), nil)
		require.Equal(t, &events.Error{
			Code: events.CodeRateLimited, Retryable: true, RetryAfter: 40 * time.Second,
			Message: "1000 requests a minute are used up (0 attempts, 0 of 2 models asked)",
		}, err)
		require.Empty(t, res.Attempts)
		require.Equal(t, "c", w.asked())
		require.True(t, e.Available("b", "m").Available, "nothing is wrong with it")

		_, err = ask(t.Context(), e, to(t, "b/m"), nil)
		require.EqualError(t, err, "rate_limited: 1000 requests a minute are used up")

		down := events.Errorf(events.CodeUnavailable, "the counts cannot be reached")
		g.refuses["b"] = down
		_, err = ask(t.Context(), e, to(t, "b/m", "a/m"), nil)
		require.Equal(t, down, err, "what is no limit ends it")
		require.Equal(t, 1, w.count())
		require.Zero(t, time.Since(w.begin))
	})
}

// TestGateIsAskedOfEachAttempt: those that are repeated, too, and the lease may be nil.
func TestGateIsAskedOfEachAttempt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, g := newWorld(), &gate{}
		w.on("b", fails(status(503)), fails(status(503)), says("hello"))
		e := newEngine(t, w, func(c *engine.Config) { c.Gate = g })
		_, err := ask(t.Context(), e, to(t, "b/m"), nil)
		require.NoError(t, err)
		require.Equal(t, []string{"b released", "b released", "b settled"}, g.notes)
		e = newEngine(t, w, withGate(open{}))
		_, err = ask(t.Context(), e, to(t, "b/m"), nil)
		require.NoError(t, err)
	})
}

// open is a gate that has no leases.
type open struct{}

// Reserve implements [engine.Gate].
func (open) Reserve(context.Context, engine.Attempt) (engine.Lease, error) {
	return nil, nil //nolint:nilnil // it may
}
