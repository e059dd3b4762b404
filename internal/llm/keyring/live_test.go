package keyring_test

import (
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/keyring"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/providers"
)

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

// ask makes attempts of one request as long as a key is given, and returns what was sent and how the last one ended.
func ask(t *testing.T, r *keyring.Ring, answer func(key string) *llm.Fault) (sent []string, f *llm.Fault) {
	t.Helper()
	use := r.Use()
	for range 10 {
		turn, why := use.Take("m", time.Now())
		if why != nil {
			if why.Fault.Err == nil {
				return sent, f
			}
			return sent, &why.Fault
		}
		sent = append(sent, turn.Key().Reveal())
		if f = answer(turn.Key().Reveal()); f != nil {
			use.Failed(t.Context(), &turn, f)
		}
		turn.End(t.Context(), f, time.Now())
		if f == nil {
			return sent, nil
		}
	}
	t.Error("it does not end")
	return sent, f
}

// accepts is a provider that accepts no key but these.
func accepts(keys ...string) func(key string) *llm.Fault {
	return func(key string) *llm.Fault {
		if slices.Contains(keys, key) {
			return nil
		}
		return status(401)
	}
}

func TestRefusedLiveKeyIsRenewed(t *testing.T) {
	t.Parallel()
	v := &vault{now: "old", next: "new"}
	r, err := keyring.New("a", []providers.Key{live(v)}, keyring.Options{Logger: discard()})
	require.NoError(t, err)
	sent, f := ask(t, r, accepts("new"))
	require.Nil(t, f)
	require.Equal(t, []string{"old", "new"}, sent)
	require.Equal(t, 1, v.asked)

	// One that is refused, too, is asked for once.
	sent, f = ask(t, r, accepts())
	require.Equal(t, llm.ClassKey, f.Class)
	require.Equal(t, []string{"new"}, sent)
	require.Equal(t, 2, v.asked)
	sent, f = ask(t, r, accepts())
	require.Equal(t, llm.ClassKey, f.Class)
	require.Empty(t, sent, "it rests")
	require.Equal(t, 2, v.asked)

	v.rotate("third", true)
	_, f = ask(t, r, accepts("third"))
	require.Nil(t, f, "another content is another key")
	v.rotate("", true)
	sent, f = ask(t, r, accepts("third"))
	require.Empty(t, sent)
	require.ErrorContains(t, f, "there is no API key now")
	state := r.State(time.Now())
	require.False(t, state.Available)
	require.Equal(t, llm.ClassKey, state.Class)
	v.rotate("fourth", true)
	_, f = ask(t, r, accepts("fourth"))
	require.Nil(t, f)
}

// TestNextKey: of one request, a key that has failed it is not used again, a live one that has changed is.
func TestNextKey(t *testing.T) {
	t.Parallel()
	r, err := keyring.New("a", keys("k1", "k2", "k3"), keyring.Options{Logger: discard()})
	require.NoError(t, err)
	sent, f := ask(t, r, accepts())
	require.Len(t, sent, 3)
	require.Equal(t, llm.ClassKey, f.Class)

	final := status(429)
	final.Final, final.Until = true, time.Time{}
	r, err = keyring.New("a", keys("k1"), keyring.Options{Logger: discard()})
	require.NoError(t, err)
	use := r.Use()
	turn, _ := use.Take("m", time.Now())
	use.Failed(t.Context(), &turn, final)
	turn.End(t.Context(), &llm.Fault{Class: llm.ClassCanceled}, time.Now())
	_, why := use.Take("m", time.Now())
	require.Equal(t, &keyring.Blocked{}, why)
}

// TestLateRefusalOfAnOldKey: what is said of an old content does not count for the new one.
func TestLateRefusalOfAnOldKey(t *testing.T) {
	t.Parallel()
	v := &vault{now: "old", next: "old"}
	r, err := keyring.New("a", []providers.Key{live(v)}, keyring.Options{Logger: discard()})
	require.NoError(t, err)
	sent, f := ask(t, r, func(key string) *llm.Fault {
		if key == "new" {
			return nil
		}
		v.rotate("new", true)
		return status(429, "insufficient_quota")
	})
	require.Nil(t, f)
	require.Equal(t, []string{"old", "new"}, sent)
	require.Zero(t, v.asked)
}

// TestRotationFailsNothing: keys are rotated while many requests are under way. The provider refuses the old key as soon as there is a
// new one, of which this process hears only when it asks; what is in flight finishes with the old one.
func TestRotationFailsNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v := &vault{now: "key-0", next: "key-0", takes: 20 * time.Millisecond}
		var valid atomic.Value
		valid.Store("key-0")
		r, err := keyring.New("a", []providers.Key{live(v)}, keyring.Options{KeysFail: true, Logger: discard()})
		require.NoError(t, err)
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				for range 100 {
					if _, f := ask(t, r, func(key string) *llm.Fault {
						if key != valid.Load() {
							return status(401)
						}
						<-time.After(7 * time.Millisecond)
						return nil
					}); f != nil {
						t.Errorf("%v", f)
					}
				}
			})
		}
		for n := range 5 {
			<-time.After(100 * time.Millisecond)
			fresh := fmt.Sprintf("key-%d", n+1)
			v.rotate(fresh, false)
			valid.Store(fresh)
		}
		all.Wait()
		require.True(t, r.State(time.Now()).Available)
		require.Equal(t, 5, v.asked, "the store is asked once for each")
	})
}
