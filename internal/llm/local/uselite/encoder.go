package uselite

import (
	"context"
	"math"
	"sync"

	"github.com/neuron7x/mlsdm-integrations/internal/llm/local/uselite/weights"
)

// encoder is the transformer.
type encoder struct {
	*weights.Model
	// positions is what is added to the vector of a token for where it stands in its text.
	positions []float32
	runs      sync.Pool // of *run
}

// newEncoder makes the encoder of weights.
func newEncoder(w *weights.Model) *encoder {
	e := &encoder{Model: w, positions: make([]float32, maxTokens*weights.Narrow)}
	for i := range maxTokens {
		row := e.positions[i*weights.Narrow:]
		for j, f := range w.Frequencies {
			sin, cos := math.Sincos(float64(i) * float64(f))
			row[j], row[len(w.Frequencies)+j] = float32(sin), float32(cos)
		}
	}
	return e
}

// run collects texts until there are maxTokens tokens, and then encodes them at once: a product with a matrix costs less for a token,
// the more tokens there are. Its memory, 2.6 MB, serves one call after the other.
type run struct {
	*encoder
	segments []segment
	rows     int

	// hidden has a row for each token, as wide as the layer's input; spare is its like.
	hidden, spare []float32
	// work is a standardised row. heads is what the attention makes. qkv and inner are what the matrices QKV and Up make. No buffer has
	// rows of two widths in one step, in which one processor could write where another reads.
	work, heads, qkv, inner []float32
}

// segment is a text's place in the rows, and where its vector goes.
type segment struct {
	begin, end int
	vector     []float32
}

func newRun(e *encoder) *run {
	wide := func(n int) []float32 { return make([]float32, maxTokens*n) }
	return &run{
		encoder: e, hidden: wide(weights.Wide), spare: wide(weights.Wide), work: wide(weights.Wide), heads: wide(weights.Wide),
		qkv: wide(3 * weights.Wide), inner: wide(weights.Inner),
	}
}

// start begins the run of a call.
func (e *encoder) start() *run {
	if r, ok := e.runs.Get().(*run); ok {
		return r
	}
	return newRun(e)
}

// release gives the memory back.
func (r *run) release() {
	clear(r.segments) // the vectors are the caller's
	r.segments, r.rows = r.segments[:0], 0
	r.runs.Put(r)
}

// add takes the tokens of a text in, of which there are 1 to maxTokens. Its vector is written later, at the latest when the run is flushed.
func (r *run) add(ctx context.Context, tokens []int32, vector []float32) error {
	if r.rows+len(tokens) > maxTokens {
		if err := r.flush(ctx); err != nil {
			return err
		}
	}
	for i, token := range tokens {
		row := r.hidden[(r.rows+i)*weights.Narrow:][:weights.Narrow]
		position := r.positions[i*weights.Narrow:][:weights.Narrow]
		scale := 2 * r.Scale[token]
		for j, b := range r.Table[int(token)*weights.Narrow:][:weights.Narrow] {
			row[j] = scale*float32(int8(b)) + position[j] //nolint:gosec // it is a signed number
		}
	}
	r.segments = append(r.segments, segment{r.rows, r.rows + len(tokens), vector})
	r.rows += len(tokens)
	return nil
}

// flush encodes the texts that were added.
func (r *run) flush(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if r.rows == 0 {
		return nil
	}
	clear(r.hidden[r.rows*weights.Narrow : padded(r.rows)*weights.Narrow])
	for i := range r.Layers {
		l := &r.Layers[i]
		parallel(r.rows, func(begin, end int) { r.project(l, begin, end) })
		parallel(r.rows, func(begin, end int) { r.mix(l, begin, end) })
		if l.Skip.In > 0 {
			r.hidden, r.spare = r.spare, r.hidden
		}
	}
	r.answer()
	r.segments, r.rows = r.segments[:0], 0
	return nil
}

// project does the part of a layer that makes queries, keys and values of rows.
func (r *run) project(l *weights.Layer, begin, end int) {
	standardise(&l.Before, r.hidden, r.work, begin, end)
	multiply(&l.QKV, r.work, r.qkv, begin, end, false)
}

// mix does the rest of a layer, for which it needs no more of other rows than their keys and values. Its result is in spare where the
// layer changes the width, else in hidden.
func (r *run) mix(l *weights.Layer, begin, end int) {
	r.attend(l.QKV.In, begin, end)
	result := r.hidden
	if l.Skip.In > 0 {
		result = r.spare
		multiply(&l.Skip, r.hidden, result, begin, end, false)
	}
	multiply(&l.Out, r.heads, result, begin, end, true)

	standardise(&l.Between, result, r.work, begin, end)
	multiply(&l.Up, r.work, r.inner, begin, end, false)
	inner := r.inner[begin*weights.Inner : end*weights.Inner]
	for i, v := range inner {
		inner[i] = max(v, 0)
	}
	multiply(&l.Down, r.inner, result, begin, end, true)
}

// answer makes the texts' vectors of their rows.
func (r *run) answer() {
	for i, s := range r.segments {
		mean := r.work[i*weights.Wide:][:weights.Wide]
		clear(mean)
		for row := s.begin; row < s.end; row++ {
			for j, v := range r.hidden[row*weights.Wide:][:weights.Wide] {
				mean[j] += v
			}
		}
		for j := range mean {
			mean[j] /= float32(s.end - s.begin)
		}
	}
	multiply(&r.Head, r.work, r.spare, 0, padded(len(r.segments)), false)
	for i, s := range r.segments {
		for j, v := range r.spare[i*weights.Wide:][:weights.Wide] {
			s.vector[j] = float32(math.Tanh(float64(v)))
		}
		normalise(s.vector)
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
