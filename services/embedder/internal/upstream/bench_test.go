package upstream_test

import (
	"context"
	"testing"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
)

// instant answers at once.
type instant struct{ answer *llm.Embedded }

// Embed implements [llm.EmbedAdapter].
func (i instant) Embed(context.Context, *llm.EmbedCall) (*llm.Embedded, error) { return i.answer, nil }

// EmbedLimits implements [llm.EmbedAdapter].
func (i instant) EmbedLimits(context.Context, string, secret.Value) (llm.EmbedLimits, error) {
	return llm.EmbedLimits{Items: 96}, nil
}

// BenchmarkEmbed is what an upstream adds to a call.
func BenchmarkEmbed(b *testing.B) {
	u := newUpstream(b, instant{&llm.Embedded{}}, keys("k1", "k2"), nil)
	call := llm.EmbedCall{Model: "m", Texts: []string{"hello"}}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := u.Embed(b.Context(), call); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkLimits is what it takes to look up what is known.
func BenchmarkLimits(b *testing.B) {
	u := newUpstream(b, instant{}, keys("k1"), nil)
	b.ReportAllocs()
	for b.Loop() {
		if u.Limits(b.Context(), "m").Items != 96 {
			b.Fatal("they are not known")
		}
	}
}
