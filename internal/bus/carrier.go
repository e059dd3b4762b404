package bus

import (
	"context"
	"encoding/hex"
	"strings"

	"go.opentelemetry.io/otel/trace"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// OpenTelemetry's own carrier of headers canonicalises names as HTTP does ("Traceparent"), which NATS clients of other languages
// then do not find, because NATS headers are case-sensitive. What is here writes the lower case of the W3C recommendation
// (https://www.w3.org/TR/trace-context/) and reads any case, of names and of values.

// The form of a traceparent of version 00: version, trace, span and flags in hex, joined by hyphens.
const (
	traceParentLen = len("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	traceIDAt      = len("00-")
	spanIDAt       = traceIDAt + 32 + 1
	flagsAt        = spanIDAt + 16 + 1
)

// ContextFromHeader returns ctx with the trace context that header carries: as a header of its own, or as an attribute of a
// CloudEvent in binary form.
func ContextFromHeader(ctx context.Context, header map[string][]string) context.Context {
	if sc := remoteSpan(header, nil); sc.IsValid() {
		return trace.ContextWithRemoteSpanContext(ctx, sc)
	}
	return ctx
}

// ContextFromHeaderIfNone is [ContextFromHeader] for a ctx that has no trace of its own.
func ContextFromHeaderIfNone(ctx context.Context, header map[string][]string) context.Context {
	if trace.SpanContextFromContext(ctx).IsValid() {
		return ctx
	}
	return ContextFromHeader(ctx, header)
}

// InjectTrace writes ctx's trace context into header, in the place of any that is there; without one it changes nothing.
func InjectTrace(ctx context.Context, header map[string][]string) {
	inject(trace.SpanContextFromContext(ctx), header)
}

// inject writes a trace context into header, in the place of any that is there.
func inject(sc trace.SpanContext, header map[string][]string) {
	if !sc.IsValid() {
		return
	}
	untrace(header)
	header[events.HeaderTraceParent] = []string{formatTraceParent(sc)}
	if state := sc.TraceState().String(); state != "" {
		header[events.HeaderTraceState] = []string{state}
	}
}

// untrace takes the trace context out of header, and reports whether there was one: what would be too large with it goes without.
func untrace(header map[string][]string) (had bool) {
	for name := range header {
		if strings.EqualFold(name, events.HeaderTraceParent) || strings.EqualFold(name, events.HeaderTraceState) {
			delete(header, name)
			had = true
		}
	}
	return had
}

// formatTraceParent writes a traceparent of version 00.
func formatTraceParent(sc trace.SpanContext) string {
	traceID, spanID := sc.TraceID(), sc.SpanID()
	var text [traceParentLen]byte
	text[0], text[1], text[2], text[spanIDAt-1], text[flagsAt-1] = '0', '0', '-', '-', '-'
	hex.Encode(text[traceIDAt:], traceID[:])
	hex.Encode(text[spanIDAt:], spanID[:])
	hex.Encode(text[flagsAt:], []byte{byte(sc.TraceFlags() & (trace.FlagsSampled | trace.FlagsRandom))})
	return string(text[:])
}

// remoteSpan reads the trace context of a message; see [events.TraceContext]. A body of nil is not looked into. One that cannot be
// read is none: the recommendation has a new trace begin then.
func remoteSpan(header map[string][]string, body []byte) trace.SpanContext {
	parent, state := events.TraceContext(header, body)
	if parent == "" {
		return trace.SpanContext{}
	}
	sc, ok := parseTraceParent(parent)
	if !ok {
		return trace.SpanContext{}
	}
	if state != "" {
		if read, err := trace.ParseTraceState(state); err == nil { // it may be left out when it cannot be read
			sc = sc.WithTraceState(read)
		}
	}
	return sc
}

// parseTraceParent reads a traceparent. Of a version to come, it reads what is known.
func parseTraceParent(text string) (trace.SpanContext, bool) {
	text = strings.ToLower(strings.TrimSpace(text))
	if len(text) < traceParentLen || text[traceIDAt-1] != '-' || text[spanIDAt-1] != '-' || text[flagsAt-1] != '-' || text[:2] == "ff" ||
		len(text) > traceParentLen && (text[:2] == "00" || text[traceParentLen] != '-') {
		return trace.SpanContext{}, false
	}
	var version, flags [1]byte
	if _, err := hex.Decode(version[:], []byte(text[:2])); err != nil {
		return trace.SpanContext{}, false
	}
	if _, err := hex.Decode(flags[:], []byte(text[flagsAt:traceParentLen])); err != nil {
		return trace.SpanContext{}, false
	}
	traceID, err := trace.TraceIDFromHex(text[traceIDAt : spanIDAt-1])
	if err != nil {
		return trace.SpanContext{}, false
	}
	spanID, err := trace.SpanIDFromHex(text[spanIDAt : flagsAt-1])
	if err != nil {
		return trace.SpanContext{}, false
	}
	return trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: traceID, SpanID: spanID, TraceFlags: trace.TraceFlags(flags[0]) & (trace.FlagsSampled | trace.FlagsRandom), Remote: true,
	}), true
}
