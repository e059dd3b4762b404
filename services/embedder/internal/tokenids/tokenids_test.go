package tokenids_test

import (
	"math"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/services/embedder/internal/tokenids"
)

func TestPack(t *testing.T) {
	t.Parallel()
	lists := [][]int32{{0}, {1}, {0, 1}, {1, 0}, {256}, {1, 0, 0, 0}, {math.MaxInt32, 9906, 0}, {0x61616161}}
	packed := tokenids.PackAll(lists)
	seen := make(map[string]bool)
	for i, s := range packed {
		require.False(t, utf8.ValidString(s), "it is no text's")
		require.False(t, seen[s], "it is no others'")
		seen[s] = true
		n, ok := tokenids.Count(s)
		require.True(t, ok)
		require.Len(t, lists[i], n)
	}
	require.Equal(t, lists, tokenids.UnpackAll(packed))
}

func TestTextsHaveNone(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "a", "ÿ", "aaaaa", "\x00"} {
		n, ok := tokenids.Count(text)
		require.False(t, ok)
		require.Zero(t, n)
		require.Empty(t, tokenids.Unpack(text))
	}
}
