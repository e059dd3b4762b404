package llm

import "math"

// CheckVectors checks what an embeddings provider answered: as many vectors as texts, all of one length (want, when it
// is not 0), every number finite, none of them all zeros (a zero vector has no direction, so no similarity can be
// computed with it).
func CheckVectors(provider string, vectors [][]float32, texts, want int) error {
	if len(vectors) != texts {
		return BadAnswer(provider, "%d vectors for %d texts", len(vectors), texts)
	}
	for i, v := range vectors {
		switch {
		case len(v) == 0:
			return BadAnswer(provider, "vector %d is empty", i)
		case len(v) != len(vectors[0]):
			return BadAnswer(provider, "vector %d has %d dimensions, vector 0 has %d", i, len(v), len(vectors[0]))
		case want > 0 && len(v) != want:
			return Refuse(provider, "asked for %d dimensions, it answers with %d", want, len(v))
		}
		zero := true
		for _, f := range v {
			if math.IsNaN(float64(f)) || math.IsInf(float64(f), 0) {
				return BadAnswer(provider, "vector %d holds a number that is not finite", i)
			}
			zero = zero && f == 0
		}
		if zero {
			return BadAnswer(provider, "vector %d is all zeros", i)
		}
	}
	return nil
}
