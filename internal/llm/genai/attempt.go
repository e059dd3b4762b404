package genai

import (
	"context"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// attempt is one attempt that is under way, whatever it asks for. The zero value records nothing.
type attempt struct {
	recorder  *Recorder
	operation string
	about     About
	span      trace.Span // nil: nobody looks at it
}

// attempt makes an attempt without a span.
func (r *Recorder) attempt(operation string, about *About) attempt {
	if r == nil {
		return attempt{}
	}
	return attempt{recorder: r, operation: operation, about: *about}
}

// start starts the span, with what a sampler may want to know; all else is said at the end, at once, which costs least.
func (a *attempt) start(ctx context.Context, links ...trace.Link) context.Context {
	about := &a.about
	model := about.Model
	if len(model) > maxModel { // there are servers that take every name that a caller thinks up
		model = llm.Bound(model, maxModel)
	}
	known := make([]attribute.KeyValue, 0, 5) //nolint:mnd // there are no more
	known = append(known,
		attribute.String("gen_ai.operation.name", a.operation),
		attribute.String("gen_ai.provider.name", about.Target.Provider),
		attribute.String("gen_ai.request.model", model),
	)
	kind := trace.SpanKindClient
	if about.Target.Local {
		kind = trace.SpanKindInternal
	}
	if about.Target.Address != "" {
		known = append(known, attribute.String("server.address", about.Target.Address), attribute.Int("server.port", about.Target.Port))
	}
	var room [3]trace.SpanStartOption
	options := append(room[:0], trace.WithSpanKind(kind), trace.WithAttributes(known...))
	if len(links) > 0 {
		options = append(options, trace.WithLinks(links...))
	}
	ctx, a.span = a.recorder.tracer.Start(ctx, a.operation+" "+model, options...)
	if !a.span.IsRecording() {
		a.span = nil
	}
	return ctx
}

// attributes begins the list of what is said at the end. [attempt.end] takes it back.
func (a *attempt) attributes() *[]attribute.KeyValue {
	list, ok := a.recorder.lists.Get().(*[]attribute.KeyValue)
	if !ok {
		list = new([]attribute.KeyValue)
	}
	*list = append((*list)[:0],
		attribute.String("mlsdm.model", word(a.about.Name)),
		attribute.Int("mlsdm.attempt", a.about.Number),
		attribute.Int("mlsdm.attempt.target", a.about.Place),
		attribute.String("mlsdm.attempt.why", string(a.about.Why)),
	)
	return list
}

// maxModel bounds the name of a model in the name of a span, in bytes.
const maxModel = 120

// Traces reports whether a span below that of ctx can be one that somebody sees.
func (r *Recorder) Traces(ctx context.Context) bool {
	if r == nil || r.tracer == nil {
		return false
	}
	parent := trace.SpanFromContext(ctx)
	at := parent.SpanContext()
	return parent.IsRecording() || !at.IsValid() || at.IsRemote() // else it was left out, and so is what is below it
}

// counts returns the metrics of the model, and what goes with them to find the trace; nil if nobody counts.
func (a *attempt) counts(ok bool) (s *series, own bool) {
	if a.recorder == nil || a.recorder.metrics == nil {
		return nil, false
	}
	return a.recorder.metrics.of(a.which(), ok)
}

func (a *attempt) which() answered {
	return answered{a.operation, a.about.Target.Provider, a.about.Target.Address, a.about.Model}
}

// count counts an attempt that has ended, and the tokens that it used if that is known.
func (a *attempt) count(took time.Duration, fault *llm.Fault, input, output int) {
	if a.recorder == nil || a.recorder.metrics == nil {
		return
	}
	s, own := a.counts(fault == nil)
	if fault != nil {
		observe(a.recorder.metrics.failed(a.which(), own, errorType(fault)), took.Seconds(), a.span)
	} else {
		s.duration.observe(took.Seconds(), a.span)
	}
	if s == nil {
		return
	}
	if input > 0 {
		s.input.observe(float64(input), a.span)
	}
	if output > 0 {
		s.output.observe(float64(output), a.span)
	}
}

// end ends the span, with what is said of it. The list is used again.
func (a *attempt) end(fault *llm.Fault, list *[]attribute.KeyValue) {
	if fault != nil {
		kind := errorType(fault)
		*list = append(*list, attribute.String("error.type", kind))
		if fault.Err != nil {
			*list = append(*list, attribute.String("mlsdm.error.code", string(fault.Err.Code)))
		}
		a.span.SetStatus(codes.Error, kind) // what a provider says of a failure may quote the conversation
	}
	a.span.SetAttributes(*list...) // which copies them
	a.span.End()
	clear(*list)
	a.recorder.lists.Put(list)
}

// panicked is the error.type of an attempt that did not come to an end.
const panicked = "panic"

// errorType says in one word what an attempt has failed with.
func errorType(f *llm.Fault) string {
	switch {
	case f.Err == nil:
		return panicked
	case f.Class == llm.ClassCanceled:
		return string(f.Err.Code)
	case f.Class == "":
		return string(events.CodeInternal)
	default:
		return string(f.Class)
	}
}

// word is what a server says that is to be one word.
func word(s string) string {
	if len(s) > maxWord || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return llm.Bound(s, maxWord)
	}
	return s
}
