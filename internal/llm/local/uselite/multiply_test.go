package uselite_test

import (
	"math/rand/v2"
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
		for name, tile := range map[string]func([]float32, []byte, *uselite.Sums){"machine's": uselite.Tile, "plain": uselite.TilePlain} {
			sums := uselite.Sums{0: 7} // is overwritten
			tile(x, columns, &sums)
			for i := range want {
				require.InDelta(t, want[i], sums[i], 0.05, "%s, n=%d, sum %d", name, n, i)
			}
		}
	}
}
