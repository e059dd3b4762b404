package weights_test

import (
	"bytes"
	"math"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm/local/uselite/weights"
)

func read(t *testing.T) (file []byte, model *weights.Model) {
	t.Helper()
	file, err := os.ReadFile("../use-lite-512.bin")
	require.NoError(t, err)
	model, err = weights.Read(file)
	require.NoError(t, err)
	return file, model
}

func TestWhatIsReadIsWritten(t *testing.T) {
	t.Parallel()
	file, model := read(t)
	again, err := model.Append(nil)
	require.NoError(t, err)
	require.True(t, bytes.Equal(file, again))
}

func TestNumbersAreFinite(t *testing.T) {
	t.Parallel()
	_, m := read(t)
	lists := [][]float32{m.Scale, m.Frequencies, m.Head.Scale, m.Head.Bias}
	for _, l := range m.Layers {
		lists = append(lists, l.Before.Scale, l.Before.Bias, l.Between.Scale, l.Between.Bias)
		for _, x := range []weights.Matrix{l.QKV, l.Out, l.Skip, l.Up, l.Down} {
			lists = append(lists, x.Scale, x.Bias)
		}
	}
	for i, list := range lists {
		for _, f := range list {
			require.Less(t, math.Abs(float64(f)), 100.0, "list %d", i)
		}
	}
}

func TestBrokenFilesAreRefused(t *testing.T) {
	t.Parallel()
	file, _ := read(t)
	other := func(at int, b ...byte) []byte {
		c := bytes.Clone(file)
		copy(c[at:], b)
		return c
	}
	for name, c := range map[string]struct {
		file []byte
		says string
	}{
		"empty":                  {nil, "too short"},
		"begin":                  {file[:10], "too short"},
		"cut in the vocabulary":  {file[:1000], "too short"},
		"cut in the table":       {file[:200_000], "too short"},
		"cut at the end":         {file[:len(file)-1], "too short"},
		"longer":                 {append(bytes.Clone(file), 0), "1 bytes behind the end"},
		"another file":           {other(0, 'G', 'G', 'U', 'F'), "begins with"},
		"no pieces":              {other(8, 0, 0, 0, 0), "0 pieces"},
		"too many pieces":        {other(8, 255, 255, 255, 255), "4294967295 pieces"},
		"more pieces than there": {other(8, 0x41, 0x1f, 0, 0), "too short"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := weights.Read(c.file)
			require.ErrorContains(t, err, "read weights: ")
			require.ErrorContains(t, err, c.says)
		})
	}
}

func TestIncompleteModelsAreNotWritten(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*weights.Model){
		"no pieces":       func(m *weights.Model) { m.Pieces = nil },
		"too many pieces": func(m *weights.Model) { m.Pieces = make([]weights.Piece, weights.Rows+1) },
		"long piece":      func(m *weights.Model) { m.Pieces[7].Text = string(make([]byte, 256)) },
		"short table":     func(m *weights.Model) { m.Table = m.Table[1:] },
		"wide norm":       func(m *weights.Model) { m.Layers[1].Between.Bias = make([]float32, 513) },
		"no head":         func(m *weights.Model) { m.Head = weights.Matrix{} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, model := read(t)
			change(model)
			_, err := model.Append(nil)
			require.ErrorContains(t, err, "write weights: ")
		})
	}
}

func TestRounding(t *testing.T) {
	t.Parallel()
	const in, out = 3, 32
	numbers, bias := make([]float32, in*out), make([]float32, out)
	for j := range out {
		numbers[j], numbers[out+j], numbers[2*out+j] = float32(j), float32(-2*j), 0.5
		bias[j] = float32(j)
	}
	m := weights.NewMatrix(in, numbers, bias)
	require.Equal(t, bias, m.Bias)
	for j := range out {
		columns := m.Columns(j / weights.Panel)
		for k := range in {
			got := m.Scale[j] * float32(int8(columns[k*weights.Panel+j%weights.Panel]))
			require.InDelta(t, numbers[k*out+j], got, math.Max(2*float64(j), 0.5)/127/2+1e-6, "row %d, column %d", k, j)
		}
	}

	scale, table := weights.NewTable(2, []float32{0, 0, -1, 0.5})
	require.Zero(t, scale[0], "zeros stay zeros")
	require.InDelta(t, -1, scale[1]*float32(int8(table[2])), 0.005)
	require.InDelta(t, 0.5, scale[1]*float32(int8(table[3])), 0.005)
}

// One number that is far from all others must not cost the others their exactness.
func TestRoundingCutsOffWhatIsRare(t *testing.T) {
	t.Parallel()
	const n = 4096
	numbers := make([]float32, n)
	for i := range numbers {
		numbers[i] = float32(math.Sin(float64(i)))
	}
	numbers[7] = 1.2
	scale, _ := weights.NewTable(n, numbers)
	require.Less(t, scale[0], float32(1.2/127))
}
