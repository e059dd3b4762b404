package natstrace

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// maxChildren is how many receivers of a message have a span each. How many there were is an attribute.
const maxChildren = 16

// spans starts and ends the spans of an event. It returns those from which the message went to other servers, by the number of the hop.
func (b *Bridge) spans(e *event, parent trace.SpanContext) map[string]trace.SpanContext {
	ctx := trace.ContextWithRemoteSpanContext(context.Background(), parent)
	in, stream := e.ingress(), e.stream()
	template := b.template(in.Subject)
	if stream != nil && e.isStoreOnly() {
		_, span := b.begin(ctx, e, "store", stream.Stream, template)
		b.describe(span, e)
		b.describeStore(span, stream)
		span.End(trace.WithTimestamp(stream.Time))
		return nil
	}
	ctx, span := b.begin(ctx, e, "route", template, template)
	defer span.End(trace.WithTimestamp(e.end()))
	b.describe(span, e)
	fail(span, in.Error)
	if stream != nil && span.IsRecording() {
		_, store := b.begin(ctx, e, "store", stream.Stream, template)
		b.describeStore(store, stream)
		store.End(trace.WithTimestamp(stream.Time))
	}
	var below map[string]trace.SpanContext
	children := 0
	for i := range e.Steps.few {
		out := &e.Steps.few[i]
		if out.Type != typeEgress || out.Error == errorNoEcho {
			continue
		}
		if children++; children > maxChildren && out.Hop == "" {
			continue
		}
		sent := b.egress(ctx, e, out, template)
		if out.Hop == "" {
			continue
		}
		if below == nil {
			below = make(map[string]trace.SpanContext)
		}
		below[out.Hop] = sent
	}
	return below
}

// egress makes the span of one receiver.
func (b *Bridge) egress(ctx context.Context, e *event, out *step, template string) trace.SpanContext {
	operation := "forward"
	if out.Kind == kindClient {
		operation = "deliver"
	}
	_, span := b.begin(ctx, e, operation, template, template)
	if span.IsRecording() {
		peer(span, out)
		text(span, out.Queue, func(v string) attribute.KeyValue { return attribute.String("messaging.nats.queue", v) })
		text(span, out.Account, func(v string) attribute.KeyValue { return attribute.String("messaging.nats.account", v) })
		text(span, out.Hop, func(v string) attribute.KeyValue { return attribute.String("messaging.nats.hop", v) })
		fail(span, out.Error)
	}
	span.End(trace.WithTimestamp(out.Time))
	return span.SpanContext()
}

// begin starts a span when the message came in.
func (b *Bridge) begin(ctx context.Context, e *event, operation, destination, template string) (context.Context, trace.Span) {
	name := operation
	if destination != "" {
		name += " " + destination
	}
	ctx, span := b.tracer.Start(ctx, name, trace.WithSpanKind(trace.SpanKindInternal), trace.WithTimestamp(e.ingress().Time))
	if span.IsRecording() {
		span.SetAttributes(attribute.String("messaging.system", "nats"), attribute.String("messaging.operation.name", operation))
		text(span, template, func(v string) attribute.KeyValue { return attribute.String("messaging.destination.template", v) })
		text(span, e.Server.Name, func(v string) attribute.KeyValue { return attribute.String("messaging.nats.server.name", v) })
	}
	return ctx, span
}

// describe says of a span where the message was, how it came there, and what was made of its subject.
func (b *Bridge) describe(span trace.Span, e *event) {
	if !span.IsRecording() {
		return
	}
	in := e.ingress()
	peer(span, &in)
	text(span, e.Server.ID, func(v string) attribute.KeyValue { return attribute.String("messaging.nats.server.id", v) })
	text(span, e.Server.Cluster, func(v string) attribute.KeyValue { return attribute.String("messaging.nats.server.cluster", v) })
	text(span, e.Server.Version, func(v string) attribute.KeyValue { return attribute.String("messaging.nats.server.version", v) })
	text(span, in.Account, func(v string) attribute.KeyValue { return attribute.String("messaging.nats.account", v) })
	text(span, e.hop(), func(v string) attribute.KeyValue { return attribute.String("messaging.nats.hop", v) })
	text(span, e.Request.Header[headerID], func(v string) attribute.KeyValue { return attribute.String("messaging.message.id", v) })
	if e.Request.Size > 0 {
		span.SetAttributes(attribute.Int("messaging.message.envelope.size", e.Request.Size))
	}
	if e.Steps.egress > 0 {
		span.SetAttributes(attribute.Int("messaging.nats.egress.count", e.Steps.egress))
	}
	var imports, exports []string
	for _, one := range e.Steps.few {
		switch one.Type {
		case typeMapping:
			text(span, b.template(one.To), func(v string) attribute.KeyValue { return attribute.String("messaging.nats.mapped.template", v) })
		case typeImport:
			imports = append(imports, one.Account)
		case typeExport:
			exports = append(exports, one.Account)
		}
	}
	if len(imports) > 0 {
		span.SetAttributes(attribute.StringSlice("messaging.nats.service_imports", imports[:min(len(imports), maxChildren)]))
	}
	if len(exports) > 0 {
		span.SetAttributes(attribute.StringSlice("messaging.nats.stream_exports", exports[:min(len(exports), maxChildren)]))
	}
}

// describeStore says of a span what a stream made of the message.
func (b *Bridge) describeStore(span trace.Span, stream *step) {
	if !span.IsRecording() {
		return
	}
	text(span, stream.Stream, func(v string) attribute.KeyValue { return attribute.String("messaging.destination.name", v) })
	text(span, stream.Stream, func(v string) attribute.KeyValue { return attribute.String("messaging.nats.stream", v) })
	if stream.NoInterest {
		span.SetAttributes(attribute.Bool("messaging.nats.no_interest", true))
	}
	if stream.Error == errorDuplicate {
		span.SetAttributes(attribute.Bool("messaging.nats.duplicate", true))
		return
	}
	fail(span, stream.Error)
}

// peer says who is at the other end of a connection.
func peer(span trace.Span, s *step) {
	span.SetAttributes(attribute.String("messaging.nats.peer.kind", kind(s.Kind)))
	text(span, s.Name, func(v string) attribute.KeyValue { return attribute.String("messaging.nats.peer.name", v) })
}

// text sets an attribute that is not empty.
func text(span trace.Span, value string, attr func(string) attribute.KeyValue) {
	if value != "" {
		span.SetAttributes(attr(value))
	}
}

// fail says of a span what went wrong, if anything did.
func fail(span trace.Span, message string) {
	if message == "" || !span.IsRecording() {
		return
	}
	what := errorType(message)
	span.SetAttributes(attribute.String("error.type", what))
	if what == errorOther {
		span.SetStatus(codes.Error, message)
		return
	}
	span.SetStatus(codes.Error, what)
}

// stream is the step into a stream; nil if the message went into none.
func (e *event) stream() *step {
	for i := range e.Steps.few {
		if e.Steps.few[i].Type == typeStream {
			return &e.Steps.few[i]
		}
	}
	return nil
}

// isStoreOnly reports whether the message went into a stream and nowhere else.
func (e *event) isStoreOnly() bool {
	return e.Steps.egress == 0 && e.ingress().Error == ""
}
