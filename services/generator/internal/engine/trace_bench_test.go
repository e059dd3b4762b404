package engine_test

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/neuron7x/mlsdm-integrations/internal/llm/genai"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/generator/internal/engine"
)

// tracers are those with which it is measured what tracing costs: nobody looks, and everything is recorded (and thrown away: what an
// exporter does with it is done elsewhere).
func tracers() map[string]trace.TracerProvider {
	return map[string]trace.TracerProvider{"untraced": noop.NewTracerProvider(), "traced": sdktrace.NewTracerProvider()}
}

// recorded is an engine whose attempts are recorded.
func recorded(tb testing.TB, tracer trace.TracerProvider, content bool, adapter instant) *engine.Engine {
	tb.Helper()
	reg := prometheus.NewRegistry()
	rec, err := genai.New(genai.Config{Tracer: tracer, Metrics: reg, Content: content})
	require.NoError(tb, err)
	return newEngineOf(tb, func(c *engine.Config) { c.Metrics, c.GenAI = reg, rec },
		engine.Provider{Name: "a", Adapter: adapter, Keys: keys("k1", "k2")})
}

// BenchmarkRecorded is what an answer in one piece costs when its attempt is recorded, and a stream of 22 chunks.
func BenchmarkRecorded(b *testing.B) {
	for name, tracer := range tracers() {
		for kind, emit := range map[string]func(*events.ChatChunk) error{"plain": nil, "stream": func(*events.ChatChunk) error { return nil }} {
			b.Run(name+"/"+kind, func(b *testing.B) {
				e := recorded(b, tracer, false, newInstant(22))
				ask := engine.Ask{Route: to(b, "a/m"), Request: request(), Emit: emit}
				ctx, span := tracer.Tracer("test").Start(b.Context(), "process")
				defer span.End()
				b.ReportAllocs()
				for b.Loop() {
					if _, err := e.Do(ctx, ask); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// TestRecordingAllocatesNothing: where nobody looks at traces, recording adds nothing to what an answer allocates.
func TestRecordingAllocatesNothing(t *testing.T) {
	bare := newEngineOf(t, nil, engine.Provider{Name: "a", Adapter: newInstant(0), Keys: keys("k1", "k2")})
	allocs := func(e *engine.Engine) float64 {
		ask := engine.Ask{Route: to(t, "a/m"), Request: request()}
		return testing.AllocsPerRun(1000, func() {
			if _, err := e.Do(t.Context(), ask); err != nil {
				t.Error(err)
			}
		})
	}
	require.LessOrEqual(t, allocs(recorded(t, noop.NewTracerProvider(), true, newInstant(0))), allocs(bare))
}
