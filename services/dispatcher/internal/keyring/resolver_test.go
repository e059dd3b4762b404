package keyring_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/keyring"
)

// store is a store of secrets that does as it is told.
type store struct {
	mu     sync.Mutex
	values map[string]string
	err    error
	slow   time.Duration
	asked  atomic.Int64
}

func (s *store) Source() string { return "test" }

func (s *store) Get(ctx context.Context, name secret.Name) (secret.Entry, error) {
	s.asked.Add(1)
	s.mu.Lock()
	text, err, slow := s.values[name.String()], s.err, s.slow
	s.mu.Unlock()
	if slow > 0 {
		select {
		case <-time.After(slow):
		case <-ctx.Done():
			return secret.Entry{}, ctx.Err()
		}
	}
	if err != nil {
		return secret.Entry{}, fmt.Errorf("inside of the store, %s: %w", canary, err)
	}
	return secret.NewEntry("test", "", text)
}

// say changes what the store does.
func (s *store) say(change func(*store)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(s)
}

// resolver makes a Resolver over a store that has webhook.a.
func resolver(t *testing.T) (*keyring.Resolver, *store) {
	t.Helper()
	s := &store{values: map[string]string{"webhook.a": "one " + canary, "webhook.b": "b", "openai_api_key": canary}}
	r, err := keyring.NewResolver(keyring.Options{
		Store: s, Allow: []string{"webhook.*", "hooks-*-key"},
		Lookup: func(name string) (string, bool) {
			value, ok := map[string]string{"WEBHOOK_TOKEN": "token", "WEBHOOK_SECRET": canary, "WEBHOOK_EMPTY": "", "OPENAI_API_KEY": canary, "WEBHOOK_": canary}[name]
			return value, ok
		},
		Refused: []string{"WEBHOOK_SECRET", "WEBHOOK_SEAL_KEYS"},
	})
	require.NoError(t, err)
	return r, s
}

func TestReferences(t *testing.T) {
	t.Parallel()
	r, s := resolver(t)
	for ref, code := range map[string]events.Code{
		"secret:webhook.a":                 "",
		"secret:webhook.gone":              events.CodeNotFound,
		"secret:hooks-gone-key":            events.CodeNotFound,
		"secret:openai_api_key":            events.CodePermissionDenied,
		"secret:webhook":                   events.CodePermissionDenied,
		"secret:xwebhook.a":                events.CodePermissionDenied,
		"secret:hooks-":                    events.CodePermissionDenied,
		"secret:Webhook.a":                 events.CodePermissionDenied,
		"secret:":                          events.CodeInvalidArgument,
		"secret:webhook.../../x":           events.CodeInvalidArgument,
		"secret:webhook.*":                 events.CodeInvalidArgument,
		"secret:webhook.a/" + canary:       events.CodeInvalidArgument,
		"env:WEBHOOK_TOKEN":                "",
		"env:WEBHOOK_NOT_SET":              events.CodeNotFound,
		"env:WEBHOOK_EMPTY":                events.CodeNotFound,
		"env:WEBHOOK_SECRET":               events.CodePermissionDenied,
		"env:WEBHOOK_SEAL_KEYS":            events.CodePermissionDenied,
		"env:OPENAI_API_KEY":               events.CodePermissionDenied,
		"env:WEBHOOK_":                     events.CodePermissionDenied,
		"env:webhook_token":                events.CodePermissionDenied,
		"env:WEBHOOK_" + canary:            events.CodePermissionDenied,
		"env:":                             events.CodePermissionDenied,
		canary:                             events.CodeInvalidArgument,
		"":                                 events.CodeInvalidArgument,
		"whsec_" + canary:                  events.CodeInvalidArgument,
		"SECRET:webhook.a":                 events.CodeInvalidArgument,
		"https://" + canary + "@host/path": events.CodeInvalidArgument,
	} {
		value, err := r.Resolve(t.Context(), ref)
		require.Equal(t, code, events.CodeOf(err), "%s: %v", ref, err)
		if err != nil {
			require.True(t, value.IsZero())
			require.NotContains(t, events.AsError(err).Message, canary)
		}
		if code == events.CodeInvalidArgument || code == events.CodePermissionDenied {
			require.Equal(t, code, events.CodeOf(r.Check(ref)))
			_, err = r.Peek(t.Context(), ref)
			require.Equal(t, code, events.CodeOf(err), ref)
		} else {
			require.NoError(t, r.Check(ref))
		}
	}
	require.EqualValues(t, 3, s.asked.Load(), "what is not allowed is not asked for")
}

func TestPatternsAreChecked(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"", "web[ab]", "a/*", `a\*`, "?", "..*", "a b"} {
		_, err := keyring.NewResolver(keyring.Options{Allow: []string{bad}})
		require.Error(t, err, bad)
	}
	r, err := keyring.NewResolver(keyring.Options{})
	require.NoError(t, err)
	require.ErrorContains(t, r.Check("secret:webhook.a"), "WEBHOOK_SECRETS", "nothing is allowed until something is")
	r, err = keyring.NewResolver(keyring.Options{Allow: []string{"*"}})
	require.NoError(t, err)
	_, err = r.Resolve(t.Context(), "secret:webhook.a")
	require.Equal(t, events.CodeFailedPrecondition, events.CodeOf(err), "there is no store")
}

func TestARotatedSecretTakesEffect(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, s := resolver(t)
		get := func() string {
			value, err := r.Resolve(t.Context(), "secret:webhook.a")
			require.NoError(t, err)
			return value.Reveal()
		}
		_, err := r.Peek(t.Context(), "secret:webhook.a")
		require.ErrorIs(t, err, keyring.ErrUnasked)
		require.Equal(t, "one "+canary, get())
		s.say(func(s *store) { s.values["webhook.a"] = "two" })
		pass(keyring.DefaultFreshFor - time.Second)
		require.Equal(t, "one "+canary, get())
		require.EqualValues(t, 1, s.asked.Load())
		pass(time.Second)
		value, err := r.Peek(t.Context(), "secret:webhook.a")
		require.NoError(t, err)
		require.Equal(t, "one "+canary, value.Reveal(), "Peek asks nobody")
		require.Equal(t, "two", get())
		require.EqualValues(t, 2, s.asked.Load())
	})
}

func TestRefreshAsksSooner(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, s := resolver(t)
		for _, step := range []struct {
			after time.Duration
			asked int64
		}{{0, 1}, {keyring.DefaultFreshFor/2 - time.Second, 1}, {time.Second, 2}, {time.Second, 2}} {
			pass(step.after)
			_, err := r.Refresh(t.Context(), "secret:webhook.a")
			require.NoError(t, err)
			require.Equal(t, step.asked, s.asked.Load())
		}
	})
}

func TestTheLastValueOutlivesItsStoreForAWhile(t *testing.T) {
	t.Parallel()
	for name, broken := range map[string]func(*store){
		"down":     func(s *store) { s.err = secret.ErrUnavailable },
		"hanging":  func(s *store) { s.slow = time.Hour },
		"unheard":  func(s *store) { s.err = context.Canceled },
		"too slow": func(s *store) { s.slow = 6 * time.Second },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r, s := resolver(t)
				get := func() (secret.Value, error) { return r.Resolve(t.Context(), "secret:webhook.a") }
				_, err := get()
				require.NoError(t, err)
				given := time.Now()
				s.say(broken)
				for time.Since(given) < keyring.LastFor-10*time.Second {
					pass(10 * time.Second)
					value, err := get()
					require.NoError(t, err)
					require.Equal(t, "one "+canary, value.Reveal())
				}
				pass(20 * time.Second)
				_, err = get()
				require.Equal(t, events.CodeUnavailable, events.CodeOf(err))
				require.NotContains(t, events.AsError(err).Message, canary)
				_, err = r.Peek(t.Context(), "secret:webhook.a")
				require.ErrorIs(t, err, keyring.ErrUnasked)

				s.say(func(s *store) { s.err, s.slow, s.values["webhook.a"] = nil, 0, "back" })
				pass(2 * time.Second)
				value, err := get()
				require.NoError(t, err)
				require.Equal(t, "back", value.Reveal())
			})
		})
	}
}

func TestAnAnswerIsNoOutage(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		err  error
		code events.Code
	}{
		"deleted":  {secret.ErrNotFound, events.CodeNotFound},
		"denied":   {secret.ErrDenied, events.CodePermissionDenied},
		"unusable": {secret.ErrUnusable, events.CodeFailedPrecondition},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r, s := resolver(t)
				_, err := r.Resolve(t.Context(), "secret:webhook.a")
				require.NoError(t, err)
				s.say(func(s *store) { s.err = test.err })
				pass(keyring.DefaultFreshFor)
				_, err = r.Resolve(t.Context(), "secret:webhook.a")
				require.Equal(t, test.code, events.CodeOf(err), "the secret was taken back: its last value counts no more")
				require.NotContains(t, events.AsError(err).Message, canary)
			})
		})
	}
}

func TestManyWhoAskAreOneQuestion(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, s := resolver(t)
		s.say(func(s *store) { s.slow = time.Second })
		impatient, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		var all sync.WaitGroup
		all.Go(func() {
			_, err := r.Resolve(impatient, "secret:webhook.a")
			if events.CodeOf(err) != events.CodeUnavailable {
				t.Errorf("want unavailable, got %v", err)
			}
		})
		for range 50 {
			all.Go(func() {
				if _, err := r.Resolve(t.Context(), "secret:webhook.a"); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		require.EqualValues(t, 1, s.asked.Load(), "who leaves first takes nothing from the others")
	})
}

func TestManyWhoAskInVainAskOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, s := resolver(t)
		for range 100 {
			_, err := r.Resolve(t.Context(), "secret:webhook.gone")
			require.Equal(t, events.CodeNotFound, events.CodeOf(err))
		}
		require.EqualValues(t, 1, s.asked.Load())
		s.say(func(s *store) { s.values["webhook.gone"] = "found" })
		pass(time.Second)
		_, err := r.Resolve(t.Context(), "secret:webhook.gone")
		require.NoError(t, err)
	})
}

func TestWhatIsKeptIsBounded(t *testing.T) {
	t.Parallel()
	r, s := resolver(t)
	large := make([]byte, secret.MaxValue)
	for i := range large {
		large[i] = 'x'
	}
	const many = 1500 // of 64 KiB each are more than 64 MiB
	for i := range many {
		name := fmt.Sprintf("webhook.%d", i)
		s.say(func(s *store) { s.values[name] = string(large) })
		_, err := r.Resolve(t.Context(), "secret:"+name)
		require.NoError(t, err)
		s.say(func(s *store) { delete(s.values, name) })
	}
	_, err := r.Peek(t.Context(), "secret:webhook.0")
	require.ErrorIs(t, err, keyring.ErrUnasked, "the one unused for longest is dropped")
	_, err = r.Peek(t.Context(), fmt.Sprintf("secret:webhook.%d", many-1))
	require.NoError(t, err)
}

// pass lets time go by, in a bubble of synctest.
func pass(d time.Duration) { <-time.After(d) }

func TestARotatedSecretIsAskedForAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, s := resolver(t)
		is := func(want string) {
			t.Helper()
			value, err := r.Resolve(t.Context(), "secret:webhook.a")
			require.NoError(t, err)
			require.Equal(t, want, value.Reveal())
		}
		require.False(t, r.Rotated("secret:webhook.a"), "nobody has asked for it")
		is("one " + canary)
		s.say(func(s *store) { s.values["webhook.a"] = "two" })
		require.False(t, r.Rotated("secret:webhook.b"))
		is("one " + canary)
		require.True(t, r.Rotated("secret:webhook.a"))
		value, err := r.Peek(t.Context(), "secret:webhook.a")
		require.NoError(t, err)
		require.Equal(t, "one "+canary, value.Reveal(), "who cannot wait has the last one")
		is("two")
		is("two")
		require.EqualValues(t, 2, s.asked.Load())

		// While the store cannot be reached, the last value is better than none.
		s.say(func(s *store) { s.err = secret.ErrUnavailable })
		require.True(t, r.Rotated("secret:webhook.a"))
		is("two")
		s.say(func(s *store) { s.err, s.values["webhook.a"] = nil, "three" })
		pass(time.Second)
		is("three")

		// An answer that was on its way when the secret was rotated does not count for others.
		s.say(func(s *store) { s.slow = time.Second })
		require.True(t, r.Rotated("secret:webhook.a"))
		late := make(chan string, 1)
		go func() {
			value, err := r.Resolve(t.Context(), "secret:webhook.a")
			if err == nil {
				late <- value.Reveal()
			}
		}()
		synctest.Wait()
		s.say(func(s *store) { s.values["webhook.a"] = "four" })
		require.True(t, r.Rotated("secret:webhook.a"))
		is("four")
		require.Equal(t, "three", <-late)
		is("four")
	})
}
