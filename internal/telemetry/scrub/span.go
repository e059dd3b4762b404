package scrub

import (
	"context"
	"net/url"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// Spans returns an exporter that hands to next what s leaves of the spans. The work is done where spans are exported, not where they
// end.
func Spans(s *Scrubber, next sdktrace.SpanExporter) sdktrace.SpanExporter {
	return &spanExporter{scrubber: s, next: next}
}

type spanExporter struct {
	scrubber *Scrubber
	next     sdktrace.SpanExporter
}

// ExportSpans implements [sdktrace.SpanExporter].
func (e *spanExporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	clean := make([]sdktrace.ReadOnlySpan, len(spans))
	resources := map[*resource.Resource]*resource.Resource{} // there is one, as a rule
	for i, span := range spans {
		res := span.Resource()
		if _, ok := resources[res]; !ok {
			resources[res] = e.scrubber.Resource(res)
		}
		clean[i] = e.scrubber.span(span, resources[res])
	}
	return e.next.ExportSpans(ctx, clean)
}

// Shutdown implements [sdktrace.SpanExporter].
func (e *spanExporter) Shutdown(ctx context.Context) error { return e.next.Shutdown(ctx) }

// span is a span with everything replaced that may hold text. What is not replaced has none: ids, times, kinds, counts.
type span struct {
	sdktrace.ReadOnlySpan
	name       string
	attributes []attribute.KeyValue
	events     []sdktrace.Event
	links      []sdktrace.Link
	status     sdktrace.Status
	scope      instrumentation.Scope
	resource   *resource.Resource
	dropped    int
}

// Name implements [sdktrace.ReadOnlySpan].
func (s *span) Name() string { return s.name }

// SpanContext implements [sdktrace.ReadOnlySpan].
func (s *span) SpanContext() trace.SpanContext { return bare(s.ReadOnlySpan.SpanContext()) }

// Parent implements [sdktrace.ReadOnlySpan].
func (s *span) Parent() trace.SpanContext { return bare(s.ReadOnlySpan.Parent()) }

// bare returns a span context without its state, which is text that others have sent along.
func bare(c trace.SpanContext) trace.SpanContext { return c.WithTraceState(trace.TraceState{}) }

// Attributes implements [sdktrace.ReadOnlySpan].
func (s *span) Attributes() []attribute.KeyValue { return s.attributes }

// Events implements [sdktrace.ReadOnlySpan].
func (s *span) Events() []sdktrace.Event { return s.events }

// Links implements [sdktrace.ReadOnlySpan].
func (s *span) Links() []sdktrace.Link { return s.links }

// Status implements [sdktrace.ReadOnlySpan].
func (s *span) Status() sdktrace.Status { return s.status }

// InstrumentationScope implements [sdktrace.ReadOnlySpan].
func (s *span) InstrumentationScope() instrumentation.Scope { return s.scope }

// InstrumentationLibrary implements [sdktrace.ReadOnlySpan].
func (s *span) InstrumentationLibrary() instrumentation.Library { //nolint:staticcheck // it is part of the interface
	return s.scope
}

// Resource implements [sdktrace.ReadOnlySpan].
func (s *span) Resource() *resource.Resource { return s.resource }

// DroppedAttributes implements [sdktrace.ReadOnlySpan].
func (s *span) DroppedAttributes() int { return s.dropped }

func (s *Scrubber) span(in sdktrace.ReadOnlySpan, res *resource.Resource) *span {
	out := &span{ReadOnlySpan: in, name: s.name(in.Name()), status: in.Status(), resource: res, dropped: in.DroppedAttributes()}
	before := in.Attributes()
	out.attributes = s.Attributes(before)
	out.dropped += len(before) - len(out.attributes)
	out.status.Description = s.Text(out.status.Description)
	out.scope = s.Scope(in.InstrumentationScope())
	if events := in.Events(); len(events) > 0 {
		out.events = make([]sdktrace.Event, len(events))
		for i, event := range events {
			out.events[i] = event
			out.events[i].Name = s.name(event.Name)
			out.events[i].Attributes = s.Attributes(event.Attributes)
			out.events[i].DroppedAttributeCount += len(event.Attributes) - len(out.events[i].Attributes)
		}
	}
	if links := in.Links(); len(links) > 0 {
		out.links = make([]sdktrace.Link, len(links))
		for i, link := range links {
			out.links[i] = link
			out.links[i].SpanContext = bare(link.SpanContext)
			out.links[i].Attributes = s.Attributes(link.Attributes)
			out.links[i].DroppedAttributeCount += len(link.Attributes) - len(out.links[i].Attributes)
		}
	}
	return out
}

// Scope returns what may be told of an instrumentation scope: its name and its version.
func (s *Scrubber) Scope(in instrumentation.Scope) instrumentation.Scope {
	return instrumentation.Scope{Name: s.name(in.Name), Version: s.name(in.Version), SchemaURL: s.name(in.SchemaURL)}
}

// Resource returns what may be told of a resource: the keys of [Keys], and those of the operator.
func (s *Scrubber) Resource(in *resource.Resource) *resource.Resource {
	if in == nil {
		return nil
	}
	var clean []attribute.KeyValue
	for _, a := range in.Attributes() {
		if limit, ok := s.limit(string(a.Key)); ok {
			clean = append(clean, s.attribute(a, limit))
		} else if s.resource[string(a.Key)] {
			clean = append(clean, s.attribute(a, maxValue))
		}
	}
	return resource.NewWithAttributes(s.name(in.SchemaURL()), clean...)
}

// Attributes returns those that may be told, without what must not be in their values. It does not change what it is given.
func (s *Scrubber) Attributes(in []attribute.KeyValue) []attribute.KeyValue {
	if len(in) == 0 {
		return nil
	}
	out := make([]attribute.KeyValue, 0, len(in))
	for _, a := range in {
		if limit, ok := s.limit(string(a.Key)); ok {
			out = append(out, s.attribute(a, limit))
		}
	}
	return out
}

// limit returns how many bytes the value of a key may have, and whether it may be told at all.
func (s *Scrubber) limit(key string) (int, bool) {
	limit, ok := s.limits[key]
	return limit, ok
}

// urlFull is the key of a whole URL.
const urlFull = "url.full"

// maxElements bounds the values that are lists.
const maxElements = 128

// attribute returns one whose key may be told.
func (s *Scrubber) attribute(a attribute.KeyValue, limit int) attribute.KeyValue {
	switch a.Value.Type() {
	case attribute.EMPTY, attribute.BOOL, attribute.INT64, attribute.FLOAT64, attribute.BOOLSLICE, attribute.INT64SLICE, attribute.FLOAT64SLICE:
		return a
	case attribute.STRING:
		text := a.Value.AsString()
		if a.Key == urlFull {
			text = withoutQuery(text)
		}
		if clean := s.text(text, limit); clean != a.Value.AsString() {
			return a.Key.String(clean)
		}
		return a
	case attribute.STRINGSLICE:
		texts := a.Value.AsStringSlice() // a copy
		texts = texts[:min(len(texts), maxElements)]
		for i, text := range texts {
			texts[i] = s.text(text, limit/max(1, len(texts)))
		}
		return a.Key.StringSlice(texts)
	default: // what there will be one day
		return a.Key.String(Redacted)
	}
}

// withoutQuery returns a URL without its user info, its query and its fragment.
func withoutQuery(text string) string {
	if i := strings.IndexAny(text, "?#"); i >= 0 {
		text = text[:i]
	}
	u, err := url.Parse(text)
	if err != nil {
		return Redacted
	}
	if u.User != nil {
		u.User = url.User("redacted")
		return u.String()
	}
	return text
}
