package batch_test

import (
	"context"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/services/embedder/internal/batch"
)

// instant answers at once.
type instant struct{ vectors [][]float32 }

// Limits implements [batch.Calls].
func (instant) Limits(context.Context, batch.Group) llm.EmbedLimits {
	return llm.EmbedLimits{Items: 96, Tokens: 100_000}
}

// Call implements [batch.Calls].
func (i instant) Call(_ context.Context, _ batch.Group, texts []string, _ bool) (*llm.Embedded, string, error) {
	return &llm.Embedded{Vectors: i.vectors[:len(texts)], PromptTokens: 10 * len(texts)}, "a/m", nil
}

// BenchmarkEmbed is what joining and splitting costs, for requests of n texts, one after the other and from many clients.
func BenchmarkEmbed(b *testing.B) {
	calls := instant{vectors: make([][]float32, 96)}
	for i := range calls.vectors {
		calls.vectors[i] = []float32{1}
	}
	for _, n := range []int{1, 96, 2048} {
		b.Run("texts="+strconv.Itoa(n), func(b *testing.B) {
			batcher := batch.New(calls, batch.Options{})
			list := texts(0, n)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := batcher.Embed(b.Context(), "", batch.Group{Model: "m"}, list); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/text")
		})
	}
	b.Run("clients", func(b *testing.B) {
		batcher := batch.New(calls, batch.Options{})
		list := texts(0, 4096)
		var next atomic.Int64
		b.ReportAllocs()
		b.SetParallelism(32)
		b.RunParallel(func(p *testing.PB) {
			for p.Next() {
				at := next.Add(1) % 4096
				if _, err := batcher.Embed(b.Context(), "", batch.Group{Model: "m"}, list[at:at+1]); err != nil {
					b.Error(err)
				}
			}
		})
	})
}
