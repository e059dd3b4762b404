package moral_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/services/generator/internal/moral"
)

// The table is computed by hand: the share begins at 0.5 and becomes 0.1 x outcome + 0.9 x share; above 0.55 the threshold rises by
// 0.05, below 0.45 it falls.
func TestThreshold(t *testing.T) {
	t.Parallel()
	const a, r = true, false
	state := moral.Fresh(moral.Default())
	require.Equal(t, moral.State{Threshold: 0.5, EMA: 0.5}, state)
	for i, step := range []struct {
		accepted  bool
		ema       float64
		threshold float64
	}{
		{a, 0.55, 0.50}, // at the edge of the band, not above it
		{a, 0.595, 0.55},
		{a, 0.6355, 0.60},
		{r, 0.57195, 0.65},
		{r, 0.514755, 0.65},
		{r, 0.4632795, 0.65},
		{r, 0.41695155, 0.60},
		{r, 0.375256395, 0.55},
		{r, 0.3377307555, 0.50},
		{a, 0.40395767995, 0.45},
		{a, 0.463561911955, 0.45},
		{a, 0.51720572076, 0.45},
		{a, 0.565485148684, 0.50},
	} {
		state = moral.Fold(moral.Default(), state, step.accepted)[0]
		require.Equal(t, step.threshold, state.Threshold, "step %d", i+1) //nolint:testifylint // exactly, or a score of 0.55 would not pass
		require.InDelta(t, step.ema, state.EMA, 1e-11, "step %d", i+1)
		require.EqualValues(t, i+1, state.Count)
	}
}

func TestThresholdKeepsWithinItsBounds(t *testing.T) {
	t.Parallel()
	outcomes := make([]bool, 100)
	low := moral.Fold(moral.Default(), moral.Fresh(moral.Default()), outcomes...)
	require.InDelta(t, 0.30, low[4].Threshold, 1e-12, "after five: 0.5, and four steps down")
	require.InDelta(t, 0.30, low[99].Threshold, 0)
	for i := range outcomes {
		outcomes[i] = true
	}
	high := moral.Fold(moral.Default(), moral.Fresh(moral.Default()), outcomes...)
	require.InDelta(t, 0.85, high[7].Threshold, 1e-12)
	require.InDelta(t, 0.90, high[8].Threshold, 1e-12)
	require.InDelta(t, 0.90, high[99].Threshold, 0)
}

func TestAccepts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		score, threshold float64
		accepts          bool
	}{
		{0.5, 0.5, true},
		{0.4999, 0.5, false},
		{0.9, 0.9, true},
		{0.91, 1, true}, // above the upper bound always, whatever the threshold is said to be
		{1, 1, true},
		{0.29, 0, false}, // below the lower one never
		{0, 0, false},
		{0.3, 0.3, true},
		{0.3, 0.31, false},
	} {
		require.Equal(t, c.accepts, moral.Accepts(moral.Default(), c.score, c.threshold), "%v at %v", c.score, c.threshold)
	}
}
