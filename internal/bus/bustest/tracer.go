package bustest

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/neuron7x/mlsdm-integrations/internal/telemetry/conventions"
)

// Tracer returns what makes the spans of a test. All that end before the test does are held against the conventions, and one that
// violates them fails the test. The processors get them too. Ask for it before what makes the spans is started, so that it is closed
// after that; what ends later is not looked at. A benchmark has no spans, unless it has a processor for them.
func Tracer(t testing.TB, processors ...sdktrace.SpanProcessor) trace.TracerProvider {
	t.Helper()
	if _, measured := t.(*testing.B); measured {
		if len(processors) == 0 {
			return noop.NewTracerProvider()
		}
	} else {
		c := &checker{}
		t.Cleanup(func() { c.close(t) })
		processors = append(slices.Clone(processors), c)
	}
	options := []sdktrace.TracerProviderOption{sdktrace.WithSampler(sdktrace.AlwaysSample())}
	for _, p := range processors {
		options = append(options, sdktrace.WithSpanProcessor(p))
	}
	return sdktrace.NewTracerProvider(options...)
}

// maxViolations is how many different violations one test tells.
const maxViolations = 20

// checker is a span processor that holds spans against the conventions as they end. It keeps none.
type checker struct {
	mu     sync.Mutex
	closed bool
	wrong  []string
}

// OnStart implements [sdktrace.SpanProcessor].
func (*checker) OnStart(context.Context, sdktrace.ReadWriteSpan) {}

// OnEnd implements [sdktrace.SpanProcessor].
func (c *checker) OnEnd(span sdktrace.ReadOnlySpan) {
	violations := conventions.Check(span)
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, v := range violations {
		if !c.closed && len(c.wrong) < maxViolations && !slices.Contains(c.wrong, v) {
			c.wrong = append(c.wrong, v)
		}
	}
}

// ForceFlush implements [sdktrace.SpanProcessor].
func (*checker) ForceFlush(context.Context) error { return nil }

// Shutdown implements [sdktrace.SpanProcessor].
func (*checker) Shutdown(context.Context) error { return nil }

// close fails the test if a span was not as it should be.
func (c *checker) close(t testing.TB) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	if len(c.wrong) > 0 {
		t.Errorf("spans violate the conventions:\n%s", strings.Join(c.wrong, "\n"))
	}
}
