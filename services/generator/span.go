package generator

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/neuron7x/mlsdm-integrations/internal/door"
	"github.com/neuron7x/mlsdm-integrations/services/generator/internal/engine"
)

// traced is what the span of a request, which the bus has made, is told of it.
type traced struct {
	call    *door.Call
	cache   string // as [caching.outcome] says it; empty: it was not come to that
	result  *engine.Result
	limited bool // there are limits
}

// tell tells it, at once, which costs least.
func (t *traced) tell(ctx context.Context) {
	span := trace.SpanFromContext(ctx)
	if !span.IsRecording() {
		return
	}
	to := make([]attribute.KeyValue, 0, 12) //nolint:mnd // there are no more
	to = append(to,
		attribute.String("mlsdm.request.id", t.call.ID), attribute.String("mlsdm.caller", t.call.Caller),
		attribute.String("mlsdm.model", t.call.Report.Model), attribute.Bool("mlsdm.stream", t.call.Report.Stream),
	)
	if t.cache != "" {
		to = append(to, attribute.String("mlsdm.cache", t.cache))
	}
	if t.result != nil {
		to = t.attempts(to)
	}
	span.SetAttributes(to...)
}

// attempts adds what the attempts came to.
func (t *traced) attempts(to []attribute.KeyValue) []attribute.KeyValue {
	to = append(to, attribute.Int("mlsdm.attempts", len(t.result.Attempts)))
	if t.result.Target.ID != "" {
		to = append(to, attribute.String("mlsdm.answered_by", t.result.Target.ID))
	}
	if t.limited {
		outcome := "passed"
		if t.result.Held > 0 {
			outcome = "held"
		}
		to = append(to, attribute.String("mlsdm.limits", outcome))
	}
	if t.result.Skipped > 0 { // it was not asked: there is no attempt to be seen
		to = append(to, attribute.Int("mlsdm.targets.skipped", t.result.Skipped))
	}
	if report := t.call.Report; report.PriceVersion != "" || report.Cost > 0 {
		to = append(to, attribute.Float64("mlsdm.cost", report.Cost))
	}
	if t.call.Report.Unpriced {
		to = append(to, attribute.Bool("mlsdm.unpriced", true))
	}
	return to
}
