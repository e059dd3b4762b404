package conventions

import (
	"fmt"
	"slices"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/trace"
)

// Check returns what is wrong with a span that has ended, in words; nothing when it is as it should be. Which conventions it must
// follow is seen by its attributes: one that has none of them is held against the general rules alone.
func Check(span trace.ReadOnlySpan) []string {
	s := &subject{span: span, attrs: make(map[attribute.Key]attribute.Value, len(span.Attributes()))}
	for _, kv := range span.Attributes() {
		s.attrs[kv.Key] = kv.Value
	}
	switch { // a call of a model, or of a database, over HTTP is named as what it is
	case s.has("gen_ai.operation.name") || s.has("gen_ai.provider.name"):
		s.genAI()
	case s.has("db.system.name") || s.has("db.operation.name"):
		s.database()
	case s.has("messaging.system") || s.has("messaging.operation.name"):
		s.messaging()
	case s.has("http.request.method"):
		s.http()
	}
	s.general()
	slices.Sort(s.wrong)
	return s.wrong
}

// subject is a span under examination.
type subject struct {
	span  trace.ReadOnlySpan
	attrs map[attribute.Key]attribute.Value
	wrong []string
}

// violates notes what is wrong.
func (s *subject) violates(format string, args ...any) {
	s.wrong = append(s.wrong, fmt.Sprintf("span %q: ", s.span.Name())+fmt.Sprintf(format, args...))
}

// has reports whether the span has an attribute.
func (s *subject) has(key attribute.Key) bool {
	_, ok := s.attrs[key]
	return ok
}

// text returns a text attribute; empty when there is none.
func (s *subject) text(key attribute.Key) string {
	if v := s.attrs[key]; v.Type() == attribute.STRING {
		return v.AsString()
	}
	return ""
}

// number returns a whole number, and whether there is one.
func (s *subject) number(key attribute.Key) (int64, bool) {
	v := s.attrs[key]
	return v.AsInt64(), v.Type() == attribute.INT64
}

// needs notes which attributes are missing.
func (s *subject) needs(keys ...attribute.Key) {
	for _, key := range keys {
		if v, ok := s.attrs[key]; !ok || v.Type() == attribute.STRING && v.AsString() == "" {
			s.violates("%s is missing", key)
		}
	}
}

// named notes that the span should have another name.
func (s *subject) named(names ...string) {
	if !slices.Contains(names, s.span.Name()) {
		s.violates("its name should be %q", names[0])
	}
}

// among notes that an attribute has a value that the conventions do not know.
func (s *subject) among(key attribute.Key, values ...string) {
	if s.has(key) && !slices.Contains(values, s.text(key)) {
		s.violates("%s is %q; it should be one of %q", key, s.attrs[key].String(), values)
	}
}
