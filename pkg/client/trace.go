package client

import (
	"context"
	"maps"
	"strings"

	"github.com/nats-io/nats.go"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Bounds of a trace context, in bytes (https://www.w3.org/TR/trace-context/).
const (
	minTraceParent = 55
	maxTraceParent = 128 // of versions to come
	maxTraceState  = 512
	traceRoom      = 1024 // that must be free in a message: nothing is refused for its trace
)

// TraceContext has what the client asks for and publishes be a part of the caller's own traces: from returns the traceparent and the
// tracestate (W3C Trace Context) of a call's context, empty without one. An event that names its trace itself stays in that. What is
// no traceparent is not sent, and neither is one for which the message has no room. With OpenTelemetry:
//
//	client.TraceContext(func(ctx context.Context) (parent, state string) {
//		carrier := propagation.MapCarrier{}
//		propagation.TraceContext{}.Inject(ctx, carrier)
//		return carrier["traceparent"], carrier["tracestate"]
//	})
func TraceContext(from func(ctx context.Context) (parent, state string)) Option {
	return func(s *settings) { s.trace = from }
}

// traceOf returns the trace context of a call; none if it cannot be sent.
func (c *Client) traceOf(ctx context.Context) (parent, state string) {
	if c.trace == nil {
		return "", ""
	}
	parent, state = c.trace(ctx)
	if len(parent) < minTraceParent || len(parent) > maxTraceParent || strings.Trim(parent, "0123456789abcdefABCDEF-") != "" {
		return "", ""
	}
	if len(state) > maxTraceState || strings.ContainsFunc(state, func(r rune) bool { return r < ' ' || r > '~' }) {
		state = ""
	}
	return parent, state
}

// traced returns msg with the trace context of a call, unless it has one or has no room for it. It does not change msg.
func (c *Client) traced(ctx context.Context, msg *nats.Msg) *nats.Msg {
	parent, state := c.traceOf(ctx)
	if limit := c.nc.MaxPayload(); parent == "" || limit > 0 && int64(msg.Size()+traceRoom) > limit {
		return msg
	}
	if had, _ := events.TraceContext(msg.Header, nil); had != "" {
		return msg
	}
	copied := *msg
	if copied.Header = maps.Clone(msg.Header); copied.Header == nil {
		copied.Header = nats.Header{}
	}
	copied.Header[events.HeaderTraceParent] = []string{parent}
	if state != "" {
		copied.Header[events.HeaderTraceState] = []string{state}
	}
	return &copied
}
