package cache_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/neuron7x/mlsdm-integrations/internal/cache"
	"github.com/neuron7x/mlsdm-integrations/internal/cache/redistest"
	"github.com/neuron7x/mlsdm-integrations/internal/telemetry/conventions"
)

// TestQuickVisitsHaveNoSpan: what takes no time is not told, nor is what belongs to no trace.
func TestQuickVisitsHaveNoSpan(t *testing.T) {
	t.Parallel()
	recorder := tracetest.NewSpanRecorder()
	tracer := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder)).Tracer("test")
	_, n, _ := replica(t, at(redistest.Addr(t)), "x", cache.Options{})
	require.Empty(t, get(t, n, "canary-before"))
	ctx, span := tracer.Start(t.Context(), "work")
	n.Set(ctx, "canary-key", []byte("canary-value"))
	span.End()
	for _, s := range recorder.Ended() {
		if s.Name() != "work" { // on a busy machine it may have been slow
			require.GreaterOrEqual(t, s.EndTime().Sub(s.StartTime()), 10*time.Millisecond, s.Name())
		}
	}
}

// TestFailedVisitsAreSpans: of the trace in which they were made, without keys and values.
func TestFailedVisitsAreSpans(t *testing.T) {
	t.Parallel()
	recorder := tracetest.NewSpanRecorder()
	tracer := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder)).Tracer("test")
	addr := redistest.FreeAddr(t)
	_, n, _ := replica(t, at(addr), "x", cache.Options{})
	ctx, parent := tracer.Start(t.Context(), "work")
	_, found := n.Get(ctx, "canary-key")
	require.False(t, found)
	require.Eventually(t, func() bool { return len(recorder.Ended()) > 0 }, patience, time.Millisecond)
	span := recorder.Ended()[0]
	require.Equal(t, "GET 0", span.Name())
	require.Equal(t, parent.SpanContext().TraceID(), span.SpanContext().TraceID())
	require.Equal(t, codes.Error, span.Status().Code)
	require.Empty(t, conventions.Check(span))
	require.False(t, span.EndTime().Before(span.StartTime()))
	require.NotContains(t, fmt.Sprintf("%+v", tracetest.SpanStubFromReadOnlySpan(span)), "canary")
	attrs := map[string]string{}
	for _, kv := range span.Attributes() {
		attrs[string(kv.Key)] = kv.Value.String()
	}
	require.Equal(t, "redis", attrs["db.system.name"])
	require.Equal(t, "GET", attrs["db.operation.name"])
	require.Equal(t, "connection_refused", attrs["error.type"])
	require.Equal(t, addr, attrs["server.address"]+":"+attrs["server.port"])
}
