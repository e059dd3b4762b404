package env_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/env"
	"github.com/neuron7x/mlsdm-integrations/internal/secret/secrettest"
)

func TestContract(t *testing.T) {
	t.Parallel()
	secrettest.Run(t, secrettest.Harness{
		Source: "env",
		New: func(t *testing.T, values map[string]string) secret.Named {
			t.Helper()
			environment := map[string]string{}
			for text, value := range values {
				name, err := secret.ParseName(text)
				require.NoError(t, err)
				environment[env.Variable(name)] = value
			}
			return secrettest.By(env.New(func(variable string) (string, bool) {
				value, ok := environment[variable]
				return value, ok
			}), func(name secret.Name) secret.Ref { return secret.Ref{Store: "env", Path: env.Variable(name)} })
		},
	})
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
