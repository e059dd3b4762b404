package keyring_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/keyring"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/providers"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

func TestKeysAreChosenByWeight(t *testing.T) {
	t.Parallel()
	list := keys("k1", "k2", "k3")
	list[0].Weight, list[1].Weight = 6, 3
	rnd := rand.New(rand.NewPCG(1, 2))
	w := newWorld(t, func(o *keyring.Options) { o.Random = rnd.Float64 }, list...)
	const asks = 20_000
	counts := make(map[string]int)
	for range asks {
		counts[w.try("m", nil)]++
	}
	for key, want := range map[string]float64{"k1": .6, "k2": .3, "k3": .1} {
		require.InDelta(t, want, float64(counts[key])/asks, 5*math.Sqrt(want*(1-want)/asks), key)
	}
}

func TestNew(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	turn, why := w.take("m")
	require.Nil(t, why)
	require.True(t, turn.Key().IsZero(), "a provider without keys is asked without one")
	require.Empty(t, turn.KeyName())
	require.Equal(t, w.now, turn.Began())
	_, err := keyring.New("a", make([]providers.Key, 65), keyring.Options{})
	require.ErrorContains(t, err, "provider a has 65 keys; at most 64 are allowed")
}

// TestLimitedKeyRests: until the time that the provider has said, and for the one model.
func TestLimitedKeyRests(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, keys("k1", "k2")...)
	require.Equal(t, "k1", w.try("m", w.asks(429, 10*time.Minute)))
	require.Equal(t, "k2", w.try("m", nil))
	require.Equal(t, "k1", w.try("other", nil), "other models have other limits")
	require.True(t, w.Available("m", w.now).Available)
	require.Equal(t, "k2", w.try("m", w.asks(429, 15*time.Minute)))
	_, why := w.take("m")
	require.True(t, why.Waits)
	require.Equal(t, llm.ClassLimit, why.Fault.Class)
	require.Equal(t, keyring.Availability{Until: why.Until, Class: llm.ClassLimit}, w.Available("m", w.now))
	require.InDelta(t, 10*time.Minute, w.until("m"), float64(time.Second), "k1 is the first that can be used again")
	w.after(10 * time.Minute)
	require.Equal(t, "k1", w.try("m", nil))
	require.Empty(t, w.log.String(), "that is daily business")

	w = newWorld(t, nil, keys("k1")...)
	for _, rest := range []time.Duration{time.Second, 2 * time.Second, 4 * time.Second} { // it does not say when
		require.Equal(t, "k1", w.try("m", status(429)))
		require.Equal(t, rest, w.until("m"))
		w.after(rest)
	}
}

// TestRefusedKeyRests: a key that is not accepted is tried again once in a while; one that may not use a model is good for others.
func TestRefusedKeyRests(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, keys("k1")...)
	for _, rest := range []time.Duration{time.Minute, 2 * time.Minute} {
		require.Equal(t, "k1", w.try("m", status(401)))
		_, why := w.take("other")
		require.False(t, why.Waits)
		require.Equal(t, events.CodeUnauthenticated, why.Fault.Err.Code)
		w.after(rest)
	}
	require.Equal(t, "k1", w.try("m", nil))
	require.Contains(t, w.log.String(), "a key rests: the provider does not accept it")
	require.Contains(t, w.log.String(), "provider=a key=k1")
	require.Contains(t, w.log.String(), "a key works again")
	require.NotContains(t, w.log.String(), "0001-01-01")

	require.Equal(t, "k1", w.try("m", status(403)))
	require.Empty(t, w.try("m", nil))
	require.Equal(t, "k1", w.try("n", nil))
}

// TestQuotaIsNotHammered: a key behind which there is no money is asked less and less often. That the server failed meanwhile says
// nothing of the money.
func TestQuotaIsNotHammered(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *keyring.Options) { o.KeysFail = true }, keys("k1")...)
	asked := 0
	for range 48 * 60 {
		if w.try("m", status(429, "insufficient_quota")) != "" {
			asked++
		}
		w.after(time.Minute)
	}
	require.InDelta(t, 15, asked, 5, "at 0, 5, 15, 35, 75, 155, 315 minutes, and then every six hours")
	require.Contains(t, w.log.String(), "a key rests: the money behind it is used up")

	w = newWorld(t, func(o *keyring.Options) { o.KeysFail = true }, keys("k1")...)
	require.Equal(t, "k1", w.try("m", status(402)))
	w.after(5 * time.Minute)
	require.Equal(t, "k1", w.try("m", status(504)))
	require.Equal(t, "k1", w.try("m", status(402)))
	require.Equal(t, 10*time.Minute, w.until("m"), "it is doubled")
}

// TestManyModels: names that callers make up do not fill the memory.
func TestManyModels(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, keys("k1")...)
	for i := range 1000 {
		require.Equal(t, "k1", w.try(fmt.Sprintf("m%d", i), w.asks(429, time.Hour)))
	}
	rests := 0
	for i := range 1000 {
		if !w.Available(fmt.Sprintf("m%d", i), w.now).Available {
			rests++
		}
	}
	require.Equal(t, 256, rests)
	require.False(t, w.Available("m999", w.now).Available)
	require.True(t, w.Available("m0", w.now).Available, "the first to be forgotten is what ends first")
}
