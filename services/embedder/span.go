package embedder

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/neuron7x/mlsdm-integrations/internal/door"
)

// asked tells the span of a request, which the bus has made, what is asked for.
func asked(ctx context.Context, call *door.Call) {
	span := trace.SpanFromContext(ctx)
	if !span.IsRecording() {
		return
	}
	span.SetAttributes(
		attribute.String("mlsdm.request.id", call.ID), attribute.String("mlsdm.caller", call.Caller),
		attribute.String("mlsdm.model", call.Report.Model), attribute.Int("mlsdm.inputs", call.Report.Inputs),
	)
}

// answered tells it what came of looking into the cache, which is off, or was a hit for all texts, for some of them or for none, and who
// has answered for the others.
func answered(ctx context.Context, call *door.Call, cached bool) {
	span := trace.SpanFromContext(ctx)
	if !span.IsRecording() {
		return
	}
	outcome := "off"
	switch hits := call.Report.CachedInputs; {
	case !cached:
	case hits == 0:
		outcome = "miss"
	case hits < call.Report.Inputs:
		outcome = "partial"
	default:
		outcome = "hit"
	}
	span.SetAttributes(attribute.String("mlsdm.cache", outcome), attribute.Int("mlsdm.cache.texts", call.Report.CachedInputs))
	if by := call.Report.AnsweredBy; by != "" {
		span.SetAttributes(attribute.String("mlsdm.answered_by", by))
	}
}
