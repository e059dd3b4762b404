package embedder

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// TestEncode: what is written without reflection is what encoding/json writes.
func TestEncode(t *testing.T) {
	t.Parallel()
	long := make([]float32, 1000)
	for i := range long {
		long[i] = float32(math.Sin(float64(i))) / float32(i+1)
	}
	values := []float32{0, 1, -0.5, 1e-7, -1.5e-9, 1e21, math.MaxFloat32, math.SmallestNonzeroFloat32, 0.1, 123456.78}
	space := &events.EmbeddingSpace{ID: `a"b/3`, Model: `a"b`, Dimensions: 3, Normalized: true}
	for name, r := range map[string]events.EmbeddingsResponse{
		"nothing": {Data: []events.Embedding{}, Model: "m"},
		"numbers": {Data: []events.Embedding{{Embedding: events.Vector{Values: values}}, {Index: 1, Embedding: events.Vector{Values: long}}}, Model: "local/<m>"},
		"base64": {
			Data:  []events.Embedding{{Embedding: events.Vector{Values: values, Base64: true}}, {Index: 1, Embedding: events.Vector{Values: long, Base64: true}}},
			Model: "m", Usage: events.EmbeddingsUsage{PromptTokens: 3, TotalTokens: 4}, Space: space,
		},
		"items": {
			Data: []events.Embedding{
				{Index: 0, Embedding: events.Vector{Values: values[:1]}, Truncated: &events.Truncation{Tokens: 200, Used: 128}},
				{Index: 1, Error: &events.ErrorBody{Code: events.CodeInvalidArgument, Message: "<no>", Provider: "p"}},
			},
			Model: "m", Failed: 1,
		},
		"object": {Data: []events.Embedding{}, Model: "m", Vectors: &events.VectorsObject{Name: "n", Count: 3, Dimensions: 2, Size: 24}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r.Object = "list"
			for i := range r.Data {
				r.Data[i].Object = "embedding"
			}
			want, err := json.Marshal(r)
			require.NoError(t, err)
			got, written, err := encode(&r, math.MaxInt32, nil)
			require.NoError(t, err)
			require.Len(t, r.Data, written)
			require.JSONEq(t, string(want), string(got))
			var read events.EmbeddingsResponse
			require.NoError(t, json.Unmarshal(got, &read))
			for i := range r.Data { // bit by bit: JSONEq compares float64
				require.Len(t, read.Data[i].Embedding.Values, len(r.Data[i].Embedding.Values))
				for j, f := range r.Data[i].Embedding.Values {
					require.Equal(t, math.Float32bits(f), math.Float32bits(read.Data[i].Embedding.Values[j]))
				}
			}
		})
	}
}

func BenchmarkEncode(b *testing.B) {
	values := make([]float32, 1536)
	for i := range values {
		values[i] = float32(math.Sin(float64(i))) / 40
	}
	for name, packed := range map[string]bool{"float": false, "base64": true} {
		b.Run(name, func(b *testing.B) {
			r := events.EmbeddingsResponse{Data: []events.Embedding{{Embedding: events.Vector{Values: values, Base64: packed}}}, Model: "m"}
			b.ReportAllocs()
			var room []byte
			for b.Loop() {
				body, _, err := encode(&r, 1<<20, room[:0])
				if err != nil {
					b.Fatal(err)
				}
				room = body
			}
		})
	}
}
