package conventions

import "go.opentelemetry.io/otel/trace"

// database holds a span against https://opentelemetry.io/docs/specs/semconv/db/database-spans/.
func (s *subject) database() {
	s.needs("db.system.name", "db.operation.name")
	operation := s.text("db.operation.name")
	target := s.text("db.collection.name")
	for _, next := range []string{s.text("db.namespace"), s.text("server.address")} {
		if target == "" {
			target = next
		}
	}
	switch summary := s.text("db.query.summary"); {
	case summary != "":
		s.named(summary)
	case target != "":
		s.named(operation+" "+target, operation)
	default:
		s.named(operation)
	}
	if kind := s.span.SpanKind(); kind != trace.SpanKindClient && kind != trace.SpanKindInternal {
		s.violates("it is a %s; it should be a client, or internal for a database in the process", kind)
	}
	if n, ok := s.number("db.operation.batch.size"); ok && n < 2 {
		s.violates("db.operation.batch.size is %d; it stands there for two and more", n)
	}
}
