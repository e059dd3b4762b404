package shape_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/services/embedder/internal/shape"
)

func TestNormalize(t *testing.T) {
	t.Parallel()
	for name, v := range map[string][]float32{
		"long": {3, 4}, "short": {1e-20, 2e-20, -3e-20}, "huge": {math.MaxFloat32, math.MaxFloat32}, "tiny": {math.SmallestNonzeroFloat32},
	} {
		unit, ok := shape.Normalize(v)
		require.True(t, ok, name)
		sum := 0.0
		for i, f := range unit {
			sum += float64(f) * float64(f)
			require.Equal(t, math.Signbit(float64(v[i])), math.Signbit(float64(f)), name)
		}
		require.InDelta(t, 1, sum, 1e-6, name)
	}
	before := []float32{3, 4}
	unit, _ := shape.Normalize(before)
	require.Equal(t, []float32{0.6, 0.8}, unit)
	require.Equal(t, []float32{3, 4}, before, "it may be somebody else's too")
	same := []float32{0.6, 0.8}
	unit, _ = shape.Normalize(same)
	require.Same(t, &same[0], &unit[0], "bit for bit what came")
	for _, bad := range [][]float32{nil, {0, 0}, {float32(math.NaN()), 1}, {float32(math.Inf(1))}} {
		_, ok := shape.Normalize(bad)
		require.False(t, ok, bad)
	}
}

func TestCut(t *testing.T) {
	t.Parallel()
	v := []float32{1, 2, 3}
	require.Equal(t, []float32{1, 2}, shape.Cut(v, 2))
	require.Equal(t, 2, cap(shape.Cut(v, 2)), "what is appended to it does not land in the rest")
	require.Equal(t, v, shape.Cut(v, 3))
	require.Equal(t, v, shape.Cut(v, 4))
}
