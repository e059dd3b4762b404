// Package shape gives vectors the length that is asked for: how many numbers, and how long in space.
package shape

import "math"

// near is how far the square of a vector's length may be from 1 for it to be left as it came: what providers normalise themselves is off
// by rounding only, and stays bit for bit what they sent.
const near = 1e-5

// Normalize returns a vector of length 1 (L2) in the same direction: the vector itself if it is one already, or a copy. It reports false
// if there is no such vector: all numbers are zero, or one is not finite.
func Normalize(v []float32) ([]float32, bool) {
	square := 0.0
	for _, f := range v {
		square += float64(f) * float64(f)
	}
	switch {
	case math.Abs(square-1) <= near:
		return v, true
	case square == 0 || math.IsNaN(square) || math.IsInf(square, 0):
		return nil, false
	}
	scale := 1 / math.Sqrt(square)
	unit := make([]float32, len(v))
	for i, f := range v {
		unit[i] = float32(float64(f) * scale)
	}
	return unit, true
}

// Cut returns the first n numbers of a vector of a Matryoshka model (https://arxiv.org/abs/2205.13147), which are a vector by themselves.
// They have another length than the whole: see [Normalize]. It returns a vector that is no longer as it is.
func Cut(v []float32, n int) []float32 {
	if len(v) <= n {
		return v
	}
	return v[:n:n]
}
