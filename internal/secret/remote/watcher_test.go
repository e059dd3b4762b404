package remote_test

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/remote"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

const refresh = 5 * time.Minute

// watched is a watcher over one secret, in a bubble.
type watched struct {
	*remote.Watcher

	keeper *keeper
	secret *remote.Secret
	log    *log
}

// watch starts a watcher that ends with the test, and lets it ask for the first time.
func watch(t *testing.T) *watched {
	t.Helper()
	w := &watched{keeper: newKeeper(t, map[string]string{"key": "old"}), log: &log{}}
	w.Watcher = remote.NewWatcher(w.keeper, refresh, w.log.logger())
	w.secret = w.Follow("key")
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	w.Keep(ctx, func(f func() error) { all.Go(func() { _ = f() }) })
	t.Cleanup(func() {
		cancel()
		all.Wait()
	})
	synctest.Wait()
	require.Equal(t, "old", w.secret.Current())
	require.Len(t, w.keeper.questions(), 1)
	return w
}

// rotate puts another value into the store, which whoever takes the answer of the cache does not see.
func (w *watched) rotate(text, version string) {
	w.keeper.set(func(k *keeper) { k.fresh["key"] = answer(text, version) })
}

// fail has every question end in an error.
func (w *watched) fail(err error) { w.keeper.set(func(k *keeper) { k.err = err }) }

// pass lets time go by in the bubble, and whoever waited for it work.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// bubble runs a test in a bubble of its own.
func bubble(f func(t *testing.T)) func(t *testing.T) {
	return func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, f)
	}
}

func TestWatcher(t *testing.T) {
	t.Parallel()
	t.Run("asks again in time", bubble(func(t *testing.T) {
		w := watch(t)
		require.Same(t, w.secret, w.Follow("key"), "one question serves all")
		w.keeper.set(func(k *keeper) { k.values["key"] = answer("new", "2") })
		pass(refresh * 85 / 100)
		require.Equal(t, "old", w.secret.Current())
		pass(refresh * 15 / 100)
		require.Equal(t, "new", w.secret.Current())
		pass(time.Hour)
		asked := w.keeper.questions()
		require.InDelta(t, 13, len(asked), 1)
		for _, q := range asked {
			require.Equal(t, remote.Question{Name: "key"}, q)
		}
	}))

	t.Run("asks at once when told", bubble(func(t *testing.T) {
		w := watch(t)
		w.keeper.set(func(k *keeper) { k.values["key"] = answer("new", "2") })
		w.Rotated(events.SecretRotated{Name: "other", Store: "vault", Version: "2"})
		pass(time.Second)
		require.Equal(t, "old", w.secret.Current(), "that was another")
		w.Rotated(events.SecretRotated{Name: "key", Store: "vault", Version: "2", PreviousVersion: "1"})
		pass(time.Second)
		require.Equal(t, "new", w.secret.Current())
		require.Equal(t, []remote.Question{{Name: "key"}}, w.keeper.questions(), "secretd, which tells of it, knows it")
	}))

	t.Run("a replica that does not know it yet", bubble(func(t *testing.T) {
		w := watch(t)
		w.rotate("new", "2")
		w.Rotated(events.SecretRotated{Name: "key", Store: "vault", Version: "2", PreviousVersion: "1"})
		pass(time.Second)
		require.Equal(t, "new", w.secret.Current())
		require.Equal(t, []remote.Question{{Name: "key"}, {Name: "key", NoCache: true}}, w.keeper.questions())
	}))

	t.Run("a store without versions", bubble(func(t *testing.T) {
		w := watch(t)
		w.rotate("new", "")
		w.Rotated(events.SecretRotated{Name: "key", Store: "env"})
		pass(time.Second)
		require.Equal(t, "new", w.secret.Current())
	}))

	t.Run("a rotation that cannot be seen yet", bubble(func(t *testing.T) {
		w := watch(t)
		w.rotate("new", "2")
		w.fail(fmt.Errorf("down: %w", secret.ErrUnavailable))
		w.Rotated(events.SecretRotated{Name: "key", Store: "vault", Version: "2"})
		pass(10 * time.Second)
		require.Equal(t, "old", w.secret.Current())
		w.fail(nil)
		pass(31 * time.Second)
		require.Equal(t, "new", w.secret.Current(), "what was told is not forgotten")
	}))

	t.Run("events cannot drown secretd", bubble(func(t *testing.T) {
		w := watch(t)
		for range 1000 {
			w.Rotated(events.SecretRotated{Name: "key", Store: "vault", Version: "1"})
			w.Again()
			<-time.After(10 * time.Millisecond)
		}
		pass(time.Second)
		require.LessOrEqual(t, len(w.keeper.questions()), 66, "in eleven seconds")
	}))

	t.Run("asks for all when it may have missed something", bubble(func(t *testing.T) {
		w := watch(t)
		w.keeper.set(func(k *keeper) { k.values["key"] = answer("new", "2") })
		w.Again()
		pass(time.Second)
		require.Equal(t, "new", w.secret.Current())
	}))
}

func TestWatcherWithoutSecretd(t *testing.T) {
	t.Parallel()
	for name, err := range map[string]error{
		"down": fmt.Errorf("down: %w", secret.ErrUnavailable), "forged": fmt.Errorf("secretd: %w", remote.ErrReply),
		"of no use": fmt.Errorf("told: %w", secret.ErrUnusable), "late": context.DeadlineExceeded,
	} {
		t.Run(name, bubble(func(t *testing.T) {
			w := watch(t)
			w.fail(err)
			pass(240 * time.Hour)
			require.Equal(t, "old", w.secret.Current(), "a key that works is worth more than none")
			require.ErrorIs(t, w.secret.Err(), err)
			require.Contains(t, w.log.String(), "what is known of it is used on")
			require.Less(t, len(w.keeper.questions()), 240*60*2+100, "twice a minute at most")

			w.keeper.set(func(k *keeper) { k.err, k.values["key"] = nil, answer("new", "2") })
			pass(31 * time.Second)
			require.Equal(t, "new", w.secret.Current())
			require.NoError(t, w.secret.Err())
		}))
	}

	t.Run("hanging", bubble(func(t *testing.T) {
		w := watch(t)
		w.keeper.set(func(k *keeper) { k.slow = time.Hour })
		pass(2 * refresh)
		require.ErrorIs(t, w.secret.Err(), context.DeadlineExceeded)
		w.keeper.set(func(k *keeper) { k.slow, k.values["key"] = 0, answer("new", "2") })
		pass(time.Minute)
		require.Equal(t, "new", w.secret.Current())
	}))
}

// What somebody meant to take away is used no more, once it is sure that he did.
func TestWatcherPurges(t *testing.T) {
	t.Parallel()
	for name, err := range map[string]error{"denied": secret.ErrDenied, "not found": secret.ErrNotFound, "disabled": secret.ErrGone} {
		t.Run(name, bubble(func(t *testing.T) {
			w := watch(t)
			w.fail(fmt.Errorf("told: %w", err))
			w.Again()
			pass(time.Second)
			require.Equal(t, "old", w.secret.Current(), "once is no proof: secretd may be in the middle of a change")
			pass(time.Second)
			require.Empty(t, w.secret.Current())
			require.ErrorIs(t, w.secret.Err(), err)
			require.Contains(t, w.log.String(), "a secret was taken away")
			pass(time.Hour)
			require.Less(t, len(w.keeper.questions()), 140)

			w.keeper.set(func(k *keeper) { k.err, k.values["key"] = nil, answer("back", "2") })
			pass(31 * time.Second)
			require.Equal(t, "back", w.secret.Current())
		}))
	}

	t.Run("a mistake that is put right", bubble(func(t *testing.T) {
		w := watch(t)
		w.fail(secret.ErrDenied)
		w.Again()
		pass(time.Second)
		w.fail(nil)
		pass(time.Hour)
		w.fail(secret.ErrDenied)
		w.Again()
		pass(time.Second)
		require.Equal(t, "old", w.secret.Current(), "it begins to count anew")
		require.NotContains(t, w.log.String(), "taken away")
	}))

	t.Run("not seen since", bubble(func(t *testing.T) {
		w := watch(t)
		w.fail(secret.ErrDenied)
		w.Again()
		pass(300 * time.Millisecond)
		w.fail(secret.ErrUnavailable)
		pass(time.Hour)
		require.Equal(t, "old", w.secret.Current(), "twice in a row, with no failure between")
	}))
}

func TestRenew(t *testing.T) {
	t.Parallel()
	t.Run("one question for many", bubble(func(t *testing.T) {
		w := watch(t)
		w.rotate("new", "2")
		w.keeper.set(func(k *keeper) { k.slow = time.Second })
		value := secret.Live(w.secret)
		const many = 1000
		got := make(chan string, many)
		for range many {
			go func() {
				text, changed := value.Renew(t.Context(), "old")
				got <- text + strconv.FormatBool(changed)
			}()
		}
		for range many {
			require.Equal(t, "newtrue", <-got)
		}
		require.Equal(t, []remote.Question{{Name: "key", NoCache: true}}, w.keeper.questions())
	}))

	t.Run("less and less often for nothing", bubble(func(t *testing.T) {
		w := watch(t)
		value := secret.Live(w.secret)
		for range 600 {
			_, changed := value.Renew(t.Context(), "old")
			require.False(t, changed)
			<-time.After(100 * time.Millisecond)
		}
		require.LessOrEqual(t, len(w.keeper.questions()), 12, "in a minute")
		w.rotate("new", "2")
		pass(2 * time.Minute)
		text, changed := value.Renew(t.Context(), "old")
		require.True(t, changed)
		require.Equal(t, "new", text)
		w.rotate("newer", "3")
		_, changed = value.Renew(t.Context(), "new")
		require.True(t, changed, "what brought something may be asked again")
	}))

	t.Run("who has no time", bubble(func(t *testing.T) {
		w := watch(t)
		w.rotate("new", "2")
		w.keeper.set(func(k *keeper) { k.slow = 5 * time.Second })
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, changed := secret.Live(w.secret).Renew(ctx, "old")
		require.False(t, changed)
		pass(5 * time.Second)
		require.Equal(t, "new", w.secret.Current(), "who asks later has it")
	}))

	t.Run("while secretd is away", bubble(func(t *testing.T) {
		w := watch(t)
		w.fail(secret.ErrUnavailable)
		text, changed := secret.Live(w.secret).Renew(t.Context(), "old")
		require.False(t, changed)
		require.Equal(t, "old", text)
	}))

	t.Run("an old answer does not come over a new one", bubble(func(t *testing.T) {
		w := watch(t)
		w.keeper.set(func(k *keeper) { k.slow = time.Second })
		w.Again()
		pass(500 * time.Millisecond) // a question of the cache is on its way
		w.rotate("new", "2")
		text, changed := secret.Live(w.secret).Renew(t.Context(), "old")
		require.True(t, changed)
		require.Equal(t, "new", text)
		pass(10 * time.Second)
		require.Equal(t, "new", w.secret.Current())
	}))
}

// Over a real bus: what is published is heard, also after the bus was away.
func TestRotations(t *testing.T) {
	t.Parallel()
	o := open(t)
	b := o.Connect(t, "generator")
	c, err := remote.New(b, "generator")
	require.NoError(t, err)
	w := remote.NewWatcher(c, time.Hour, o.log.logger())
	followed := w.Follow("key")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx, b) }()
	becomes := func(text string, meanwhile func()) {
		t.Helper()
		require.Eventually(t, func() bool {
			meanwhile()
			return followed.Current() == text
		}, patience, 20*time.Millisecond)
	}
	becomes(canary, func() {})

	event, err := events.New("/mlsdm/secretd", events.SecretRotated{Name: "key", Store: "vault", Version: "2", PreviousVersion: "1"})
	require.NoError(t, err)
	subject, header, body, err := event.Message(b.Subjects())
	require.NoError(t, err)
	sender := o.Connect(t, "secretd")
	publish := func(body []byte) {
		_, err := sender.Publish(within(t), bus.Msg{Subject: subject, Header: header, Body: body})
		require.NoError(t, err)
	}
	for _, junk := range []string{"", "{", `{"name":7}`, `{"name":""}`} {
		publish([]byte(junk))
	}
	o.keeper.set(func(k *keeper) { k.values["key"] = answer("second", "2") })
	becomes("second", func() { publish(body) })

	o.keeper.set(func(k *keeper) { k.values["key"] = answer("third", "3") })
	o.Restart(t)
	becomes("third", func() {})

	cancel()
	require.NoError(t, <-done)
	require.NotContains(t, o.log.String(), canary)
	require.NotContains(t, o.log.String(), "second\"")
}
