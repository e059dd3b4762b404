package dispatcher

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/delivery"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/sender"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/target"
)

// TestTheSpanOfABrokenEndpoint: an endpoint that cannot be sent to has no URL, and its attempts have a span all the same.
func TestTheSpanOfABrokenEndpoint(t *testing.T) {
	t.Parallel()
	m, err := newMetrics(nil)
	require.NoError(t, err)
	spans := tracetest.NewSpanRecorder()
	s := &Service{metrics: m, tracing: true, tracer: trace.NewTracerProvider(trace.WithSpanProcessor(spans)).Tracer("test")}
	broken, err := target.New(target.Parts{Spec: events.EndpointSpec{ID: "shop", URL: "secret:webhook.shop"}, Broken: errors.New("gone")})
	require.NoError(t, err)
	result, span := s.attempt(t.Context(), broken, delivery.Delivery{EndpointID: "shop", Attempt: 1})
	span.end(result, events.AttemptRetry)
	require.Equal(t, sender.Misconfigured, result.Verdict)
	require.Len(t, spans.Ended(), 1)
}
