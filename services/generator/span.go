package generator

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/neuron7x/mlsdm-integrations/internal/door"
	"github.com/neuron7x/mlsdm-integrations/services/generator/internal/engine"
)

// span is that of a request, which the bus has made; nil inside: nobody looks at it.
type span struct{ trace.Span }

// traced is the span of the request that ctx belongs to.
func traced(ctx context.Context) span {
	if s := trace.SpanFromContext(ctx); s.IsRecording() {
		return span{s}
	}
	return span{}
}

// asked says what is asked for.
func (s span) asked(call *door.Call, model string) {
	if s.Span == nil {
		return
	}
	s.SetAttributes(
		attribute.String("mlsdm.request.id", call.ID), attribute.String("mlsdm.caller", call.Caller),
		attribute.String("mlsdm.model", model), attribute.Bool("mlsdm.stream", call.Report.Stream),
	)
}

// cache says what came of looking into the cache: off, hit, miss, or refresh where an answer is kept and none is taken.
func (s span) cache(c caching, hit bool) {
	if s.Span == nil {
		return
	}
	outcome := "off"
	switch {
	case hit:
		outcome = "hit"
	case c.reads:
		outcome = "miss"
	case c.writes:
		outcome = "refresh"
	}
	s.SetAttributes(attribute.String("mlsdm.cache", outcome))
}

// answered says what the attempts came to.
func (s span) answered(call *door.Call, result *engine.Result, limited bool) {
	if s.Span == nil {
		return
	}
	to := make([]attribute.KeyValue, 0, 6) //nolint:mnd // there are no more
	to = append(to, attribute.Int("mlsdm.attempts", len(result.Attempts)))
	if result.Target.ID != "" {
		to = append(to, attribute.String("mlsdm.answered_by", result.Target.ID))
	}
	if limited {
		outcome := "passed"
		if result.Held > 0 {
			outcome = "held"
		}
		to = append(to, attribute.String("mlsdm.limits", outcome))
	}
	if result.Skipped > 0 { // it was not asked: there is no attempt to be seen
		to = append(to, attribute.Int("mlsdm.targets.skipped", result.Skipped))
	}
	if call.Report.PriceVersion != "" || call.Report.Cost > 0 {
		to = append(to, attribute.Float64("mlsdm.cost", call.Report.Cost))
	}
	if call.Report.Unpriced {
		to = append(to, attribute.Bool("mlsdm.unpriced", true))
	}
	s.SetAttributes(to...)
}
