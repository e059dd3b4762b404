package bus_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// The span of a publish names its message, whichever way the message has its id.
func TestSpansOfPublishesNameTheirMessages(t *testing.T) {
	t.Parallel()
	s := bustest.Start(t)
	spans := tracetest.NewSpanRecorder()
	b, err := bus.Connect(t.Context(), s.Config(), "test", bus.Options{
		Logger: bustest.Logger(t), Tracer: trace.NewTracerProvider(trace.WithSpanProcessor(spans)),
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.Close(context.WithoutCancel(t.Context()))) })
	subject := b.Subjects().Event(events.TypeRequestProcessed)
	require.NoError(t, b.PublishAll(t.Context(), []bus.Msg{{Subject: subject, ID: "one"}}))
	header := map[string][]string{events.HeaderMsgID: {"two"}}
	require.NoError(t, b.PublishAll(t.Context(), []bus.Msg{{Subject: subject, Header: header, GiveHeader: true}}))
	var ids []string
	for _, span := range spans.Ended() {
		for _, a := range span.Attributes() {
			if a.Key == attribute.Key("messaging.message.id") {
				ids = append(ids, a.Value.AsString())
			}
		}
	}
	require.Equal(t, []string{"one", "two"}, ids)
}
