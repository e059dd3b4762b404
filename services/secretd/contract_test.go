package secretd_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/remote"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/secrettest"
)

// The client that asks secretd keeps the contract of the store behind it.
func TestContractOverTheBus(t *testing.T) {
	t.Parallel()
	const noField, noVersion, behind = "a name has no fields", "a name has no versions", "the client of the store sees it, and this one what that makes of it"
	at := func(key string) secret.Ref { return secret.Ref{Store: secret.StoreVault, Path: "team/" + key} }
	secrettest.Contract{
		Source: secret.StoreVault,
		Start: func(t *testing.T, p secrettest.Provider) secrettest.Subject {
			t.Helper()
			var rules strings.Builder
			rules.WriteString("policy: {generator: {get: ['*'], refresh: ['*']}}\nsecrets:\n")
			for _, key := range p.Keys() {
				rules.WriteString("  " + key + ": ['" + at(key).String() + "']\n")
			}
			memory := secrettest.NewMemory(secret.StoreVault, p, at)
			r := withRules(t, rules.String(), nil, memory)
			c, err := remote.New(r.Connect(t, "generator"), "generator")
			require.NoError(t, err)
			if p.Condition == secrettest.Down {
				r.stop()
			}
			return secrettest.Subject{
				Named:   c,
				Version: func(_ string, n int) string { return strconv.Itoa(n + 1) },
				Seen:    memory.Seen,
				Rotate: func(key string, to secrettest.Content) {
					memory.Rotate(key, to)
					_, err := r.as(t, "generator").RefreshSecret(within(t), key)
					require.NoError(t, err)
				},
			}
		},
		Lacks: map[secrettest.Row]string{
			secrettest.RowField: noField, secrettest.RowFieldMissing: noField, secrettest.RowFieldNoText: noField, secrettest.RowFieldNoFields: noField,
			secrettest.RowPinned: noVersion, secrettest.RowPinnedMissing: noVersion, secrettest.RowHostile: "a name is never hostile",
			secrettest.RowGone: "of what is gone the contract says that it is not found", secrettest.RowHalf: behind, secrettest.RowGarbage: behind,
			secrettest.RowEndless: behind, secrettest.RowRedirected: behind,
		},
	}.Run(t)
}
