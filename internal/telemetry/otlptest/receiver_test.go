package otlptest_test

import (
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/neuron7x/mlsdm-integrations/internal/telemetry"
	"github.com/neuron7x/mlsdm-integrations/internal/telemetry/otlptest"
)

// What our own exporters send arrives, by either protocol.
func TestReceiver(t *testing.T) {
	t.Parallel()
	r := otlptest.Start(t)
	for protocol, endpoint := range map[string]string{"http/protobuf": r.HTTP, "grpc": r.GRPC} {
		tel, err := telemetry.New(t.Context(), telemetry.Config{LogLevel: "error", LogFormat: "text", Endpoint: endpoint, Protocol: protocol}, "shop", "1", io.Discard)
		require.NoError(t, err)
		_, span := tel.Tracer.Tracer("scope").Start(t.Context(), "publish", trace.WithAttributes(attribute.String("messaging.system", "nats")))
		span.End()
		tel.Close(t.Context())
		require.Eventually(t, func() bool { return len(r.Trace(span.SpanContext().TraceID())) == 1 }, 30*time.Second, time.Millisecond, protocol)
		got := r.Trace(span.SpanContext().TraceID())[0]
		require.Equal(t, "mlsdm-shop", got.Service)
		require.Equal(t, "scope", got.Scope)
		require.Equal(t, "publish", got.GetName())
		require.Equal(t, map[string]any{"messaging.system": "nats"}, otlptest.Attributes(got.GetAttributes()))
	}
	require.Len(t, r.Spans(), 2)
}
