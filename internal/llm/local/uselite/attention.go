package uselite

import (
	"math"
	"slices"

	"github.com/neuron7x/mlsdm-integrations/internal/llm/local/uselite/weights"
)

// attend makes, of qkv, what each row takes from the rows of its text, head beside head, and leaves it in heads.
func (r *run) attend(width, begin, end int) {
	size := width / weights.Heads
	stride := 3 * width
	scale := 1 / math.Sqrt(float64(size))
	var room [maxTokens]float32
	for _, s := range r.segments {
		shares := room[:s.end-s.begin]
		keys, values := r.qkv[s.begin*stride+width:], r.qkv[s.begin*stride+2*width:]
		for row := max(begin, s.begin); row < min(end, s.end); row++ {
			queries, to := r.qkv[row*stride:], r.heads[row*width:]
			for head := 0; head < width; head += size {
				clear(shares)
				for at := head; at < head+size; at += chunk {
					dots(queries[at:], keys[at:], stride, shares)
				}
				softmax(shares, scale)
				for at := head; at < head+size; at += chunk {
					blend(shares, values[at:], stride, to[at:])
				}
			}
		}
	}
}

// softmax makes shares, 1 in all, of numbers times scale.
func softmax(list []float32, scale float64) {
	most := float64(slices.Max(list))
	sum := 0.0
	for i, v := range list {
		e := math.Exp((float64(v) - most) * scale)
		list[i] = float32(e)
		sum += e
	}
	part := float32(1 / sum)
	for i := range list {
		list[i] *= part
	}
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
