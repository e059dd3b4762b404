package uselite

import (
	"iter"
	"math"
)

const (
	// maxTokens is how many tokens the encoder was made for.
	maxTokens = 128
	// overlap is how many tokens of a window are in the one before as well.
	overlap = 32
)

// windows cuts the tokens of a text into lists of at most maxTokens.
func windows(tokens []int32) iter.Seq[[]int32] {
	return func(yield func([]int32) bool) {
		for {
			window := tokens[:min(len(tokens), maxTokens)]
			if !yield(window) || len(window) == len(tokens) {
				return
			}
			tokens = tokens[maxTokens-overlap:]
		}
	}
}

// normalise gives a vector the length 1.
func normalise(v []float32) {
	sum := 1e-12 // keeps zeros from becoming no numbers
	for _, f := range v {
		sum += float64(f) * float64(f)
	}
	scale := float32(1 / math.Sqrt(sum))
	for i := range v {
		v[i] *= scale
	}
}
