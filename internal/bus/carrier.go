package bus

import (
	"context"
	"strings"

	"go.opentelemetry.io/otel/propagation"
)

// carrier is trace context in NATS headers. OpenTelemetry's own HeaderCarrier canonicalises names as HTTP does
// ("Traceparent"), which NATS clients of other languages then do not find, because NATS headers are case-sensitive. This
// one writes the lower case of the W3C recommendation and reads any case.
type carrier map[string][]string

// Get implements [propagation.TextMapCarrier].
func (c carrier) Get(key string) string {
	if v := c[key]; len(v) > 0 {
		return v[0]
	}
	for k, v := range c {
		if len(v) > 0 && len(k) == len(key) && strings.EqualFold(k, key) {
			return v[0]
		}
	}
	return ""
}

// Set implements [propagation.TextMapCarrier].
func (c carrier) Set(key, value string) {
	for k := range c {
		if strings.EqualFold(k, key) {
			delete(c, k)
		}
	}
	c[strings.ToLower(key)] = []string{value}
}

// Keys implements [propagation.TextMapCarrier].
func (c carrier) Keys() []string {
	keys := make([]string, 0, len(c))
	for k := range c {
		keys = append(keys, k)
	}
	return keys
}

// ContextFromHeader returns ctx with the trace context that header carries.
func ContextFromHeader(ctx context.Context, header map[string][]string) context.Context {
	return propagation.TraceContext{}.Extract(ctx, carrier(header))
}

// InjectTrace writes ctx's trace context into header, in the place of any that is there; without one it changes nothing.
func InjectTrace(ctx context.Context, header map[string][]string) {
	propagation.TraceContext{}.Inject(ctx, carrier(header))
}
