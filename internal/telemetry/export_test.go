package telemetry_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/neuron7x/mlsdm-integrations/internal/telemetry"
)

// newRegistry returns one with the metrics of tel.
func newRegistry(t *testing.T, tel *telemetry.Telemetry) *prometheus.Registry {
	t.Helper()
	registry := prometheus.NewRegistry()
	require.NoError(t, tel.Register(registry))
	return registry
}

// A tree for people: children below their parents, durations, errors, and nothing that must not be told.
func TestConsole(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	tel, err := telemetry.New(t.Context(), settings(t, "--traces-exporter=console"), "embedder", "", &out)
	require.NoError(t, err)
	tracer := tel.Tracer.Tracer("test")
	ctx, root := tracer.Start(t.Context(), "process mlsdm.embed")
	_, child := tracer.Start(ctx, "embeddings m")
	child.SetStatus(codes.Error, "no answer\x1b[2J\u202e\u2028 for jane@example.com")
	child.End()
	root.End()
	tel.Close(t.Context())
	require.Contains(t, out.String(), "trace "+root.SpanContext().TraceID().String()+"\n  process mlsdm.embed  ")
	require.Contains(t, out.String(), "\n    embeddings m  ")
	require.Contains(t, out.String(), "ERROR no answer[2J for [redacted]", "nothing that a terminal obeys")
}

// What a ratio drops is kept all the same if it has an error, and whoever is called is not told that it is sampled.
func TestErrorsAreKept(t *testing.T) {
	t.Parallel()
	addr, got, _ := startCollector(t)
	tel, err := telemetry.New(t.Context(), settings(t, "--otlp-endpoint="+addr, "--traces-sampler=parentbased_traceidratio", "--traces-sampler-arg=0"), "embedder", "", io.Discard)
	require.NoError(t, err)
	tracer := tel.Tracer.Tracer("test")
	for _, name := range []string{"good", "bad"} {
		ctx, root := tracer.Start(t.Context(), name)
		require.False(t, root.SpanContext().IsSampled())
		_, child := tracer.Start(ctx, name+" child")
		if name == "bad" {
			child.SetStatus(codes.Error, "")
		}
		child.End()
		root.End()
	}
	tel.Close(t.Context())
	spans := (<-got).GetResourceSpans()[0].GetScopeSpans()[0].GetSpans()
	require.Len(t, spans, 2)
	for _, s := range spans {
		require.True(t, strings.HasPrefix(s.GetName(), "bad"), s.GetName())
	}
}

// A collector that refuses is told of once, what it does not take is counted, and while it refuses nothing is recorded; the trace
// of a caller goes on.
func TestCollectorThatRefuses(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadRequest) }))
	t.Cleanup(s.Close)
	var out bytes.Buffer
	tel, err := telemetry.New(t.Context(), settings(t, "--otlp-endpoint="+s.URL), "embedder", "", &out)
	require.NoError(t, err)
	registry := newRegistry(t, tel)
	tracer := tel.Tracer.Tracer("test")
	parent := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: trace.FlagsSampled, Remote: true})
	require.Eventually(t, func() bool {
		_, span := tracer.Start(trace.ContextWithRemoteSpanContext(t.Context(), parent), "embed")
		defer span.End()
		return !span.IsRecording() && span.SpanContext().Equal(parent)
	}, 30*time.Second, 10*time.Millisecond)
	tel.Close(t.Context())
	families, err := registry.Gather()
	require.NoError(t, err)
	lost := 0.0
	for _, m := range families[0].GetMetric() {
		lost += m.GetCounter().GetValue()
	}
	require.Positive(t, lost)
	require.LessOrEqual(t, strings.Count(out.String(), "telemetry does not work as it should"), 1)
}

func TestLevelsChangeWhileItRuns(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	tel, err := telemetry.New(t.Context(), settings(t, "--log-format=text"), "embedder", "", &out)
	require.NoError(t, err)
	tel.Logger.Debug("one")
	tel.Level("embedder").Set(-4)
	tel.Logger.Debug("two")
	tel.LoggerFor("generator").Debug("three")
	require.NotContains(t, out.String(), "one")
	require.Contains(t, out.String(), "two")
	require.NotContains(t, out.String(), "three")
}
