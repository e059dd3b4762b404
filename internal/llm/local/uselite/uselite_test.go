package uselite_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/llmtest"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/local"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/local/uselite"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

func TestContract(t *testing.T) {
	t.Parallel()
	llmtest.RunLocalEmbed(t, llmtest.LocalEmbedDialect{
		Provider: local.Provider, Model: uselite.Name, Dimensions: uselite.Dimensions, ItemTokens: uselite.MaxTokens,
	}, new(uselite.Model))
}

// asking is a call that lets long texts be cut.
func asking(texts ...string) *llm.EmbedCall {
	return &llm.EmbedCall{Model: uselite.Name, Texts: texts, Truncate: true}
}

// embed returns the vectors of texts.
func embed(t *testing.T, m *uselite.Model, texts ...string) [][]float32 {
	t.Helper()
	res, err := m.Embed(t.Context(), asking(texts...))
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

func TestTextWithoutTextIsRefused(t *testing.T) {
	t.Parallel()
	var model uselite.Model
	for _, text := range []string{"\x00\x1f\x7f", "▁▁", "\ufeff\u200b"} { // beside what is nothing to any model
		_, err := model.Embed(t.Context(), asking("fine", text))
		require.Equal(t, events.CodeInvalidArgument, events.CodeOf(err), "%q", text)
		require.ErrorContains(t, err, "there is no text in it")
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
			res, err := model.Embed(context.WithoutCancel(t.Context()), asking(text))
			if err == nil {
				alone[i] = res.Vectors[0]
			}
		})
	}
	group.Wait()
	require.Equal(t, together, alone, "to the last bit")
}

func TestLongTextIsRefusedOrCut(t *testing.T) {
	t.Parallel()
	var model uselite.Model
	words := func(n int) string { return strings.Repeat("a ", n) } // each is one token
	call := asking("a", words(150)+"the king of Spain", words(150)+"a broken printer")
	res, err := model.Embed(t.Context(), call)
	require.NoError(t, err)
	require.Equal(t, map[int]events.Truncation{1: {Tokens: 155, Used: 128}, 2: {Tokens: 154, Used: 128}}, res.Truncated)
	require.Equal(t, 1+2*128, res.PromptTokens, "what was read counts")
	require.Equal(t, embed(t, &model, words(128))[0], res.Vectors[1])
	require.Equal(t, res.Vectors[1], res.Vectors[2])

	call.Truncate = false
	_, err = model.Embed(t.Context(), call)
	require.Equal(t, llm.ClassUnsupported, llm.FaultOf(err).Class)
	require.ErrorContains(t, err, "the text has 155 tokens; local/use-lite-512 reads 128")
}

func TestLargeCallEndsWithItsContext(t *testing.T) {
	t.Parallel()
	var model uselite.Model
	long := slices.Repeat([]string{strings.Repeat("the quick brown fox ", 4<<10)}, events.MaxInputs)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	begin := time.Now()
	_, err := model.Embed(ctx, asking(long...))
	require.Equal(t, events.CodeDeadlineExceeded, events.CodeOf(err))
	require.Less(t, time.Since(begin), 30*time.Second)
	require.NotEmpty(t, embed(t, &model, "and goes on")[0])
}

func FuzzEmbed(f *testing.F) {
	for _, seed := range []string{"hello", "\xff\xfe", "\u0301", " ", "日本語", "▁", strings.Repeat("long ", 200)} {
		f.Add(seed)
	}
	model := new(uselite.Model)
	f.Fuzz(func(t *testing.T, text string) { llmtest.SurvivesLocal(t, model, uselite.Dimensions, text) })
}
