package uselite_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm/local/uselite"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/local/uselite/weights"
)

func TestTile(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{1, 2, 3, 7, 256, 512, 1536} {
		x, columns := make([]float32, uselite.TileRows*n), make([]byte, weights.Panel*n)
		for i := range x {
			x[i] = float32(random.NormFloat64())
		}
		for i := range columns {
			columns[i] = byte(random.UintN(256))
		}
		var want [uselite.TileRows * weights.Panel]float64
		for i := range uselite.TileRows {
			for j := range weights.Panel {
				for k := range n {
					want[i*weights.Panel+j] += float64(x[i*n+k]) * float64(int8(columns[k*weights.Panel+j]))
				}
			}
		}
		for name, kernel := range uselite.Kernels() {
			sums := uselite.Sums{0: 7} // is overwritten
			kernel.Tile(x, columns, &sums)
			for i := range want {
				require.InDelta(t, want[i], sums[i], 0.05, "%s, n=%d, sum %d", name, n, i)
			}
		}
	}
}

func TestDotsAndBlend(t *testing.T) {
	t.Parallel()
	const stride = uselite.Chunk + 5
	random := rand.New(rand.NewPCG(3, 4))
	numbers := func(n int) []float32 {
		list := make([]float32, n)
		for i := range list {
			list[i] = float32(random.NormFloat64())
		}
		return list
	}
	for _, n := range []int{1, 2, 3, 127, 128} {
		query, shares := numbers(uselite.Chunk), numbers(n)
		rows := numbers((n-1)*stride + uselite.Chunk) // to the last number
		dots, blend := make([]float64, n), make([]float64, uselite.Chunk)
		for i := range n {
			dots[i] = float64(shares[i])
			for j := range uselite.Chunk {
				dots[i] += float64(query[j]) * float64(rows[i*stride+j])
				blend[j] += float64(shares[i]) * float64(rows[i*stride+j])
			}
		}
		for name, kernel := range uselite.Kernels() {
			got := slices.Clone(shares)
			kernel.Dots(query, rows, stride, got)
			for i := range dots {
				require.InDelta(t, dots[i], got[i], 1e-4, "%s, n=%d, share %d", name, n, i)
			}
			got = numbers(uselite.Chunk) // is overwritten
			kernel.Blend(shares, rows, stride, got)
			for i := range blend {
				require.InDelta(t, blend[i], got[i], 1e-4, "%s, n=%d, number %d", name, n, i)
			}
		}
	}
}
