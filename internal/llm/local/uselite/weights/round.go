package weights

import "math"

// NewMatrix rounds a matrix of in rows and len(bias) columns, row by row, to 8 bits and puts it into panels.
func NewMatrix(in int, numbers, bias []float32) Matrix {
	out := len(bias)
	m := Matrix{In: in, Out: out, Bias: bias, Scale: make([]float32, out), Data: make([]byte, in*out)}
	for j := range out {
		m.Scale[j] = round(numbers[j:], out, m.Columns(j / Panel)[j%Panel:], Panel, in)
	}
	return m
}

// NewTable rounds a table of vectors of width numbers, with one scale for each.
func NewTable(width int, numbers []float32) (scale []float32, table []byte) {
	table = make([]byte, len(numbers))
	for i := 0; i < len(numbers); i += width {
		scale = append(scale, round(numbers[i:], 1, table[i:], 1, width))
	}
	return scale, table
}

// round rounds n numbers to multiples of the scale that it returns: from -127 to 127 of them. Scales are tried for which the largest
// numbers are beyond that, and the one with the least sum of squared differences is taken. The numbers are apart by fromStep, what they
// become by toStep. Products are converted so that they are not fused with sums, which would make a difference between machines.
func round(from []float32, fromStep int, to []byte, toStep, n int) (scale float32) {
	largest := 0.0
	for k := range n {
		largest = max(largest, math.Abs(float64(from[k*fromStep])))
	}
	if largest == 0 {
		return 0
	}
	least := math.Inf(1)
	for percent := 100; percent >= 60; percent-- {
		candidate := float32(largest / 127 * float64(percent) / 100)
		sum := 0.0
		for k := range n {
			f := float64(from[k*fromStep])
			miss := f - float64(nearest(f, candidate)*float64(candidate))
			sum += float64(miss * miss)
		}
		if sum < least {
			least, scale = sum, candidate
		}
	}
	for k := range n {
		to[k*toStep] = byte(int8(nearest(float64(from[k*fromStep]), scale))) //nolint:gosec // the sign is kept: it is read as an int8
	}
	return scale
}

// nearest is the multiple of scale, from -127 to 127, that is nearest to f.
func nearest(f float64, scale float32) float64 {
	return max(-127, min(127, math.Round(f/float64(scale))))
}
