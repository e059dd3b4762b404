package anthropic_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm/anthropic"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/llmtest"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// BenchmarkChat makes plain calls whose answers have 900 bytes of text, without a network.
func BenchmarkChat(b *testing.B) {
	r := &recorder{body: answerOf(said(150))}
	c, ask := r.client(b, anthropic.Config{}), call(b, `{"messages":[{"role":"system","content":"be brief"},{"role":"user","content":"hi there"}]}`)
	b.ReportAllocs()
	for b.Loop() {
		_, err := c.Chat(b.Context(), ask)
		require.NoError(b, err)
	}
}

// BenchmarkStream makes streamed calls whose answers come in 22 pieces.
func BenchmarkStream(b *testing.B) {
	r := &recorder{body: strings.Join(streamOf(said(22)), "")}
	c, ask := r.client(b, anthropic.Config{}), call(b, `{"messages":[{"role":"system","content":"be brief"},{"role":"user","content":"hi there"}]}`)
	b.ReportAllocs()
	for b.Loop() {
		require.NoError(b, c.Stream(b.Context(), ask, func(*events.ChatChunk) error { return nil }))
	}
}

// said is an answer of n words.
func said(n int) llmtest.Reply {
	return llmtest.Reply{Said: []llmtest.Said{{Text: strings.Repeat("hello ", n), Finish: "end_turn"}}}
}
