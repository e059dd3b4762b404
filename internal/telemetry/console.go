package telemetry

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode"

	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// console is an exporter that writes each trace as a tree for people.
type console struct{ out io.Writer }

// ExportSpans implements [sdktrace.SpanExporter]; the spans are those of one trace.
func (c console) ExportSpans(_ context.Context, spans []sdktrace.ReadOnlySpan) error {
	var b bytes.Buffer
	writeTree(&b, spans)
	_, err := c.out.Write(b.Bytes())
	return err
}

// Shutdown implements [sdktrace.SpanExporter].
func (console) Shutdown(context.Context) error { return nil }

// writeTree writes the spans of one trace, each below its parent, in the order of their starts.
func writeTree(b *bytes.Buffer, spans []sdktrace.ReadOnlySpan) {
	if len(spans) == 0 {
		return
	}
	known := map[trace.SpanID]bool{}
	for _, s := range spans {
		known[s.SpanContext().SpanID()] = true
	}
	children := map[trace.SpanID][]sdktrace.ReadOnlySpan{}
	sorted := slices.SortedStableFunc(slices.Values(spans), func(a, b sdktrace.ReadOnlySpan) int { return a.StartTime().Compare(b.StartTime()) })
	for _, s := range sorted {
		parent := s.Parent().SpanID()
		if !known[parent] {
			parent = trace.SpanID{}
		}
		children[parent] = append(children[parent], s)
	}
	fmt.Fprintf(b, "trace %s\n", spans[0].SpanContext().TraceID())
	start := sorted[0].StartTime()
	var write func(parent trace.SpanID, indent string)
	write = func(parent trace.SpanID, indent string) {
		for _, s := range children[parent] {
			fmt.Fprintf(b, "  %s%s  %s", indent, printable(s.Name()), round(s.EndTime().Sub(s.StartTime())))
			if after := s.StartTime().Sub(start); after > 0 {
				fmt.Fprintf(b, " at +%s", round(after))
			}
			if s.Status().Code == codes.Error {
				fmt.Fprintf(b, "  ERROR %s", printable(s.Status().Description))
			}
			writeAttributes(b, s)
			b.WriteByte('\n')
			write(s.SpanContext().SpanID(), indent+"  ")
		}
	}
	write(trace.SpanID{}, "")
}

// maxShown is how many attributes of a span are shown, maxShownValue how much of each.
const (
	maxShown      = 8
	maxShownValue = 60
)

// writeAttributes writes those that tell two spans of the same name apart.
func writeAttributes(b *bytes.Buffer, s sdktrace.ReadOnlySpan) {
	shown := 0
	for _, a := range s.Attributes() {
		switch a.Key {
		case "messaging.system", "messaging.operation.name", "messaging.operation.type", "messaging.destination.template", "exception.stacktrace":
			continue // the name says it, or it is too long
		}
		if shown++; shown > maxShown {
			b.WriteString(" …")
			return
		}
		value := printable(a.Value.Emit()) //nolint:staticcheck // it is for people
		if runes := []rune(value); len(runes) > maxShownValue {
			value = string(runes[:maxShownValue]) + "…"
		}
		fmt.Fprintf(b, " %s=%s", a.Key, value)
	}
}

// printable returns a text on one line without what could move the cursor of a terminal or turn the order of what is read.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return ' '
		case r < ' ' || r >= 0x7f && r < 0xa0, unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp):
			return -1
		}
		return r
	}, text)
}

// round leaves three digits or so of a duration.
func round(d time.Duration) time.Duration {
	switch {
	case d >= 10*time.Second:
		return d.Round(100 * time.Millisecond)
	case d >= 10*time.Millisecond:
		return d.Round(100 * time.Microsecond)
	default:
		return d.Round(time.Microsecond)
	}
}
