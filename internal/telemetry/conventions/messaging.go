package conventions

import (
	"slices"

	"go.opentelemetry.io/otel/trace"
)

// messaging holds a span against https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/.
func (s *subject) messaging() {
	s.needs("messaging.system", "messaging.operation.name")
	operation, batch := s.text("messaging.operation.name"), s.has("messaging.batch.message_count")
	template, destination := s.text("messaging.destination.template"), s.text("messaging.destination.name")
	names := []string{operation}
	if destination != "" {
		names = append([]string{operation + " " + destination}, names...)
	}
	if template != "" {
		names = append([]string{operation + " " + template}, names...)
	}
	if template != "" || destination != "" {
		names = names[:len(names)-1]
	} else if !batch && s.span.SpanKind() != trace.SpanKindInternal {
		s.violates("messaging.destination.name or .template is missing")
	}
	s.named(names...)
	s.among("messaging.operation.type", "create", "send", "receive", "process", "settle")
	s.messagingKind(s.text("messaging.operation.type"))
	if n, ok := s.number("messaging.batch.message_count"); ok && n < 0 {
		s.violates("messaging.batch.message_count is %d", n)
	}
	if n, ok := s.number("messaging.nats.num_delivered"); ok && n < 1 {
		s.violates("messaging.nats.num_delivered is %d; it counts from 1", n)
	}
}

// messagingKind checks the kind that goes with a type of operation, and the links. What the broker does has no type.
func (s *subject) messagingKind(operation string) {
	var kinds []trace.SpanKind
	switch operation {
	case "create":
		kinds = []trace.SpanKind{trace.SpanKindProducer}
	case "send": // a client when the message has its context from somebody else, or somebody waits for the answer
		kinds = []trace.SpanKind{trace.SpanKindProducer, trace.SpanKindClient}
	case "receive", "settle":
		kinds = []trace.SpanKind{trace.SpanKindClient}
	case "process": // a server when somebody waits for the answer
		kinds = []trace.SpanKind{trace.SpanKindConsumer, trace.SpanKindServer}
	default:
		kinds = []trace.SpanKind{trace.SpanKindInternal}
	}
	kind := s.span.SpanKind()
	if !slices.Contains(kinds, kind) {
		s.violates("it is a %s; of type %q it should be a %s", kind, operation, kinds[0])
	}
	if kind == trace.SpanKindConsumer {
		s.needs("messaging.consumer.group.name")
		s.linked()
	}
}

// linked checks that the processing of a message is linked to what caused it, also where that is its parent.
func (s *subject) linked() {
	parent := s.span.Parent()
	if !parent.IsValid() || !parent.IsRemote() {
		return
	}
	for _, link := range s.span.Links() {
		if link.SpanContext.TraceID() == parent.TraceID() && link.SpanContext.SpanID() == parent.SpanID() {
			return
		}
	}
	s.violates("it is not linked to the context in which its message was made")
}
