package engine_test

import (
	"bytes"
	"context"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/keyring"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/generator/internal/engine"
)

// once makes an engine that repeats nothing.
func once(c *engine.Config) { c.Retries = 0 }

// TestBreaker: a server that fails is left alone, tried by one request after a while, and used again when that was answered.
func TestBreaker(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.on("b", fails(status(503)))
		var log bytes.Buffer
		e := newEngine(t, w, func(c *engine.Config) {
			c.Retries, c.Logger = 0, slog.New(slog.NewTextHandler(&log, nil))
		})
		for range 5 {
			_, err := ask(t.Context(), e, to(t, "b/m"), nil)
			require.ErrorContains(t, err, "status 503")
			require.Zero(t, events.AsError(err).RetryAfter%(10*time.Second))
		}
		for range 10 {
			_, err := ask(t.Context(), e, to(t, "b/other"), nil)
			require.ErrorContains(t, err, "status 503", "why it is left alone")
			require.Equal(t, 10*time.Second, events.AsError(err).RetryAfter)
		}
		require.Equal(t, 5, w.count())
		a := e.Available("b", "m")
		require.Equal(t, keyring.Availability{Until: w.begin.Add(10 * time.Second), Class: llm.ClassProvider}, a)
		res, err := ask(t.Context(), e, to(t, "b/m", "c/m"), nil)
		require.NoError(t, err)
		require.Equal(t, "c:=ok", tried(res), "another is asked at once")

		<-time.After(10 * time.Second)
		w.on("b", says("hello"))
		_, err = ask(t.Context(), e, to(t, "b/m"), nil)
		require.NoError(t, err)
		require.Contains(t, log.String(), "a provider is left alone: it fails")
		require.Contains(t, log.String(), "a provider answers again")
	})
}

// TestBreakerOfAKey: what is behind one key may fail alone.
func TestBreakerOfAKey(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.on("a/k1", fails(status(504)))
	e := newEngine(t, w, once)
	for range 10 {
		w.on("a/k2", says("hello"))
		_, err := ask(t.Context(), e, to(t, "a/m", "c/m"), nil)
		require.NoError(t, err)
	}
	failed := 0
	for _, c := range w.calls {
		if c.key == "k1" {
			failed++
		}
	}
	require.Equal(t, 5, failed)
	state, _ := e.State("a")
	require.True(t, state.Available)
	require.False(t, state.Keys[0].Available)
	require.Equal(t, "k1", state.Keys[0].Name)
	require.Equal(t, llm.ClassTimeout, state.Keys[0].Class)
	require.True(t, state.Keys[1].Available)
}

// TestProbeThatSaysNothing: an attempt that ends of another cause leaves it to the next one to find out.
func TestProbeThatSaysNothing(t *testing.T) {
	t.Parallel()
	for name, probe := range map[string]step{
		"caller":   fails(status(400)),
		"canceled": hangs(),
		"panic": func(context.Context, *llm.Call, func(*events.ChatChunk) error) (*events.ChatResponse, error) {
			panic("adapter")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				w.on("b", fails(status(503)))
				e := newEngine(t, w, once)
				for range 5 {
					_, err := ask(t.Context(), e, to(t, "b/m"), nil)
					require.Error(t, err)
				}
				<-time.After(10 * time.Second)
				w.on("b", probe, says("hello"))
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				func() {
					defer func() { _ = recover() }()
					_, err := ask(ctx, e, to(t, "b/m"), nil)
					require.Error(t, err)
				}()
				_, err := ask(t.Context(), e, to(t, "b/m"), nil)
				require.NoError(t, err)
			})
		})
	}
}

// TestProbeOfAStream: that a server works is known with the first word, not with the last.
func TestProbeOfAStream(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.on("b", fails(status(503)))
		e := newEngine(t, w, once)
		for range 5 {
			_, err := ask(t.Context(), e, to(t, "b/m"), nil)
			require.Error(t, err)
		}
		<-time.After(10 * time.Second)
		w.on("b", hangs("one"), says("hello"))
		ctx, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		all.Go(func() {
			var r reader
			if _, err := ask(ctx, e, to(t, "b/m"), &r); events.CodeOf(err) != events.CodeCanceled {
				t.Errorf("%v", err)
			}
		})
		synctest.Wait()
		_, err := ask(t.Context(), e, to(t, "b/m"), nil)
		require.NoError(t, err)
		cancel()
		all.Wait()
	})
}

// TestPanicEndsTheLease: whoever recovers has nothing to clean up.
func TestPanicEndsTheLease(t *testing.T) {
	t.Parallel()
	w, g := newWorld(), &gate{}
	w.on("b", func(context.Context, *llm.Call, func(*events.ChatChunk) error) (*events.ChatResponse, error) {
		panic("adapter")
	})
	e := newEngine(t, w, withGate(g))
	require.PanicsWithValue(t, "adapter", func() {
		_, err := ask(t.Context(), e, to(t, "b/m"), nil)
		require.NoError(t, err)
	})
	require.Equal(t, []string{"b unknown"}, g.notes)
}

// TestServerThatAsksForAWhile: it is left alone with that model, but not for ever; an answer ends that.
func TestServerThatAsksForAWhile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.on("b", fails(retryAfter(503, "3600")()), says("hello"))
		e := newEngine(t, w, once)
		_, err := ask(t.Context(), e, to(t, "b/m"), nil)
		require.Equal(t, 5*time.Minute, events.AsError(err).RetryAfter, "an hour is a mistake")
		_, err = ask(t.Context(), e, to(t, "b/n"), nil)
		require.NoError(t, err)
		require.Equal(t, keyring.Availability{Until: w.begin.Add(5 * time.Minute), Class: llm.ClassProvider}, e.Available("b", "m"))
		<-time.After(5 * time.Minute)
		for range 2 {
			_, err = ask(t.Context(), e, to(t, "b/m"), nil)
			require.NoError(t, err)
		}
		require.True(t, e.Available("b", "m").Available)
	})
}
