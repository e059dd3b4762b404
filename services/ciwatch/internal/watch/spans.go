package watch

import (
	"context"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/pace"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/tracker"
)

// tracedEvery is how often a repository is polled with a span: most polls find nothing, and would be all that there is to see.
const tracedEvery = 15 * time.Minute

// spans makes the spans of polls and of recoveries. The requests to forges are spans in these, and have none otherwise.
type spans struct {
	tracer trace.Tracer
	off    bool

	mu     sync.Mutex
	polled map[string]time.Time // when a poll of a repository last had one
}

func newSpans(tracers trace.TracerProvider) *spans {
	if tracers == nil {
		tracers = noop.NewTracerProvider()
	}
	_, off := tracers.(noop.TracerProvider)
	return &spans{
		tracer: tracers.Tracer("github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/watch"), off: off,
		polled: make(map[string]time.Time),
	}
}

// poll begins a poll. It has a span when somebody has asked for it, and else from time to time.
func (s *spans) poll(ctx context.Context, r Repository, asked bool) (_ context.Context, end func(pace.Outcome)) {
	if s.off || !s.worth(r.recordKey(), asked, time.Now()) {
		return ctx, func(pace.Outcome) {}
	}
	ctx, span := s.tracer.Start(ctx, "poll", trace.WithAttributes(
		attribute.String("mlsdm.ci.forge", r.Forge), attribute.String("mlsdm.ci.repository", r.Name),
	))
	return ctx, func(o pace.Outcome) {
		outcome := "unchanged"
		if o.Changed {
			outcome = "changed"
		}
		finish(span, outcome, o.Err)
	}
}

// worth reports whether a poll is worth a span, and takes note that it has one.
func (s *spans) worth(key string, asked bool, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if last, ok := s.polled[key]; ok && !asked && now.Sub(last) < tracedEvery {
		return false
	}
	s.polled[key] = now
	return true
}

// act begins an attempt at a recovery, in the trace of what it is for.
func (s *spans) act(ctx context.Context, of tracker.State, r tracker.Recovery) (_ context.Context, end func(outcome string, err error)) {
	ctx, span := s.tracer.Start(inTrace(ctx, of.TraceOf(r)), "recover "+r.Action, trace.WithAttributes(
		attribute.String("mlsdm.ci.forge", of.Forge), attribute.String("mlsdm.ci.repository", of.Repository),
	))
	return ctx, func(outcome string, err error) { finish(span, outcome, err) }
}

// finish ends a span. The text of an error is not told.
func finish(span trace.Span, outcome string, err error) {
	if err != nil {
		outcome = "failed"
		span.SetAttributes(attribute.String("error.type", string(events.CodeOf(err))))
		span.SetStatus(codes.Error, "")
	}
	span.SetAttributes(attribute.String("mlsdm.ci.outcome", outcome))
	span.End()
}

// inTrace returns ctx in the trace of a traceparent, if that is one.
func inTrace(ctx context.Context, traceParent string) context.Context {
	if traceParent == "" {
		return ctx
	}
	return bus.ContextFromHeader(ctx, map[string][]string{events.HeaderTraceParent: {traceParent}})
}
