package dispatcher_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
)

// TestExemplarsNameTheAttempt: who sees a slow attempt in OpenMetrics finds its span.
func TestExemplarsNameTheAttempt(t *testing.T) {
	t.Parallel()
	srv := bustest.Start(t)
	to := newReceiver(t, failFirst(0))
	x := newTraces(t)
	r := runTraced(t, srv, x.provider, config(to.url))
	publishTraced(t, srv.ConnectTraced(t, "publisher", noop.NewTracerProvider()), "event-1")
	to.next(t)
	span := x.attempts(t, 1)[0].SpanContext()
	require.Equal(t, traceOfEvent, span.TraceID().String())
	named := `# {span_id="` + span.SpanID().String() + `",trace_id="` + traceOfEvent + `"}`
	other := `# {trace_id="` + traceOfEvent + `",span_id="` + span.SpanID().String() + `"}`
	handler := promhttp.HandlerFor(r.registry, promhttp.HandlerOpts{EnableOpenMetrics: true})
	for _, name := range []string{"mlsdm_webhook_attempt_seconds", "mlsdm_webhook_delivery_seconds"} {
		require.Eventually(t, func() bool {
			ask := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", http.NoBody)
			ask.Header.Set("Accept", "application/openmetrics-text; version=1.0.0")
			answer := httptest.NewRecorder()
			handler.ServeHTTP(answer, ask)
			return hasExemplar(answer.Body.String(), name+"_bucket", named, other)
		}, patience, 10*time.Millisecond, "%s names no span", name)
	}
}

// hasExemplar reports whether a line of a metric has one of the exemplars.
func hasExemplar(text, metric string, exemplars ...string) bool {
	for line := range strings.Lines(text) {
		for _, e := range exemplars {
			if strings.HasPrefix(line, metric) && strings.Contains(line, e) {
				return true
			}
		}
	}
	return false
}
