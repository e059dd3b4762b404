package bus

import (
	"context"
	"errors"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// The spans of the bus follow OpenTelemetry's conventions for messaging
// (https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/). These have no page about NATS: what is its own stands
// under messaging.nats.
const (
	system = "nats"

	keySystem        = attribute.Key("messaging.system")
	keyOperation     = attribute.Key("messaging.operation.name")
	keyOperationType = attribute.Key("messaging.operation.type")
	keyDestination   = attribute.Key("messaging.destination.name")
	keyTemplate      = attribute.Key("messaging.destination.template")
	keyBatch         = attribute.Key("messaging.batch.message_count")
	keyGroup         = attribute.Key("messaging.consumer.group.name")
	keyMessageID     = attribute.Key("messaging.message.id")
	keyConversation  = attribute.Key("messaging.message.conversation_id")
	keyStream        = attribute.Key("messaging.nats.stream")
	keyConsumer      = attribute.Key("messaging.nats.consumer")
	keySequence      = attribute.Key("messaging.nats.sequence")
	keyDelivered     = attribute.Key("messaging.nats.num_delivered")
	keyWait          = attribute.Key("messaging.nats.wait_ms") // from when the message was stored until it is handled
	keyDuplicate     = attribute.Key("messaging.nats.duplicate")
	keySettle        = attribute.Key("messaging.nats.settle") // ack, retry, later, dead or returned
	keyDelay         = attribute.Key("mlsdm.retry.delay")     // seconds until the message comes again
	keyCaller        = attribute.Key("mlsdm.caller")
	keyErrorType     = attribute.Key("error.type")
	keyDBSystem      = attribute.Key("db.system.name")
	keyDBOperation   = attribute.Key("db.operation.name")
	keyDBCollection  = attribute.Key("db.collection.name")
)

// defaultSlow is how long what is usually quick may take before it is worth a span.
const defaultSlow = 10 * time.Millisecond

// destination is where messages go whose subjects differ only in ids. What all spans about it share is made once.
type destination struct {
	name                       string
	publish, request, consumed shape
	served                     shape
}

// newDestination returns a destination of that template.
func newDestination(name string) *destination {
	return &destination{
		name:    name,
		publish: newShape(trace.SpanKindProducer, "publish", "send", name),
		request: newShape(trace.SpanKindClient, "request", "send", name),
		// One message is processed at a time, later and elsewhere.
		consumed: newShape(trace.SpanKindConsumer, "process", "process", name),
		// The caller waits for it: the other half of a request.
		served: newShape(trace.SpanKindServer, "process", "process", name),
	}
}

// shape is what all spans of one operation have in common.
type shape struct {
	name    string
	options []trace.SpanStartOption // with no room behind them: who adds others gets a copy
}

// newShape returns the shape of an operation on a destination. A destination without ids in its subjects is named too.
func newShape(kind trace.SpanKind, operation, operationType, template string) shape {
	attrs := []attribute.KeyValue{
		keySystem.String(system), keyOperation.String(operation), keyOperationType.String(operationType), keyTemplate.String(template),
	}
	if !strings.ContainsRune(template, '{') {
		attrs = append(attrs, keyDestination.String(template))
	}
	return shape{
		name:    operation + " " + template,
		options: []trace.SpanStartOption{trace.WithSpanKind(kind), trace.WithAttributes(attrs...)}[:2:2],
	}
}

// start starts a span of that shape.
func (b *Bus) start(ctx context.Context, s *shape, more ...trace.SpanStartOption) (context.Context, trace.Span) {
	if len(more) == 0 {
		return b.tracer.Start(ctx, s.name, s.options...)
	}
	return b.tracer.Start(ctx, s.name, append(s.options, more...)...)
}

// failed marks a span as that of something that failed. Only the code of the error is told: its text may say what is nobody's
// business.
func failed(span trace.Span, err error) {
	code := string(events.CodeOf(err))
	span.SetAttributes(keyErrorType.String(code))
	span.SetStatus(codes.Error, code)
}

// describe says on a span which message it is about.
func describe(span trace.Span, header map[string][]string, id string, more ...attribute.KeyValue) {
	if !span.IsRecording() {
		return
	}
	if id == "" {
		id = events.HeaderValue(header, events.HeaderMsgID)
	}
	if id != "" {
		more = append(more, keyMessageID.String(id))
	}
	if request := events.HeaderValue(header, events.HeaderRequestID); request != "" {
		more = append(more, keyConversation.String(request))
	}
	if len(more) > 0 {
		span.SetAttributes(more...)
	}
}

// callerOf is the attribute that says who asks; none for the one who has no name.
func callerOf(caller string) []attribute.KeyValue {
	if caller == events.DefaultCaller {
		return nil
	}
	return []attribute.KeyValue{keyCaller.String(caller)}
}

// causeOf returns ctx with the span that a message which is to be sent continues. A message that is of another trace than ctx stays
// in its own, and the link says who sends it: what is sent again hours later still belongs to the trace of what caused it.
func causeOf(ctx context.Context, header map[string][]string, body []byte) (context.Context, []trace.SpanStartOption) {
	own := trace.SpanContextFromContext(ctx)
	if own.IsValid() {
		body = nil // a structured event says who made it, which ctx knows better
	}
	theirs := remoteSpan(header, body)
	switch {
	case !theirs.IsValid() || own.TraceID() == theirs.TraceID():
		return ctx, nil
	case !own.IsValid():
		return trace.ContextWithRemoteSpanContext(ctx, theirs), nil
	default:
		return trace.ContextWithRemoteSpanContext(ctx, theirs), []trace.SpanStartOption{trace.WithLinks(trace.Link{SpanContext: own})}
	}
}

// clock is when something begins that is worth a span only if it is slow or fails; the zero time when nobody looks at spans.
func (b *Bus) clock() time.Time {
	if !b.tracing {
		return time.Time{}
	}
	return time.Now()
}

// notable reports whether something that began then, and has just ended, failed or was slow, and is a part of a trace.
func (b *Bus) notable(ctx context.Context, began time.Time, err error) bool {
	return !began.IsZero() && (err != nil || time.Since(began) >= b.slow) && trace.SpanContextFromContext(ctx).IsValid()
}

// afterwards makes the span of something that began then and has just ended.
func (b *Bus) afterwards(ctx context.Context, began time.Time, s *shape, err error, attrs ...attribute.KeyValue) {
	_, span := b.start(ctx, s, trace.WithTimestamp(began), trace.WithAttributes(attrs...))
	if err != nil {
		failed(span, err)
	}
	span.End()
}

// stores makes the span of an operation on a bucket, an object store or a counter, by the conventions for databases, if it is
// notable. That a key is not there, or was changed by somebody else, is an answer and no failure.
func (b *Bus) stores(ctx context.Context, began time.Time, operation, collection string, err error) {
	if err = expected(err); !b.notable(ctx, began, err) {
		return
	}
	s := shape{name: operation + " " + collection, options: []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindClient)}}
	b.afterwards(ctx, began, &s, err, keyDBSystem.String(system), keyDBOperation.String(operation), keyDBCollection.String(collection))
}

// receives makes the span of reading messages of a stream for somebody who waits for them, if it is notable.
func (b *Bus) receives(ctx context.Context, began time.Time, stream string, messages int, err error) {
	if err = expected(err); b.notable(ctx, began, err) {
		b.afterwards(ctx, began, receiving(stream), err, keyBatch.Int(messages))
	}
}

// receiving is the shape of receiving messages of a stream.
func receiving(stream string) *shape {
	return &shape{name: "receive " + stream, options: []trace.SpanStartOption{
		trace.WithSpanKind(trace.SpanKindClient),
		trace.WithAttributes(
			keySystem.String(system), keyOperation.String("receive"), keyOperationType.String("receive"),
			keyDestination.String(stream), keyStream.String(stream),
		),
	}}
}

// expected returns nothing for an error that is an answer like another.
func expected(err error) error {
	if errors.Is(err, ErrNotFound) || errors.Is(err, ErrConflict) {
		return nil
	}
	return err
}
