package bounded

import (
	"net/http"

	"go.opentelemetry.io/otel/trace"

	"github.com/neuron7x/mlsdm-integrations/internal/telemetry/httpspan"
)

// Traced returns base with a span of every request. The template stands for the path, which names secrets: none of it may be in there.
// A tracer of nil makes no spans.
func Traced(base http.RoundTripper, tracer trace.TracerProvider, template func(*http.Request) string) http.RoundTripper {
	if tracer == nil {
		return base
	}
	return httpspan.Transport(base, tracer.Tracer("github.com/neuron7x/mlsdm-integrations/internal/secret"), httpspan.Options{Template: template})
}
