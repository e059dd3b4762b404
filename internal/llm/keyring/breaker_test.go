package keyring_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/keyring"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// fails lets five attempts fail, after which a server is left alone.
func (w *world) fails(f *llm.Fault) {
	w.t.Helper()
	for range 5 {
		require.NotEmpty(w.t, w.try("m", f))
	}
}

// TestBreaker: a server that fails is left alone, tried by one attempt after a while, and used again when that was answered.
func TestBreaker(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, keys("k1", "k2")...)
	w.fails(status(503))
	_, why := w.take("other")
	require.False(t, why.Waits)
	require.Equal(t, events.CodeUnavailable, why.Fault.Err.Code, "why it is left alone")
	require.Equal(t, w.now.Add(10*time.Second), why.Until)
	require.Contains(t, w.log.String(), "a provider is left alone: it fails")
	for _, rest := range []time.Duration{10 * time.Second, 20 * time.Second, 40 * time.Second, 80 * time.Second, 2 * time.Minute, 2 * time.Minute} {
		require.Equal(t, keyring.Availability{Until: w.now.Add(rest), Class: llm.ClassProvider}, w.Available("m", w.now))
		w.after(rest)
		probe, why := w.take("m")
		require.Nil(t, why)
		_, why = w.take("m")
		require.Equal(t, w.now.Add(time.Second), why.Until, "one alone finds out")
		w.after(time.Second)
		probe.End(t.Context(), status(503), w.now)
	}
	w.after(2 * time.Minute)
	require.NotEmpty(t, w.try("m", nil))
	require.NotEmpty(t, w.try("m", status(503)), "it counts anew")
	require.NotEmpty(t, w.try("m", nil))
	require.Equal(t, 1, strings.Count(w.log.String(), "a provider answers again"))
}

// TestBreakerNeedsARow: an answer begins a new count, be it that the content or the key is refused.
func TestBreakerNeedsARow(t *testing.T) {
	t.Parallel()
	for _, answer := range []*llm.Fault{nil, status(400, "content_filter"), status(429)} {
		w := newWorld(t, nil, keys("k1")...)
		for range 20 {
			for range 4 {
				require.NotEmpty(t, w.try("m", status(500)))
			}
			require.NotEmpty(t, w.try("m", answer))
			w.after(time.Minute)
		}
	}
	w := newWorld(t, nil, keys("k1")...)
	for _, f := range []*llm.Fault{status(400), status(404), status(501), {Class: llm.ClassCanceled}, {Class: llm.ClassAnswer}, status(504)} {
		for range 20 {
			require.NotEmpty(t, w.try("m", f), "%s says nothing of the server", f.Class)
		}
	}
}

// TestSlowServer: where timeouts count, a server that is too slow too often is left alone.
func TestSlowServer(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *keyring.Options) { o.Timeouts = true }, keys("k1")...)
	w.fails(status(504))
	require.Equal(t, keyring.Availability{Until: w.now.Add(10 * time.Second), Class: llm.ClassTimeout}, w.Available("m", w.now))
}

// TestOldAttempts: what began before a server was left alone and fails afterwards does not make that longer.
func TestOldAttempts(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, keys("k1")...)
	old, why := w.take("m")
	require.Nil(t, why)
	w.fails(status(503))
	w.after(15 * time.Second)
	old.End(t.Context(), status(503), w.now)
	require.NotEmpty(t, w.try("m", nil))
}

// TestBreakerOfAKey: what is behind one key may fail alone, and one key alone be slow.
func TestBreakerOfAKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *keyring.Options) { o.KeysFail = true }, keys("k1", "k2")...)
	failed := 0
	for range 20 {
		turn, why := w.take("m")
		require.Nil(t, why)
		var f *llm.Fault
		if turn.KeyName() == "k1" {
			failed++
			f = status(504)
		}
		turn.End(t.Context(), f, w.now)
	}
	require.Equal(t, 5, failed)
	state := w.State(w.now)
	require.True(t, state.Available)
	require.Equal(t, keyring.KeyState{Name: "k1", Availability: keyring.Availability{Until: w.now.Add(10 * time.Second), Class: llm.ClassTimeout}}, state.Keys[0])
	require.True(t, state.Keys[1].Available)
	require.Contains(t, w.log.String(), "a key is left alone: requests with it fail")
}

// TestProbeThatSaysNothing: an attempt that ends of another cause leaves it to the next one to find out.
func TestProbeThatSaysNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, keys("k1")...)
	w.fails(status(503))
	w.after(10 * time.Second)
	for _, f := range []*llm.Fault{status(400), {Class: llm.ClassCanceled}} {
		require.NotEmpty(t, w.try("m", f))
	}
	probe, why := w.take("m")
	require.Nil(t, why)
	require.Empty(t, w.try("m", nil))
	w.after(time.Millisecond)
	probe.Answers(t.Context()) // a stream has begun
	require.NotEmpty(t, w.try("m", nil))
	require.Contains(t, w.log.String(), "a provider answers again")
	probe.Answers(t.Context())
	probe.End(t.Context(), &llm.Fault{Class: llm.ClassCanceled}, w.now)
	require.NotEmpty(t, w.try("m", nil))
}

// TestServerThatAsksForAWhile: it is left alone with that model, but not for ever, nor for what is within patience; an answer ends that.
func TestServerThatAsksForAWhile(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *keyring.Options) { o.Patience = 8 * time.Second }, keys("k1")...)
	require.NotEmpty(t, w.try("m", w.asks(503, 8*time.Second)))
	require.True(t, w.Available("m", w.now).Available)
	require.NotEmpty(t, w.try("m", w.asks(503, time.Hour)))
	require.Equal(t, keyring.Availability{Until: w.now.Add(5 * time.Minute), Class: llm.ClassProvider}, w.Available("m", w.now), "an hour is a mistake")
	_, why := w.take("m")
	require.True(t, why.Waits)
	require.NotEmpty(t, w.try("n", nil))
	w.after(5 * time.Minute)
	require.NotEmpty(t, w.try("m", nil))
	require.True(t, w.Available("m", w.now).Available)
}
