package moral

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Decisions, as metrics and spans have them.
const (
	accepts = "accept"
	rejects = "reject"
)

func decisionOf(accepted bool) string {
	if accepted {
		return accepts
	}
	return rejects
}

// traced tells the span of the request what became of a prompt or an answer: a decision, or the reason why there is none. The score and
// the threshold are in the event of the decision, which belongs to the same trace.
func traced(ctx context.Context, stage, by, outcome string) {
	span := trace.SpanFromContext(ctx)
	if !span.IsRecording() {
		return
	}
	what := attribute.String("mlsdm.moral.prompt", outcome)
	if stage == events.StageCompletion {
		what = attribute.String("mlsdm.moral.completion", outcome)
	}
	if by == "" {
		span.SetAttributes(what)
		return
	}
	span.SetAttributes(what, attribute.String("mlsdm.moral.scorer", by))
}
