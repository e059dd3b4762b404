package telemetry

import (
	"context"
	"testing"
	"time"

	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/neuron7x/mlsdm-integrations/internal/hostiletest"
)

// TestHostileCollectors: what takes our traces costs no more than bounds, and is not followed elsewhere.
func TestHostileCollectors(t *testing.T) { // it measures memory, and is not parallel
	ask := func(protocol string, timeout time.Duration) func(context.Context, string) error {
		return func(ctx context.Context, url string) error {
			ctx, cancel := context.WithTimeout(ctx, timeout)
			defer cancel()
			exporter, err := newExporter(ctx, protocol, url)
			if err != nil {
				return err
			}
			return exporter.ExportSpans(ctx, tracetest.SpanStubs{{Name: "embed"}}.Snapshots())
		}
	}
	t.Run("HTTP", func(t *testing.T) {
		hostiletest.Client{Most: 4 << 20, ContentType: "application/x-protobuf", Ask: ask("http/protobuf", time.Minute)}.Run(t)
	})
	t.Run("gRPC", func(t *testing.T) {
		hostiletest.Client{Ask: ask(ProtocolGRPC, 2*time.Second)}.RunTLS(t) // it asks again until it has no more time
	})
}
