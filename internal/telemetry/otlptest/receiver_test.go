package otlptest_test

import (
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
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

// A text that is no UTF-8, as anybody may send one, costs neither its span nor the others of the batch.
func TestTextsThatAreNoUTF8Arrive(t *testing.T) {
	t.Parallel()
	r := otlptest.Start(t)
	for protocol, endpoint := range map[string]string{"http/protobuf": r.HTTP, "grpc": r.GRPC} {
		tel, err := telemetry.New(t.Context(), telemetry.Config{LogLevel: "error", LogFormat: "text", Endpoint: endpoint, Protocol: protocol}, "shop", "1", io.Discard)
		require.NoError(t, err)
		ctx, good := tel.Tracer.Tracer("scope").Start(t.Context(), "good")
		_, bad := tel.Tracer.Tracer("scope").Start(ctx, "bad \xff", trace.WithAttributes(attribute.String("messaging.message.id", "\xc3("), attribute.StringSlice("gen_ai.response.finish_reasons", []string{"\xff"})))
		bad.SetStatus(codes.Error, "\xfe")
		bad.End()
		good.End()
		tel.Close(t.Context())
		require.Eventually(t, func() bool { return len(r.Trace(good.SpanContext().TraceID())) == 2 }, 30*time.Second, time.Millisecond, protocol)
		for _, span := range r.Trace(good.SpanContext().TraceID()) {
			if span.GetName() != "good" {
				require.Equal(t, "bad \ufffd", span.GetName())
				require.Equal(t, "\ufffd", span.GetStatus().GetMessage())
				require.Equal(t, "\ufffd(", otlptest.Attributes(span.GetAttributes())["messaging.message.id"])
			}
		}
	}
}
