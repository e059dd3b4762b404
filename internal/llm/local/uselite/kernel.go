package uselite

import "github.com/neuron7x/mlsdm-integrations/internal/llm/local/uselite/weights"

// This file holds the three loops in which all the time is spent, as every machine can run them.

const (
	// tileRows is how many rows a tile has: rows are worked on in multiples of it.
	tileRows = 4
	// chunk is how many numbers of a row the attention takes at once; the heads of both layers are multiples of it.
	chunk = 64
)

// sums is what a tile comes to: tileRows rows of weights.Panel columns.
type sums [tileRows * weights.Panel]float32

// tilePlain multiplies tileRows rows, which stand one behind the other in x, by a panel of columns.
func tilePlain(x []float32, columns []byte, s *sums) {
	n := len(x) / tileRows
	x0, x1, x2, x3 := x[:n], x[n:2*n], x[2*n:3*n], x[3*n:4*n]
	for j := 0; j < weights.Panel; j += 2 {
		var s00, s01, s10, s11, s20, s21, s30, s31 float32
		for k, w := 0, columns[j:]; k < len(x0) && k < len(x1) && k < len(x2) && k < len(x3); k++ {
			w0, w1 := float32(int8(w[0])), float32(int8(w[1])) //nolint:gosec // they are signed numbers
			s00, s01 = s00+x0[k]*w0, s01+x0[k]*w1
			s10, s11 = s10+x1[k]*w0, s11+x1[k]*w1
			s20, s21 = s20+x2[k]*w0, s21+x2[k]*w1
			s30, s31 = s30+x3[k]*w0, s31+x3[k]*w1
			w = w[min(weights.Panel, len(w)):]
		}
		s[j], s[j+1] = s00, s01
		s[weights.Panel+j], s[weights.Panel+j+1] = s10, s11
		s[2*weights.Panel+j], s[2*weights.Panel+j+1] = s20, s21
		s[3*weights.Panel+j], s[3*weights.Panel+j+1] = s30, s31
	}
}

// dotsPlain adds to each share the product of the query with its key. Query and keys are chunks; the keys are stride apart.
func dotsPlain(query, keys []float32, stride int, shares []float32) {
	query = query[:chunk]
	for i := range shares {
		key := keys[i*stride:][:chunk]
		var s0, s1, s2, s3 float32 // four sums do not wait for each other
		for j := 0; j < chunk; j += 4 {
			s0 += query[j] * key[j]
			s1 += query[j+1] * key[j+1]
			s2 += query[j+2] * key[j+2]
			s3 += query[j+3] * key[j+3]
		}
		shares[i] += s0 + s1 + (s2 + s3)
	}
}

// blendPlain sets a chunk to the sum of the values, each times its share. The values are stride apart.
func blendPlain(shares, values []float32, stride int, to []float32) {
	to = to[:chunk]
	clear(to)
	for i, share := range shares {
		for j, v := range values[i*stride:][:chunk] {
			to[j] += share * v
		}
	}
}
