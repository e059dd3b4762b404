package bus

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
)

// publishSpan starts the span of one publish. Its context is the message's creation context.
func (b *Bus) publishSpan(ctx context.Context, m Msg) (context.Context, trace.Span) {
	ctx, links := causeOf(ctx, m.Header, m.Body)
	ctx, span := b.start(ctx, &b.templates.of(m.Subject).publish, links...)
	describe(span, m.Header, m.ID)
	return ctx, span
}

// tellStored says on the span of a publish what came of it.
func tellStored(span trace.Span, ack Ack, err error) {
	switch {
	case err != nil:
		failed(span, err)
	case !span.IsRecording():
	case ack.Duplicate:
		span.SetAttributes(keyStream.String(ack.Stream), keySequence.Int64(int64(ack.Sequence)), keyDuplicate.Bool(true)) //nolint:gosec // the server's count
	default:
		span.SetAttributes(keyStream.String(ack.Stream), keySequence.Int64(int64(ack.Sequence))) //nolint:gosec // the server's count
	}
}

// spansOfMany are the spans of messages that are published together. Those that are a part of ctx's trace share one: they fan out of
// it. Each that continues another trace has its own there.
type spansOfMany struct {
	shared trace.Span   // nil when there is none
	own    []trace.Span // by message; nil for one of the shared span
	err    error        // the first of the shared span
}

// spansOfAll starts the spans of a PublishAll; nil when nobody looks at them.
func (b *Bus) spansOfAll(ctx context.Context, msgs []Msg) *spansOfMany {
	if !b.tracing {
		return nil
	}
	s := &spansOfMany{own: make([]trace.Span, len(msgs))}
	traceID := trace.SpanContextFromContext(ctx).TraceID()
	shared, first, same := 0, (*destination)(nil), true
	for i, m := range msgs {
		if theirs := remoteSpan(m.Header, nil); theirs.IsValid() && theirs.TraceID() != traceID {
			_, s.own[i] = b.publishSpan(ctx, m)
			continue
		}
		shared++
		to := b.templates.of(m.Subject)
		same = same && (first == nil || first == to)
		first = to
	}
	if shared == 0 {
		return s
	}
	shape := &first.publish
	if !same { // then no destination is that of the span
		shape = &b.anywhere
	}
	_, s.shared = b.start(ctx, shape)
	s.shared.SetAttributes(keyBatch.Int(shared))
	return s
}

// newAnywhere is the shape of publishing to several destinations.
func newAnywhere() shape {
	return shape{name: "publish", options: []trace.SpanStartOption{
		trace.WithSpanKind(trace.SpanKindProducer),
		trace.WithAttributes([]attribute.KeyValue{
			keySystem.String(system), keyOperation.String("publish"), keyOperationType.String("send"),
		}...),
	}}
}

// context returns the creation context of a message.
func (s *spansOfMany) context(i int) trace.SpanContext {
	switch {
	case s == nil:
		return trace.SpanContext{}
	case s.own[i] != nil:
		return s.own[i].SpanContext()
	default:
		return s.shared.SpanContext()
	}
}

// done says what came of a message.
func (s *spansOfMany) done(i int, ack Ack, err error) {
	switch {
	case s == nil:
	case s.own[i] != nil:
		tellStored(s.own[i], ack, err)
		s.own[i].End()
	case s.err == nil:
		s.err = err
	}
}

// end ends the shared span.
func (s *spansOfMany) end() {
	if s == nil || s.shared == nil {
		return
	}
	if s.err != nil {
		failed(s.shared, s.err)
	}
	s.shared.End()
}
