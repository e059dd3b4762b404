package engine_test

import (
	"context"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/generator/internal/engine"
)

// instant answers at once, and makes nothing anew.
type instant struct {
	response *events.ChatResponse
	chunks   []*events.ChatChunk
}

// Chat implements [llm.Adapter].
func (i instant) Chat(context.Context, *llm.Call) (*events.ChatResponse, error) {
	return i.response, nil
}

// Stream implements [llm.Adapter].
func (i instant) Stream(_ context.Context, _ *llm.Call, emit func(*events.ChatChunk) error) error {
	for _, c := range i.chunks {
		if err := emit(c); err != nil {
			return err
		}
	}
	return nil
}

// newInstant makes an adapter whose streams have n chunks.
func newInstant(n int) instant {
	i := instant{response: &events.ChatResponse{Choices: []events.ChatChoice{{FinishReason: events.FinishStop}}, Usage: usage()}}
	for range n {
		i.chunks = append(i.chunks, chunk("word "))
	}
	return i
}

// BenchmarkPlain is what the engine adds to an answer in one piece.
func BenchmarkPlain(b *testing.B) {
	for name, targets := range map[string][]string{"one": {"a/m"}, "four": {"a/m", "a/n", "a/o", "a/p"}} {
		b.Run(name, func(b *testing.B) {
			e := newEngineOf(b, func(c *engine.Config) { c.Metrics = prometheus.NewRegistry() },
				engine.Provider{Name: "a", Adapter: newInstant(0), Keys: keys("k1", "k2")})
			ask := engine.Ask{Route: to(b, targets...), Request: request()}
			ctx, cancel := context.WithTimeout(b.Context(), 1<<40)
			defer cancel()
			b.ReportAllocs()
			for b.Loop() {
				if _, err := e.Do(ctx, ask); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkStream is what it adds to a stream of 22 chunks.
func BenchmarkStream(b *testing.B) {
	e := newEngineOf(b, func(c *engine.Config) { c.Metrics = prometheus.NewRegistry() },
		engine.Provider{Name: "a", Adapter: newInstant(22), Keys: keys("k1", "k2")})
	ask := engine.Ask{Route: to(b, "a/m"), Request: request(), Emit: func(*events.ChatChunk) error { return nil }}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := e.Do(b.Context(), ask); err != nil {
			b.Fatal(err)
		}
	}
}

// TestPlainAllocates: an answer at the first attempt costs few allocations.
func TestPlainAllocates(t *testing.T) {
	e := newEngineOf(t, nil, engine.Provider{Name: "a", Adapter: newInstant(0), Keys: keys("k1", "k2")})
	ask := engine.Ask{Route: to(t, "a/m"), Request: request()}
	allocs := testing.AllocsPerRun(1000, func() {
		if _, err := e.Do(t.Context(), ask); err != nil {
			t.Error(err)
		}
	})
	require.LessOrEqual(t, allocs, 12.0)
}
