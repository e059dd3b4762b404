package secret_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
)

func TestNewEntry(t *testing.T) {
	t.Parallel()
	largest := strings.Repeat("x", secret.MaxValue)
	for _, text := range []string{"a", " ", "a\n", "\x00", "пароль", largest} {
		entry, err := secret.NewEntry("env", "v1", text)
		require.NoError(t, err)
		require.Equal(t, text, entry.Value.Reveal())
		require.Equal(t, "env", entry.Source)
		require.Equal(t, "v1", entry.Version)
		require.True(t, entry.ExpiresAt.IsZero())
	}
	for text, want := range map[string]error{
		"": secret.ErrNotFound, largest + "x": secret.ErrUnusable, canary + "\xff": secret.ErrUnusable, "\xed\xa0\x80": secret.ErrUnusable,
	} {
		entry, err := secret.NewEntry("env", "v1", text)
		require.ErrorIs(t, err, want)
		require.True(t, entry.Value.IsZero())
		requireNoCanary(t, err.Error())
	}
}
