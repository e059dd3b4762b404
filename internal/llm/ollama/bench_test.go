package ollama_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// BenchmarkChat makes plain calls without a network.
func BenchmarkChat(b *testing.B) {
	r := &recorder{body: hi}
	c, ask := r.client(b), call(b, `{"temperature":0.5,"max_tokens":100}`)
	b.ReportAllocs()
	for b.Loop() {
		_, err := c.Chat(b.Context(), ask)
		require.NoError(b, err)
	}
}

// BenchmarkStream makes streamed calls without a network; the answer thinks, says something and calls two tools.
func BenchmarkStream(b *testing.B) {
	r := &recorder{body: strings.Join(streamOf(calling()), "")}
	c, ask := r.client(b), call(b, `{"temperature":0.5,"max_tokens":100}`)
	b.ReportAllocs()
	for b.Loop() {
		require.NoError(b, c.Stream(b.Context(), ask, func(*events.ChatChunk) error { return nil }))
	}
}
