package openai

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

func FuzzDecodeVector(f *testing.F) {
	for _, seed := range []string{`[1,2]`, `"AACAPw=="`, `"AACAP\/8="`, `null`, `[1,null]`, `["a"]`, `"`, ``, `[1e39]`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		got, err := decodeVector(raw)
		var want events.Vector
		if json.Unmarshal(raw, &want) != nil {
			return // the contract's own decoder is the stricter one about numbers, and knows JSON escapes
		}
		if err == nil && len(want.Values) > 0 {
			require.Equal(t, want.Values, got)
		}
	})
}

func BenchmarkDecodeVector(b *testing.B) {
	values := make([]float32, 1536)
	for i := range values {
		values[i] = float32(math.Sin(float64(i)))
	}
	for _, base64 := range []bool{false, true} {
		raw, err := json.Marshal(events.Vector{Values: values, Base64: base64})
		require.NoError(b, err)
		name := "numbers"
		if base64 {
			name = "base64"
		}
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(raw)))
			for b.Loop() {
				if _, err := decodeVector(raw); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
