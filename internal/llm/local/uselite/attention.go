package uselite

import (
	"math"

	"github.com/neuron7x/mlsdm-integrations/internal/llm/local/uselite/weights"
)

// attend makes, of qkv, what each row takes from the rows of its window, head beside head, and leaves it in heads.
func (r *run) attend(width, begin, end int) {
	size := width / weights.Heads
	scale := 1 / math.Sqrt(float64(size))
	for _, s := range r.segments {
		for row := max(begin, s.begin); row < min(end, s.end); row++ {
			for at := 0; at < width; at += size {
				query := r.qkv[row*3*width+at:][:size]
				var shares [maxTokens]float32
				r.share(query, shares[:s.end-s.begin], s.begin*3*width+width+at, 3*width, scale)
				r.collect(shares[:s.end-s.begin], r.heads[row*width+at:][:size], s.begin*3*width+2*width+at, 3*width)
			}
		}
	}
}

// share sets how much of each row a query asks for, 1 in all. The first of their keys begins at first, the others follow by stride.
func (r *run) share(query, shares []float32, first, stride int, scale float64) {
	most := math.Inf(-1)
	for i := range shares {
		shares[i] = dot(query, r.qkv[first+i*stride:][:len(query)])
		most = max(most, float64(shares[i]))
	}
	sum := 0.0
	for i, v := range shares {
		e := math.Exp((float64(v) - most) * scale)
		shares[i] = float32(e)
		sum += e
	}
	part := float32(1 / sum)
	for i := range shares {
		shares[i] *= part
	}
}

// collect adds up the rows' values by their shares.
func (r *run) collect(shares, to []float32, first, stride int) {
	clear(to)
	for i, share := range shares {
		value := r.qkv[first+i*stride:][:len(to)]
		for j, v := range value {
			to[j] += share * v
		}
	}
}

// dot multiplies two vectors whose length is a multiple of 4. Four sums do not wait for each other.
func dot(a, b []float32) float32 {
	var s0, s1, s2, s3 float32
	for len(a) >= 4 && len(b) >= 4 {
		s0 += a[0] * b[0]
		s1 += a[1] * b[1]
		s2 += a[2] * b[2]
		s3 += a[3] * b[3]
		a, b = a[4:], b[4:]
	}
	return s0 + s1 + (s2 + s3)
}

// standardise gives each row the mean 0 and the variance 1, and then the layer's own scale and bias.
func standardise(n *weights.Norm, x, y []float32, begin, end int) {
	const epsilon = 1e-6
	width := len(n.Scale)
	for row := begin; row < end; row++ {
		from, to := x[row*width:][:width], y[row*width:][:width]
		var mean, variance float32
		for _, v := range from {
			mean += v
		}
		mean /= float32(width)
		for _, v := range from {
			variance += (v - mean) * (v - mean)
		}
		scale := float32(1 / math.Sqrt(float64(variance/float32(width))+epsilon))
		for j, v := range from {
			to[j] = (v-mean)*scale*n.Scale[j] + n.Bias[j]
		}
	}
}
