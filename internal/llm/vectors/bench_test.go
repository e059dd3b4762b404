package vectors_test

import (
	"math"
	"strconv"
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/neuron7x/mlsdm-integrations/internal/llm/vectors"
)

// BenchmarkLists reads 32 vectors of 1024 numbers, and for comparison the same without knowing what it is.
func BenchmarkLists(b *testing.B) {
	const texts, dimensions = 32, 1024
	text := []byte{'['}
	for i := range texts {
		text = append(text, '[')
		for j := range dimensions {
			text = strconv.AppendFloat(text, math.Sin(float64(i*dimensions+j))/30, 'g', 9, 64)
			text = append(text, ',')
		}
		text[len(text)-1] = ']'
		text = append(text, ',')
	}
	text[len(text)-1] = ']'
	b.Run("lists", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			l := vectors.Lists{Most: texts}
			if err := json.Unmarshal(text, &l); err != nil || l.Err != nil {
				b.Fatal(err, l.Err)
			}
		}
		b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/texts, "µs/text")
	})
	b.Run("reflection", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var l [][]float32
			if err := json.Unmarshal(text, &l); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/texts, "µs/text")
	})
}
