package trace_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/neuron7x/mlsdm-integrations/internal/telemetry/conventions"
	"github.com/neuron7x/mlsdm-integrations/natstrace"
)

// Package natstrace is for others too, and knows nothing of our checks.
func TestSpansOfTheBrokerKeepTheConventions(t *testing.T) {
	t.Parallel()
	spans := tracetest.NewInMemoryExporter()
	bridge := natstrace.New(sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans)), natstrace.Template(func(string) string { return "mlsdm.events.{type}" }))
	for n, steps := range []string{
		`{"type":"js","ts":"2026-01-02T03:04:05.002Z","stream":"MLSDM_EVENTS"}`,
		`{"type":"js","ts":"2026-01-02T03:04:05.002Z","stream":"MLSDM_EVENTS","error":"msgid is duplicate"}`,
		`{"type":"js","ts":"2026-01-02T03:04:05.002Z","stream":"MLSDM_EVENTS","error":"maximum bytes exceeded"}`,
		`{"type":"js","ts":"2026-01-02T03:04:05.002Z","stream":"MLSDM_EVENTS","nointerest":true},{"type":"sm","ts":"2026-01-02T03:04:05.002Z","to":"x"},` +
			`{"type":"si","ts":"2026-01-02T03:04:05.002Z","acc":"B"},{"type":"se","ts":"2026-01-02T03:04:05.002Z","acc":"B"},` +
			`{"type":"eg","ts":"2026-01-02T03:04:05.002Z","kind":0,"name":"dispatcher","queue":"q","error":"Not delivered because client is closed"},` +
			`{"type":"eg","ts":"2026-01-02T03:04:05.002Z","kind":4,"name":"leaf","hop":"1","error":"something new"}`,
	} {
		require.NoError(t, bridge.Handle(fmt.Appendf(nil, `{"server":{"name":"a","id":"ID","cluster":"C","ver":"2.15.2"},"request":{"header":{`+
			`"traceparent":["00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"],"Nats-Msg-Id":["%d"]},"msgsize":9},"events":[`+
			`{"type":"in","ts":"2026-01-02T03:04:05Z","name":"shop","acc":"A","subj":"mlsdm.events.x"},%s]}`, n, steps)))
	}
	snapshots := spans.GetSpans().Snapshots()
	require.Len(t, snapshots, 7)
	for _, span := range snapshots {
		require.Empty(t, strings.Join(conventions.Check(span), "\n"), span.Name())
	}
}
