package uselite_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/llmtest"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/local/uselite"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

func TestContract(t *testing.T) {
	t.Parallel()
	llmtest.RunEmbedder(t, llmtest.EmbedFeatures{Model: uselite.Name, Dimensions: uselite.Dimensions}, new(uselite.Model))
}

// embed returns the vectors of texts.
func embed(t *testing.T, m *uselite.Model, texts ...string) [][]float32 {
	t.Helper()
	res, err := m.Embed(t.Context(), llm.EmbedRequest{Model: uselite.Name, Texts: texts})
	require.NoError(t, err)
	require.NoError(t, llm.CheckVectors("local", res.Vectors, len(texts), uselite.Dimensions))
	return res.Vectors
}

// dot is the cosine of two vectors of length 1.
func dot(a, b []float32) float64 {
	sum := 0.0
	for i := range a {
		sum += float64(a[i]) * float64(b[i])
	}
	return sum
}

func TestMeaning(t *testing.T) {
	t.Parallel()
	v := embed(t, new(uselite.Model), "How do I reset my password?", "I forgot my login credentials", "The weather in Paris is sunny today",
		"deploy failed: connection refused to database", "the service could not reach postgres", "bake the cake for thirty minutes")
	require.Greater(t, dot(v[0], v[1]), 0.45)
	require.Less(t, dot(v[0], v[2]), 0.15)
	require.Greater(t, dot(v[3], v[4]), 0.4)
	require.Less(t, dot(v[3], v[5]), 0.25)
}

func TestDimensions(t *testing.T) {
	t.Parallel()
	var model uselite.Model
	for _, dimensions := range []int{0, 512} {
		res, err := model.Embed(t.Context(), llm.EmbedRequest{Texts: []string{"hello"}, Dimensions: dimensions})
		require.NoError(t, err)
		require.Len(t, res.Vectors[0], 512)
	}
	for _, dimensions := range []int{-1, 1, 511, 513, 1 << 30} {
		_, err := model.Embed(t.Context(), llm.EmbedRequest{Texts: []string{"hello"}, Dimensions: dimensions})
		require.Equal(t, events.CodeUnsupported, events.CodeOf(err))
		require.ErrorContains(t, err, "dimensions: local/use-lite-512 has 512 and no other")
	}
}

func TestTextWithoutTextIsRefused(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", " ", "\t\r\n\u00a0\u3000", "\x00\x1f\x7f", "▁▁", "\ufeff\u200b"} {
		_, err := new(uselite.Model).Embed(t.Context(), llm.EmbedRequest{Texts: []string{"fine", text}})
		require.Equal(t, events.CodeInvalidArgument, events.CodeOf(err), "%q", text)
		require.ErrorContains(t, err, "input[1] has no text in it")
	}
}

func TestWhatDoesNotMatter(t *testing.T) {
	t.Parallel()
	v := embed(t, new(uselite.Model), "a small café", "  a\tsmall\n\ncafe\u0301 ", "a\x00small▁café", "\ufeffa\u3000small\u200bcafé", "a SMALL café")
	for _, same := range v[1:4] {
		require.Equal(t, v[0], same)
	}
	require.NotEqual(t, v[0], v[4], "case matters")
}

func TestHostileTexts(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"emoji": "🙂👩‍👩‍👧‍👦🏳️‍🌈", "invalid": "\xff\xfeabc\xc3", "marks": strings.Repeat("\u0301", 1000), "one long word": strings.Repeat("x", 3000),
		"grows under NFKC": strings.Repeat("\ufdfa", 100), "right to left": "\u202eabc\u202c", "last character": "\U0010ffff", "dots": strings.Repeat(".", 700),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := embed(t, new(uselite.Model), text)[0]
			require.InDelta(t, 1, dot(v, v), 1e-5)
		})
	}
}

func TestVectorIsTheSameInEveryCompany(t *testing.T) {
	t.Parallel()
	var model uselite.Model
	texts := []string{"one", "two texts that are longer", strings.Repeat("many words ", 120), "!", strings.Repeat("so ", 126), "the end"}
	together := embed(t, &model, texts...)
	var group sync.WaitGroup
	alone := make([][]float32, len(texts))
	for i, text := range texts {
		group.Go(func() {
			res, err := model.Embed(context.WithoutCancel(t.Context()), llm.EmbedRequest{Texts: []string{text}})
			if err == nil {
				alone[i] = res.Vectors[0]
			}
		})
	}
	group.Wait()
	require.Equal(t, together, alone, "to the last bit")
}

func TestLongTextIsTheMeanOfItsWindows(t *testing.T) {
	t.Parallel()
	var model uselite.Model
	words := func(n int) string { return strings.Repeat("a ", n) } // each is one token
	res, err := model.Embed(t.Context(), llm.EmbedRequest{Texts: []string{words(200)}})
	require.NoError(t, err)
	require.Equal(t, 200, res.PromptTokens, "tokens that are in two windows count once")

	v := embed(t, &model, words(128), words(104))
	want, length := make([]float64, len(v[0])), 0.0
	for i := range want {
		want[i] = 128*float64(v[0][i]) + 104*float64(v[1][i])
		length += want[i] * want[i]
	}
	cosine := 0.0
	for i := range want {
		cosine += want[i] * float64(res.Vectors[0][i])
	}
	require.InDelta(t, 1, cosine*cosine/length, 1e-5)

	ends := embed(t, &model, words(150)+"the king of Spain", words(150)+"a broken printer")
	require.Less(t, dot(ends[0], ends[1]), 0.999, "the end is not cut off")
}

func TestVeryLongTextEndsWithItsContext(t *testing.T) {
	t.Parallel()
	var model uselite.Model
	long := strings.Repeat("the quick brown fox ", 1<<20/20)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	begin := time.Now()
	_, err := model.Embed(ctx, llm.EmbedRequest{Texts: []string{long}})
	require.Equal(t, events.CodeDeadlineExceeded, events.CodeOf(err))
	require.Less(t, time.Since(begin), 30*time.Second)
	require.NotEmpty(t, embed(t, &model, "and goes on")[0])
}
