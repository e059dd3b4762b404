package local_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/llmtest"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/local"
)

func TestHashAdapter(t *testing.T) {
	t.Parallel()
	llmtest.RunLocalEmbed(t, llmtest.LocalEmbedDialect{Provider: local.Provider, Model: local.HashModel, Dimensions: local.HashDimensions}, local.HashAdapter{})
}

func TestHashAdapterHasTheVectorsOfHash(t *testing.T) {
	t.Parallel()
	texts := []string{"hello", "The quick brown fox jumps over the lazy dog.", "!?"}
	got, err := local.HashAdapter{}.Embed(t.Context(), &llm.EmbedCall{Model: local.HashModel, Texts: texts})
	require.NoError(t, err)
	require.Equal(t, embed(t, texts...), got.Vectors)
	require.Equal(t, []int{1, 9, 1}, got.Tokens)
}

func FuzzHashAdapter(f *testing.F) {
	for _, seed := range []string{"hello", "\xff\xfe", "\u0301", " ", "日本語"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		llmtest.SurvivesLocal(t, local.HashAdapter{}, local.HashDimensions, text)
	})
}
