package env_test

import (
	"maps"
	"os"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/env"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/secrettest"
)

// at says which variable holds a key.
func at(t *testing.T, key string) secret.Ref {
	t.Helper()
	name, err := secret.ParseName(key)
	require.NoError(t, err)
	return secret.Ref{Store: "env", Path: env.Variable(name)}
}

// environment is one that remembers what was looked up.
type environment struct {
	values map[string]string
	mu     sync.Mutex
	seen   []string
}

// lookup is what [os.LookupEnv] is.
func (e *environment) lookup(variable string) (string, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.seen = append(e.seen, variable)
	value, ok := e.values[variable]
	return value, ok
}

func TestContract(t *testing.T) {
	t.Parallel()
	const never, noField, noVersion, noAccess = "the environment always answers", "a variable is one text", "a variable has no versions",
		"a process may read its environment"
	secrettest.Contract{
		Source: "env",
		Start: func(t *testing.T, p secrettest.Provider) secrettest.Subject {
			t.Helper()
			e := &environment{values: map[string]string{}}
			for key, s := range p.Secrets {
				current := s.Versions[len(s.Versions)-1]
				e.values[at(t, key).Path] = current.Text + string(current.Binary)
			}
			return secrettest.Subject{
				Store: env.New(e.lookup),
				At:    func(key string) secret.Ref { return at(t, key) },
				Seen: func() []string {
					e.mu.Lock()
					defer e.mu.Unlock()
					return slices.Clone(e.seen)
				},
			}
		},
		Lacks: map[secrettest.Row]string{
			secrettest.RowField: noField, secrettest.RowFieldMissing: noField, secrettest.RowFieldNoText: noField, secrettest.RowFieldNoFields: noField,
			secrettest.RowPinned: noVersion, secrettest.RowPinnedMissing: noVersion, secrettest.RowRotated: noVersion, secrettest.RowGone: noVersion,
			secrettest.RowDenied: noAccess, secrettest.RowExpired: noAccess, secrettest.RowThrottled: never, secrettest.RowBroken: never,
			secrettest.RowDown: never, secrettest.RowSlow: never, secrettest.RowHalf: never, secrettest.RowGarbage: never,
			secrettest.RowEndless: never, secrettest.RowRedirected: never,
		},
	}.Run(t)
}

// The environment of the process is one.
func TestProcess(t *testing.T) {
	t.Setenv("MLSDM_TEST_SECRET", secrettest.Canary)
	entry, err := env.New(os.LookupEnv).Get(t.Context(), secret.Ref{Store: "env", Path: "MLSDM_TEST_SECRET"})
	require.NoError(t, err)
	require.Equal(t, secrettest.Canary, entry.Value.Reveal())
	require.Empty(t, entry.Version)
}

func TestVariable(t *testing.T) {
	t.Parallel()
	variables := map[string]string{
		"openai_api_key": "OPENAI_API_KEY", "GitHub-Token": "GITHUB_TOKEN", "db.main.password": "DB_MAIN_PASSWORD", "1": "1",
	}
	for _, text := range slices.Sorted(maps.Keys(variables)) {
		name, err := secret.ParseName(text)
		require.NoError(t, err)
		require.Equal(t, variables[text], env.Variable(name))
	}
}
