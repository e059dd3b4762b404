package telemetry_test

import (
	"io"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/telemetry"
)

// A collector that takes connections and never answers holds up neither the work nor the stop, for any signal, in any protocol.
func TestBlackHole(t *testing.T) {
	t.Parallel()
	for _, protocol := range []string{telemetry.ProtocolHTTP, telemetry.ProtocolGRPC} {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it is closed with the test
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, listener.Close()) })
			tel, err := telemetry.New(t.Context(), settings(
				t, "--otlp-endpoint=http://"+listener.Addr().String(), "--otlp-protocol="+protocol, "--logs-exporter=otlp", "--metrics-exporter=otlp",
			), "embedder", "", io.Discard)
			require.NoError(t, err)
			registry := newRegistry(t, tel)
			require.NoError(t, tel.ExportMetrics(t.Context(), registry))
			tracer := tel.Tracer.Tracer("test")
			for range 10_000 { // more than there is room for
				_, span := tracer.Start(t.Context(), "embed")
				span.End()
				tel.Logger.Info("embedded")
			}
			start := time.Now()
			tel.Close(t.Context())
			require.Less(t, time.Since(start), 20*time.Second) // two, on a machine that has time
			t.Logf("closed in %s", time.Since(start))
		})
	}
}
