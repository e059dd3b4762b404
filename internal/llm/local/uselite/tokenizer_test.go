package uselite_test

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm/local/uselite"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/local/uselite/weights"
)

// vocabulary is that of the file.
func vocabulary(t testing.TB) []weights.Piece {
	t.Helper()
	file, err := os.ReadFile("use-lite-512.bin")
	require.NoError(t, err)
	w, err := weights.Read(file)
	require.NoError(t, err)
	return w.Pieces
}

// The tokenizer relies on it.
func TestVocabulary(t *testing.T) {
	t.Parallel()
	pieces := vocabulary(t)
	require.Len(t, pieces, 8000)
	known := map[string]bool{}
	for _, p := range pieces[weights.Reserved:] {
		known[p.Text] = true
	}
	for text := range known {
		require.Zero(t, strings.Count(strings.TrimPrefix(text, "▁"), "▁"), "%q has a space that is not in front", text)
		for _, r := range text {
			require.True(t, known[string(r)], "%q has %q, which is no piece", text, r)
		}
	}
}

func TestPieces(t *testing.T) {
	t.Parallel()
	pieces := vocabulary(t)
	var model uselite.Model
	for text, want := range map[string]string{
		"":                            "",
		"How do I reset my password?": "▁How|▁do|▁I|▁re|set|▁my|▁password|?",
		"日本 語":                        "▁|�|▁|�",
		"a日b日本c":                      "▁a|�|b|�|c",
		"\xff":                        "▁|�",
	} {
		tokens, err := model.Tokens(t.Context(), text)
		require.NoError(t, err)
		list := make([]string, len(tokens))
		for i, token := range tokens {
			list[i] = pieces[token].Text
		}
		require.Equal(t, want, strings.Join(list, "|"))
	}
}

func FuzzTokens(f *testing.F) {
	f.Add("hello world")
	f.Add("\xff\xfe")
	f.Add("日本 a\u0301 ▁ \x00")
	pieces := vocabulary(f)
	var model uselite.Model
	f.Fuzz(func(t *testing.T, text string) {
		tokens, err := model.Tokens(t.Context(), text)
		require.NoError(t, err)
		last := int32(-1)
		for _, token := range tokens {
			require.True(t, token == 0 || int(token) >= weights.Reserved && int(token) < len(pieces))
			require.False(t, token == 0 && last == 0, "a run of unknown characters is one token")
			last = token
		}
	})
}
