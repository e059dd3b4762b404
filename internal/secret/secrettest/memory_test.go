package secrettest_test

import (
	"context"
	"strconv"
	"testing"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/secrettest"
)

// at is where the memory has a key.
func at(key string) secret.Ref { return secret.Ref{Store: "vault", Path: "team/" + key} }

// The suite holds for a store that does all that it asks for.
func TestMemory(t *testing.T) {
	t.Parallel()
	secrettest.Contract{Source: "vault", Start: func(t *testing.T, p secrettest.Provider) secrettest.Subject {
		t.Helper()
		m := secrettest.NewMemory("vault", p, at)
		return secrettest.Subject{
			Store: m, At: at, Rotate: m.Rotate, Seen: m.Seen, Version: func(_ string, n int) string { return strconv.Itoa(n + 1) },
		}
	}}.Run(t)
}

// named asks a store for names.
type named struct{ store secret.Store }

// Get implements [secret.Named].
func (n named) Get(ctx context.Context, name secret.Name) (secret.Entry, error) {
	return n.store.Get(ctx, at(name.String()))
}

// The suite holds for who has names only.
func TestNamed(t *testing.T) {
	t.Parallel()
	const noField, noVersion = "a name has no fields", "a name has no versions"
	secrettest.Contract{
		Source: "vault",
		Start: func(t *testing.T, p secrettest.Provider) secrettest.Subject {
			t.Helper()
			m := secrettest.NewMemory("vault", p, at)
			return secrettest.Subject{
				Named: named{m}, Rotate: m.Rotate, Seen: m.Seen, Version: func(_ string, n int) string { return strconv.Itoa(n + 1) },
			}
		},
		Lacks: map[secrettest.Row]string{
			secrettest.RowField: noField, secrettest.RowFieldMissing: noField, secrettest.RowFieldNoText: noField, secrettest.RowFieldNoFields: noField,
			secrettest.RowPinned: noVersion, secrettest.RowPinnedMissing: noVersion, secrettest.RowHostile: "a name is never hostile",
		},
	}.Run(t)
}
