// Package secrettest is the contract of a store of secrets, as tests that every store runs.
package secrettest

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
)

// Canary is in every value of the suite; it must be nowhere but in a value.
const Canary = "canary31337"

// patience bounds one call of a store that answers.
const patience = 20 * time.Second

// Harness makes the stores of a suite.
type Harness struct {
	// Source is what entries must name.
	Source string
	// New returns a store that holds these values, by name, and nothing under [Absent].
	New func(t *testing.T, values map[string]string) secret.Named
	// Down returns a store whose provider cannot be reached; nil for one that cannot be down.
	Down func(t *testing.T) secret.Named
	// Denied returns a store whose credentials are refused; nil for one without credentials.
	Denied func(t *testing.T) secret.Named
}

// By asks a store for names, each where locate says.
func By(store secret.Store, locate func(secret.Name) secret.Ref) secret.Named {
	return by{store, locate}
}

type by struct {
	store  secret.Store
	locate func(secret.Name) secret.Ref
}

// Get implements [secret.Named].
func (b by) Get(ctx context.Context, name secret.Name) (secret.Entry, error) {
	return b.store.Get(ctx, b.locate(name))
}

// Absent is a name that no store of the suite has a value for.
const Absent = "absent"

// Names are all names that the suite asks for.
func Names() []string {
	names := []string{Absent}
	for name := range values() {
		names = append(names, name)
	}
	return names
}

// values are what a store must be able to hold.
func values() map[string]string {
	return map[string]string{
		"openai_api_key": "sk-" + Canary,
		"with.dots-and":  " " + Canary + " \t",
		"lines":          Canary + "\nsecond line\n",
		"unicode":        "пароль " + Canary,
		"json":           `{"key":"` + Canary + `"}`,
		"empty":          "",
		"largest":        Canary + strings.Repeat("x", secret.MaxValue-len(Canary)),
		"too_large":      Canary + strings.Repeat("x", secret.MaxValue-len(Canary)+1),
	}
}

// name parses a name of the suite.
func name(t *testing.T, text string) secret.Name {
	t.Helper()
	n, err := secret.ParseName(text)
	require.NoError(t, err)
	return n
}

// get asks with patience.
func get(t *testing.T, s secret.Named, text string) (secret.Entry, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	entry, err := s.Get(ctx, name(t, text))
	if err != nil {
		require.True(t, entry.Value.IsZero(), "no value beside an error")
		require.NotContains(t, err.Error(), Canary, "no value in an error")
		require.NotContains(t, err.Error(), "31337")
	}
	return entry, err
}

// Run runs the suite.
func Run(t *testing.T, h Harness) {
	t.Run("values come back as they are", func(t *testing.T) {
		t.Parallel()
		s := h.New(t, values())
		for text, want := range values() {
			entry, err := get(t, s, text)
			switch text {
			case "empty":
				require.ErrorIs(t, err, secret.ErrNotFound, "an empty value is none")
			case "too_large":
				require.ErrorIs(t, err, secret.ErrUnusable)
			default:
				require.NoError(t, err, text)
				require.Equal(t, want, entry.Value.Reveal(), text)
				require.Equal(t, h.Source, entry.Source)
			}
		}
	})
	t.Run("what is not there is not found", func(t *testing.T) {
		t.Parallel()
		_, err := get(t, h.New(t, values()), Absent)
		require.ErrorIs(t, err, secret.ErrNotFound)
		require.NotErrorIs(t, err, secret.ErrUnavailable)
	})
	t.Run("a caller who has gone gets no answer", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := h.New(t, values()).Get(ctx, name(t, "openai_api_key"))
		require.ErrorIs(t, err, context.Canceled)
		require.NotErrorIs(t, err, secret.ErrNotFound)
	})
	t.Run("many may ask at once", func(t *testing.T) {
		t.Parallel()
		s, key := h.New(t, values()), name(t, "openai_api_key")
		var all sync.WaitGroup
		for range 16 {
			all.Go(func() {
				entry, err := s.Get(t.Context(), key)
				if err != nil || entry.Value.Reveal() != values()["openai_api_key"] {
					t.Errorf("a concurrent get failed: %v", err)
				}
			})
		}
		all.Wait()
	})
	if h.Down != nil {
		t.Run("a store that is down is no answer", func(t *testing.T) {
			t.Parallel()
			_, err := get(t, h.Down(t), "openai_api_key")
			require.ErrorIs(t, err, secret.ErrUnavailable)
			require.NotErrorIs(t, err, secret.ErrNotFound)
		})
	}
	if h.Denied != nil {
		t.Run("credentials that are refused are no answer", func(t *testing.T) {
			t.Parallel()
			_, err := get(t, h.Denied(t), "openai_api_key")
			require.ErrorIs(t, err, secret.ErrDenied)
			require.NotErrorIs(t, err, secret.ErrNotFound)
		})
	}
}
