package genai

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
)

// Embedding is an attempt at embeddings that is under way. One goroutine uses it.
type Embedding struct {
	attempt

	dimensions int
}

// Embed begins an attempt at embeddings. The context is that of the attempt. Of a call that carries the texts of several requests, the
// span has a link to each of them, and the numbers of about are counted there (see [Recorder.Carry]).
func (r *Recorder) Embed(ctx context.Context, about *About, call *llm.EmbedCall) (context.Context, Embedding) {
	e := Embedding{attempt: r.attempt(embeddings, about), dimensions: call.Dimensions}
	if !r.Traces(ctx) {
		return ctx, e
	}
	to := make([]attribute.KeyValue, 0, 16) //nolint:mnd // most have no more
	to = append(to, attribute.Int("mlsdm.batch.texts", call.Count()))
	if len(about.Target.Formats) > 0 {
		to = append(to, attribute.StringSlice("gen_ai.request.encoding_formats", about.Target.Formats))
	}
	load := loadOf(ctx)
	if load == nil {
		return e.start(ctx, to), e
	}
	load.next(&e.about)
	to = append(to, attribute.Int("mlsdm.batch.requests", len(load.requests)))
	ctx = e.start(ctx, to, load.links()...)
	load.last = trace.SpanContextFromContext(ctx)
	return ctx, e
}

// End ends the attempt, which took so long, with an answer or a fault.
func (e *Embedding) End(took time.Duration, got *llm.Embedded, fault *llm.Fault) {
	if e.recorder == nil {
		return
	}
	used := 0
	if got != nil {
		used = got.PromptTokens
	}
	e.count(took, fault, used, 0)
	if e.span == nil {
		return
	}
	to := make([]attribute.KeyValue, 0, 4) //nolint:mnd // there are no more
	if got != nil && len(got.Vectors) > 0 {
		e.dimensions = len(got.Vectors[0])
	}
	if e.dimensions > 0 {
		to = append(to, attribute.Int("gen_ai.embeddings.dimension.count", e.dimensions))
	}
	if used > 0 {
		to = append(to, attribute.Int("gen_ai.usage.input_tokens", used))
	}
	e.end(fault, to)
}
