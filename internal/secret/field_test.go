package secret_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
)

func TestPick(t *testing.T) {
	t.Parallel()
	const object = `{"api_key":"пароль \u0041` + canary + `","n":7,"null":null,"nested":{"a":"` + canary + `"},"empty":"","list":["x"]}`
	for field, want := range map[string]string{"": object, "api_key": "пароль A" + canary, "empty": ""} {
		got, err := secret.Pick(object, field)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	for _, field := range []string{"missing", "API_KEY", "n", "null", "nested", "list", "nested.a"} {
		got, err := secret.Pick(object, field)
		require.ErrorIs(t, err, secret.ErrUnusable, field)
		require.ErrorContains(t, err, field)
		require.Empty(t, got)
		requireNoCanary(t, err.Error())
	}
	for _, text := range []string{canary, `"` + canary + `"`, "null", "7", `["` + canary + `"]`, `{"a":"` + canary, `{"a":"` + canary + `"} {}`, ""} {
		_, err := secret.Pick(text, "a")
		require.ErrorIs(t, err, secret.ErrUnusable)
		requireNoCanary(t, err.Error())
	}
}
