package uselite

import (
	"runtime"
	"sync"

	"github.com/neuron7x/mlsdm-integrations/internal/llm/local/uselite/weights"
)

// tileRows is how many rows a tile has: rows are worked on in multiples of it.
const tileRows = 4

// sums is what a tile comes to: tileRows rows of weights.Panel columns.
type sums [tileRows * weights.Panel]float32

// padded is the number of rows that rows fill.
func padded(rows int) int { return (rows + tileRows - 1) / tileRows * tileRows }

// parallel calls f for parts of the rows, padded, on all processors at once.
func parallel(rows int, f func(begin, end int)) {
	tiles := padded(rows) / tileRows
	parts := min(runtime.GOMAXPROCS(0), tiles)
	var group sync.WaitGroup
	for i := 1; i < parts; i++ {
		group.Go(func() { f(i*tiles/parts*tileRows, (i+1)*tiles/parts*tileRows) })
	}
	f(0, tiles/parts*tileRows)
	group.Wait()
}

// multiply sets rows of y to those of x times a matrix, or adds them.
func multiply(m *weights.Matrix, x, y []float32, begin, end int, add bool) {
	var s sums
	for panel := range m.Out / weights.Panel {
		columns := m.Columns(panel)
		scale := m.Scale[panel*weights.Panel:][:weights.Panel]
		bias := m.Bias[panel*weights.Panel:][:weights.Panel]
		for row := begin; row < end; row += tileRows {
			tile(x[row*m.In:(row+tileRows)*m.In], columns, &s)
			for i := range tileRows {
				to := y[(row+i)*m.Out+panel*weights.Panel:][:weights.Panel]
				from := s[i*weights.Panel:][:weights.Panel]
				if add {
					for j, v := range from {
						to[j] += v*scale[j] + bias[j]
					}
				} else {
					for j, v := range from {
						to[j] = v*scale[j] + bias[j]
					}
				}
			}
		}
	}
}

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
