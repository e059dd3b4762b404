package vectors_test

import (
	"math"
	"strconv"
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/neuron7x/mlsdm-integrations/internal/llm/vectors"
)

// BenchmarkRead1536 reads a vector as long as OpenAI's models have it, in either form.
func BenchmarkRead1536(b *testing.B) {
	list, values := []byte{'['}, make([]float32, 1536)
	for i := range values {
		values[i] = float32(math.Sin(float64(i))) / 40
		list = append(strconv.AppendFloat(list, float64(values[i]), 'g', -1, 32), ',')
	}
	list[len(list)-1] = ']'
	for name, text := range map[string][]byte{"list": list, "base64": []byte(`"` + packed(values...) + `"`)} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				var v vectors.Vector
				if err := json.Unmarshal(text, &v); err != nil || v.Err != nil {
					b.Fatal(err, v.Err)
				}
			}
		})
	}
	b.Run("list, by reflection", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var v []float32
			if err := json.Unmarshal(list, &v); err != nil {
				b.Fatal(err)
			}
		}
	})
}
