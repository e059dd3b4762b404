package secret_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
)

func TestWipe(t *testing.T) {
	t.Parallel()
	text := []byte(canary)
	v := secret.TakeValue(text)
	require.Equal(t, canary, v.Reveal())
	requireNoCanary(t, fmt.Sprintf("%v %+v %#v", v, v, newHolder(v)))
	requireNeverMarshaled(t, newHolder(v))
	copied := v
	v.Wipe()
	require.Equal(t, make([]byte, len(canary)), text, "the content is overwritten where it stands")
	require.Empty(t, v.Reveal())
	require.Empty(t, copied.Reveal())
	copied.Wipe()

	require.True(t, secret.TakeValue(nil).IsZero())
	for name, v := range map[string]secret.Value{"none": {}, "a copy": secret.NewValue(canary), "live": secret.Live(source{canary})} {
		before := v.Reveal()
		v.Wipe()
		require.Equal(t, before, v.Reveal(), "%s is not ours to overwrite", name)
	}
}

func TestTakeEntry(t *testing.T) {
	t.Parallel()
	entry, err := secret.TakeEntry("file", "3", []byte(canary))
	require.NoError(t, err)
	require.Equal(t, canary, entry.Value.Reveal())
	require.Equal(t, []string{"file", "3"}, []string{entry.Source, entry.Version})
	for text, want := range map[string]error{
		"": secret.ErrNotFound, canary + "\xff": secret.ErrUnusable, strings.Repeat("x", secret.MaxValue+1): secret.ErrUnusable,
	} {
		given := []byte(text)
		_, err := secret.TakeEntry("file", "3", given)
		require.ErrorIs(t, err, want)
		require.Equal(t, make([]byte, len(text)), given)
		_, err = secret.NewEntry("file", "3", text)
		require.ErrorIs(t, err, want)
	}
}
