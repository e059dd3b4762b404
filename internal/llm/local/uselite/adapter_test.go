package uselite_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/llmtest"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/local"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/local/uselite"
)

func TestAdapter(t *testing.T) {
	t.Parallel()
	llmtest.RunLocalEmbed(t, llmtest.LocalEmbedDialect{
		Provider: local.Provider, Model: uselite.Name, Dimensions: uselite.Dimensions, ItemTokens: 128,
	}, new(uselite.Adapter))
}

// What people have stored stays comparable: the vectors of texts that fit are those that the model had before.
func TestAdapterHasTheVectorsOfTheModel(t *testing.T) {
	t.Parallel()
	texts := []string{"How do I reset my password?", strings.Repeat("the ", 128), "naïve café 🙂"}
	got, err := new(uselite.Adapter).Embed(t.Context(), &llm.EmbedCall{Model: uselite.Name, Texts: texts})
	require.NoError(t, err)
	want := embed(t, new(uselite.Model), texts...)
	for i, v := range want {
		require.InDelta(t, 1, dot(v, got.Vectors[i]), 1e-5)
	}
}

func FuzzAdapter(f *testing.F) {
	for _, seed := range []string{"hello", "\xff\xfe", "\u0301", " ", "日本語", "▁", strings.Repeat("long ", 200)} {
		f.Add(seed)
	}
	a := new(uselite.Adapter)
	f.Fuzz(func(t *testing.T, text string) { llmtest.SurvivesLocal(t, a, uselite.Dimensions, text) })
}

func BenchmarkAdapter(b *testing.B) {
	texts := strings.Split(strings.Repeat("How do I reset my password?|", 255)+"How do I reset my password?", "|")
	a := new(uselite.Adapter)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := a.Embed(b.Context(), &llm.EmbedCall{Model: uselite.Name, Texts: texts}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(texts)*b.N)/b.Elapsed().Seconds(), "texts/s")
}
