package secrettest

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/neuron7x/mlsdm-integrations/internal/telemetry/conventions"
)

// Spans returns a tracer, and what names the spans that it has made until then. Each keeps the conventions and has none of the texts
// in it, nor the [Canary].
func Spans(t *testing.T, texts ...string) (trace.TracerProvider, func() []string) {
	t.Helper()
	recorder := tracetest.NewSpanRecorder()
	return sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder)), func() []string {
		t.Helper()
		var names []string
		for _, span := range recorder.Ended() {
			names = append(names, span.Name())
			require.Empty(t, conventions.Check(span), span.Name())
			whole := fmt.Sprintf("%+v", tracetest.SpanStubFromReadOnlySpan(span))
			for _, text := range append([]string{Canary}, texts...) {
				require.NotContains(t, whole, text, span.Name())
			}
		}
		return names
	}
}
