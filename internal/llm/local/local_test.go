package local_test

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/llmtest"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/local"
)

func TestHashContract(t *testing.T) {
	t.Parallel()
	llmtest.RunLocalEmbed(t, llmtest.LocalEmbedDialect{Provider: local.Provider, Model: local.HashModel, Dimensions: local.HashDimensions}, local.Hash{})
}

func TestHashCountsWords(t *testing.T) {
	t.Parallel()
	got, err := local.Hash{}.Embed(t.Context(), asking("hello", "The quick brown fox jumps over the lazy dog.", "!?"))
	require.NoError(t, err)
	require.Equal(t, []int{1, 9, 1}, got.Tokens)
	require.Equal(t, 11, got.PromptTokens)
}

func TestEchoContract(t *testing.T) {
	t.Parallel()
	llmtest.RunLocal(t, llmtest.LocalDialect{
		Provider: local.Provider, Model: local.EchoModel, Answer: func(prompt string) string { return "echo: " + prompt },
		Refuses: map[string]string{
			"tools": `{"tools":[{"type":"function","function":{"name":"f"}}]}`, "tool_choice": `{"tool_choice":"required"}`,
			"response_format": `{"response_format":{"type":"json_schema","json_schema":{"name":"a","schema":{}}}}`, "n": `{"n":2}`,
			"content":  `{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:,"}}]}]}`,
			"logprobs": `{"logprobs":true}`, "audio": `{"audio":{}}`, "functions": `{"functions":[]}`,
		},
	}, local.Model{})
}

// asking is a call.
func asking(texts ...string) *llm.EmbedCall {
	return &llm.EmbedCall{Model: local.HashModel, Texts: texts}
}

// embed returns the vectors of texts.
func embed(t *testing.T, texts ...string) [][]float32 {
	t.Helper()
	res, err := local.Hash{}.Embed(t.Context(), asking(texts...))
	require.NoError(t, err)
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

// Vectors are stored by users for years: these digests are never edited. A change of the algorithm is a new model.
func TestHashVectorsNeverChange(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"hello":         "f1ec05302850381fdbbaba64",
		"Hello, World!": "27c5d36eb1da2523f1d1b5da",
		"The quick brown fox jumps over the lazy dog.": "b8aa1f97008bbc018ec8238c",
		"naïve café — ﬁne":                             "19ecb2b3964ceda0dc5bac5a",
		"日本語のテキスト":                                     "575050c04c0d9c07df0b1945",
		"Привіт, світе":                                "3b7826ef0344609f3b1ae7b0",
		"🙂🙃":                                           "9d533e7490d0146345da3375",
		"!?":                                           "b5453581761f2270728f9b4f",
	} {
		sum := sha256.New()
		for _, f := range embed(t, text)[0] {
			require.NoError(t, binary.Write(sum, binary.LittleEndian, f))
		}
		require.Equal(t, want, hex.EncodeToString(sum.Sum(nil)[:12]), text)
	}
}

func TestHashVectorIsWhatTheDocumentationSays(t *testing.T) {
	t.Parallel()
	// "a" has two features: the word, and the trigram "<a>"; lengths 1 and 1/2.
	v := embed(t, "a")[0]
	var nonzero []float64
	for _, f := range v {
		if f != 0 {
			nonzero = append(nonzero, math.Abs(float64(f)))
		}
	}
	require.Len(t, nonzero, 2)
	require.InDelta(t, 1, dot(v, v), 1e-6)
	require.InDelta(t, 2, max(nonzero[0], nonzero[1])/min(nonzero[0], nonzero[1]), 1e-6)
}

func TestHashSimilarity(t *testing.T) {
	t.Parallel()
	v := embed(t, "reset my password", "I forgot my password, reset it please", "quarterly revenue grew by ten percent",
		"RESET  MY—PASSWORD!", "résumé", "re\u0301sume\u0301", "résumés")
	require.Greater(t, dot(v[0], v[1]), 2*dot(v[0], v[2])+0.2)
	require.InDelta(t, 1, dot(v[0], v[3]), 1e-6, "case, punctuation and white space do not matter")
	require.InDelta(t, 1, dot(v[4], v[5]), 1e-6, "composed and decomposed characters are the same")
	require.Greater(t, dot(v[4], v[6]), 0.3, "words that share pieces are similar")
}

func FuzzHash(f *testing.F) {
	for _, seed := range []string{"hello", "\xff\xfe", "\u0301", " ", "日本語"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		llmtest.SurvivesLocal(t, local.Hash{}, local.HashDimensions, text)
	})
}

func BenchmarkHash(b *testing.B) {
	call := asking("The quick brown fox jumps over the lazy dog.")
	for b.Loop() {
		if _, err := (local.Hash{}).Embed(b.Context(), call); err != nil {
			b.Fatal(err)
		}
	}
}
