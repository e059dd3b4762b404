package cached

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
)

func TestSealer(t *testing.T) {
	t.Parallel()
	const text = "sk-canary-31337"
	s, err := newSealer()
	require.NoError(t, err)
	b, m := s.seal(secret.NewValue(text))
	again, same := s.seal(secret.NewValue(text))
	_, other := s.seal(secret.NewValue(text + "\x00"))
	require.Equal(t, m, same)
	require.NotEqual(t, m, other)
	require.NotEqual(t, b.sealed, again.sealed, "no nonce is used twice")
	require.NotContains(t, string(b.sealed), text[:4])
	require.NotContains(t, string(m[:]), text[:4])
	opened, err := s.open(b)
	require.NoError(t, err)
	require.Equal(t, text, opened.Reveal())

	foreign, err := newSealer()
	require.NoError(t, err)
	_, elsewhere := foreign.seal(secret.NewValue(text))
	require.NotEqual(t, m, elsewhere, "marks are keyed")
	_, err = foreign.open(b)
	require.ErrorContains(t, err, "opening a value")
	require.NotContains(t, err.Error(), text)

	memory := b.sealed
	b.hold()
	b.release()
	_, err = s.open(b)
	require.NoError(t, err, "somebody holds it still")
	b.release()
	require.Equal(t, bytes.Repeat([]byte{0}, len(memory)), memory, "it is overwritten")
}

func TestMarksTellLengthsApart(t *testing.T) {
	t.Parallel()
	s, err := newSealer()
	require.NoError(t, err)
	seen := make(map[mark]int)
	for n := 1; n < 300; n++ { // across the blocks of the hash
		m := s.mark(make([]byte, n))
		require.NotContains(t, seen, m)
		seen[m] = n
	}
}
