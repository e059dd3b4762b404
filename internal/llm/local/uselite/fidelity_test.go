package uselite_test

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm/local/uselite"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/local/uselite/weights"
)

// reference is a text with the tokens and the vector that the original weights give it.
type reference struct {
	text, tokens string
	vector       []float32
}

// references reads testdata/float32.tsv.
func references(t *testing.T) []reference {
	t.Helper()
	var list []reference
	for _, fields := range table(t, "testdata/float32.tsv") {
		raw, err := base64.StdEncoding.DecodeString(fields[2])
		require.NoError(t, err)
		r := reference{fields[0], fields[1], make([]float32, uselite.Dimensions)}
		_, err = binary.Decode(raw, binary.LittleEndian, r.vector)
		require.NoError(t, err)
		list = append(list, r)
	}
	return list
}

// table reads lines of three fields with tabs between them.
func table(t *testing.T, name string) (rows [][]string) {
	t.Helper()
	b, err := os.ReadFile(name)
	require.NoError(t, err)
	for line := range strings.Lines(string(b)) {
		fields := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		require.Len(t, fields, 3)
		rows = append(rows, fields)
	}
	return rows
}

func TestWeightsAreThoseThatTheToolWrites(t *testing.T) {
	t.Parallel()
	file, err := os.ReadFile("use-lite-512.bin")
	require.NoError(t, err)
	sum := sha256.Sum256(file)
	require.Equal(t, weights.SHA256, hex.EncodeToString(sum[:]), "run `make weights`")
}

func TestNotice(t *testing.T) {
	t.Parallel()
	require.Contains(t, uselite.Notice(), "Universal Sentence Encoder Lite")
	require.Contains(t, uselite.Notice(), "Apache License\n                           Version 2.0")
}

func TestTokensAreThoseOfTheReference(t *testing.T) {
	t.Parallel()
	var model uselite.Model
	for _, r := range references(t) {
		tokens, err := model.Tokens(t.Context(), r.text)
		require.NoError(t, err)
		require.Equal(t, r.tokens, strings.Trim(fmt.Sprint(tokens), "[]"), r.text)
	}
}

func TestVectorsAreNearThoseOfTheOriginalWeights(t *testing.T) {
	t.Parallel()
	list := references(t)
	require.Len(t, list, 50)
	worst := 1.0
	for i, v := range embed(t, new(uselite.Model), texts(list)...) {
		require.InDelta(t, 1, dot(v, v), 1e-5)
		worst = min(worst, dot(v, list[i].vector))
		require.Greater(t, dot(v, list[i].vector), 0.999, list[i].text)
	}
	t.Logf("worst cosine: %.5f", worst)
}

func TestRankingIsThatOfTheOriginalWeights(t *testing.T) {
	t.Parallel()
	list := references(t)
	vectors := embed(t, new(uselite.Model), texts(list)...)
	var people, original, ours []float64
	for _, fields := range table(t, "testdata/pairs.tsv") {
		var a, b int
		var score float64
		_, err := fmt.Sscan(strings.Join(fields, " "), &a, &b, &score)
		require.NoError(t, err)
		people = append(people, score)
		original = append(original, dot(list[a-1].vector, list[b-1].vector))
		ours = append(ours, dot(vectors[a-1], vectors[b-1]))
	}
	t.Logf("rank correlation of %d pairs with a reader: %.4f, with the original weights: %.4f", len(people),
		spearman(people, ours), spearman(people, original))
	require.InDelta(t, spearman(people, original), spearman(people, ours), 0.01)
	require.Greater(t, spearman(people, ours), 0.7)
	require.Greater(t, spearman(original, ours), 0.99)
}

func texts(list []reference) []string {
	texts := make([]string, len(list))
	for i, r := range list {
		texts[i] = r.text
	}
	return texts
}

// spearman is the correlation of two lists' ranks, where equals share theirs.
func spearman(a, b []float64) float64 {
	a, b = ranks(a), ranks(b)
	mean := float64(len(a)-1) / 2
	var ab, aa, bb float64
	for i := range a {
		ab += (a[i] - mean) * (b[i] - mean)
		aa += (a[i] - mean) * (a[i] - mean)
		bb += (b[i] - mean) * (b[i] - mean)
	}
	return ab / math.Sqrt(aa*bb)
}

func ranks(list []float64) []float64 {
	order := make([]int, len(list))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int { return cmp.Compare(list[i], list[j]) })
	out := make([]float64, len(list))
	for begin := 0; begin < len(order); {
		end := begin + 1
		for end < len(order) && list[order[end]] == list[order[begin]] {
			end++
		}
		for _, i := range order[begin:end] {
			out[i] = float64(begin+end-1) / 2
		}
		begin = end
	}
	return out
}
