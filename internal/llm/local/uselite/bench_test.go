package uselite_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm/local/uselite"
)

func BenchmarkEmbed(b *testing.B) {
	const long = "The quick brown fox jumps over the lazy dog while the service handles requests. "
	for name, texts := range map[string][]string{
		"tokens=8":           {"How do I reset my password?"},
		"tokens=128":         {strings.Repeat("a ", 128)},
		"texts=16,tokens=8":  slices.Repeat([]string{"How do I reset my password?"}, 16),
		"texts=256,tokens=8": slices.Repeat([]string{"How do I reset my password?"}, 256),
		"text=4KiB, cut":     {strings.Repeat(long, 4<<10/len(long))},
	} {
		b.Run(name, func(b *testing.B) {
			var model uselite.Model
			_, err := model.Embed(b.Context(), asking(texts...)) // reads the weights
			require.NoError(b, err)
			tokens := 0
			b.ReportAllocs()
			for b.Loop() {
				res, err := model.Embed(b.Context(), asking(texts...))
				require.NoError(b, err)
				tokens += res.PromptTokens
			}
			b.ReportMetric(float64(tokens)/b.Elapsed().Seconds(), "tokens/s")
			b.ReportMetric(float64(len(texts)*b.N)/b.Elapsed().Seconds(), "texts/s")
		})
	}
}

// BenchmarkLoad is what the first use costs.
func BenchmarkLoad(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		_, err := new(uselite.Model).Tokens(b.Context(), "hello")
		require.NoError(b, err)
	}
}
