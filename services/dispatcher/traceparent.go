package dispatcher

import (
	"go.opentelemetry.io/otel/trace"

	"github.com/neuron7x/mlsdm-integrations/internal/egress"
)

// traceParentLen is the length of a traceparent of version 00 (W3C Trace Context).
const traceParentLen = len("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")

// traceContext is what a receiver is told of the trace; empty texts are not sent.
type traceContext struct{ parent, state string }

// checkedTrace returns a publisher's trace context as far as it is what it should be: nothing else gets into our headers.
func checkedTrace(parent, state string) traceContext {
	if !isTraceParent(parent) {
		return traceContext{}
	}
	if state != "" {
		read, err := trace.ParseTraceState(state)
		if err != nil { // it may be left out when it cannot be read
			return traceContext{parent: parent}
		}
		state = read.String()
	}
	return traceContext{parent: parent, state: state}
}

// append adds the headers.
func (t traceContext) append(header []egress.Field) []egress.Field {
	if t.parent == "" {
		return header
	}
	header = append(header, egress.Field{Name: "Traceparent", Value: t.parent})
	if t.state != "" {
		header = append(header, egress.Field{Name: "Tracestate", Value: t.state})
	}
	return header
}

// isTraceParent reports whether text is a traceparent.
func isTraceParent(text string) bool {
	if len(text) != traceParentLen {
		return false
	}
	for i := range len(text) {
		c := text[i]
		switch i {
		case 2, 35, 52:
			if c != '-' {
				return false
			}
		default:
			if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
				return false
			}
		}
	}
	return true
}
