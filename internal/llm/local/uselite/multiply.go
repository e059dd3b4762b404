package uselite

import (
	"runtime"
	"sync"

	"github.com/neuron7x/mlsdm-integrations/internal/llm/local/uselite/weights"
)

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
