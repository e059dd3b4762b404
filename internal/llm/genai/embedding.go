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

	dimensions, texts int
	output            llm.OutputType
	load              *Load
}

// Embed begins an attempt at embeddings. The context is that of the attempt. Of a call that carries the texts of several requests, the
// span has a link to each of them, and the numbers of about are counted there (see [Recorder.Carry]).
func (r *Recorder) Embed(ctx context.Context, about *About, call *llm.EmbedCall) (context.Context, Embedding) {
	e := Embedding{attempt: r.attempt(embeddings, about), dimensions: call.Dimensions, texts: call.Count(), output: call.Output}
	if !r.Traces(ctx) {
		return ctx, e
	}
	if e.load = loadOf(ctx); e.load == nil {
		return e.start(ctx), e
	}
	e.load.next(&e.about)
	ctx = e.start(ctx, e.load.links()...)
	e.load.last = trace.SpanContextFromContext(ctx)
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
	list := e.attributes()
	to := append(*list, attribute.Int("mlsdm.batch.texts", e.texts))
	if e.load != nil {
		to = append(to, attribute.Int("mlsdm.batch.requests", len(e.load.requests)))
	}
	formats := e.about.Target.Formats
	if e.output != llm.OutputFloat {
		formats = []string{string(e.output)}
	}
	if len(formats) > 0 {
		to = append(to, attribute.StringSlice("gen_ai.request.encoding_formats", formats))
	}
	if got != nil && len(got.Vectors) > 0 {
		e.dimensions = len(got.Vectors[0])
	}
	if e.dimensions > 0 {
		to = append(to, attribute.Int("gen_ai.embeddings.dimension.count", e.dimensions))
	}
	if used > 0 {
		to = append(to, attribute.Int("gen_ai.usage.input_tokens", used))
	}
	*list = to
	e.end(fault, list)
}
