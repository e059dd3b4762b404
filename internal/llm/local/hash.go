// Package local holds the models that need no provider: they run in the process, cost nothing and always give the same
// answer. They are for trying things out, for tests, and for the day on which no provider can be reached. Neither of the two
// in this package understands language; the sentence encoder of package uselite does.
package local

import (
	"context"
	"hash/fnv"
	"math"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Provider is the provider name of the models of this package.
const Provider = "local"

// HashModel is the name of the embedding model of [Hash], and HashDimensions the length of its vectors.
const (
	HashModel      = "hash-384"
	HashDimensions = 384
)

// Hash embeds texts by feature hashing ("the hashing trick"): texts that share words, or pieces of words, get similar
// vectors. It knows nothing of meaning: "car" and "automobile" have nothing in common.
//
// The algorithm is fixed; the same text has the same vector on every machine and in every version:
//
//  1. The text is normalised to NFKC and lower case and cut into words: runs of letters, marks and digits. A text
//     without any is one word as a whole, without its white space.
//  2. The features are the words, with weight 1, and the trigrams of each word with a "<" before and a ">" behind it,
//     with weight 1/2.
//  3. Each feature is hashed (FNV-1a of 64 bits over "w" or "t" and the feature, mixed by MurmurHash3's finalizer h).
//     Its weight is added to the dimension h mod 384, negated when the top bit of h is set.
//  4. The vector is divided by its Euclidean length.
//
// Tokens are words, of which it reads all. A text of white space only is refused.
type Hash struct{}

var _ llm.EmbedAdapter = Hash{}

// Embed implements [llm.EmbedAdapter].
func (Hash) Embed(ctx context.Context, call *llm.EmbedCall) (*llm.Embedded, error) {
	if err := CheckDimensions(call, HashModel, HashDimensions); err != nil {
		return nil, err
	}
	if err := call.RefuseOutput(Provider); err != nil {
		return nil, err
	}
	if err := call.RefuseTokens(Provider); err != nil {
		return nil, err
	}
	out := &llm.Embedded{Vectors: make([][]float32, len(call.Texts)), Tokens: make([]int, len(call.Texts))}
	for i, text := range call.Texts {
		if ctx.Err() != nil {
			return nil, Ended(context.Cause(ctx))
		}
		list := words(text)
		if len(list) == 0 {
			return nil, NoText()
		}
		out.Vectors[i], out.Tokens[i] = vector(list), len(list)
		out.PromptTokens += len(list)
	}
	return out, nil
}

// EmbedLimits implements [llm.EmbedAdapter].
func (Hash) EmbedLimits(context.Context, string, secret.Value) (llm.EmbedLimits, error) {
	return llm.EmbedLimits{Items: events.MaxInputs}, nil
}

// words does step 1.
func words(text string) []string {
	text = strings.ToLower(norm.NFKC.String(text))
	list := strings.FieldsFunc(text, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r)
	})
	if len(list) == 0 {
		if whole := strings.Join(strings.Fields(text), ""); whole != "" {
			return []string{whole}
		}
	}
	return list
}

// vector does steps 2 to 4.
func vector(words []string) []float32 {
	var sums [HashDimensions]float64 // multiples of 1/2: exact, so the order of adding does not matter
	for _, word := range words {
		add(&sums, "w", word, 1)
		runes := []rune("<" + word + ">")
		for i := range len(runes) - 2 {
			add(&sums, "t", string(runes[i:i+3]), 0.5)
		}
	}
	length := 0.0
	for _, s := range sums {
		length += s * s // exact as well
	}
	if length == 0 { // every feature met its opposite; the text still needs a direction
		sums[mix("z", strings.Join(words, " "))%HashDimensions], length = 1, 1
	}
	length = math.Sqrt(length)
	out := make([]float32, HashDimensions)
	for i, s := range sums {
		out[i] = float32(s / length)
	}
	return out
}

// add does step 3 for one feature.
func add(sums *[HashDimensions]float64, kind, feature string, weight float64) {
	h := mix(kind, feature)
	if h>>63 == 1 {
		weight = -weight
	}
	sums[h%HashDimensions] += weight
}

// mix hashes one feature.
func mix(kind, feature string) uint64 {
	f := fnv.New64a()
	// The Write of a hash never fails.
	_, _ = f.Write([]byte(kind))
	_, _ = f.Write([]byte(feature))
	h := f.Sum64()
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	h ^= h >> 33
	return h
}
