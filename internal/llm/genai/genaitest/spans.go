// Package genaitest records the spans of a test, and reads them.
package genaitest

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/genai"
)

// Patience is how long a test waits for a span that must come.
const Patience = 30 * time.Second

// Spans are those of a test, all of them held against the conventions.
type Spans struct {
	// Provider makes them.
	Provider trace.TracerProvider

	recorder *tracetest.SpanRecorder
}

// New returns the spans of a test, of which there are none yet.
func New(t testing.TB) *Spans {
	t.Helper()
	recorder := tracetest.NewSpanRecorder()
	return &Spans{Provider: bustest.Tracer(t, recorder), recorder: recorder}
}

// Recorder makes a recorder of attempts that makes its spans here.
func (s *Spans) Recorder(t testing.TB, content bool) *genai.Recorder {
	t.Helper()
	r, err := genai.New(genai.Config{Tracer: s.Provider, Content: content, Metrics: prometheus.NewRegistry()})
	require.NoError(t, err)
	return r
}

// Named returns the spans of that name that have ended, in the order in which they began.
func (s *Spans) Named(name string) []sdktrace.ReadOnlySpan {
	ended := make(map[trace.SpanID]bool)
	for _, span := range s.recorder.Ended() {
		ended[span.SpanContext().SpanID()] = true
	}
	var list []sdktrace.ReadOnlySpan
	for _, span := range s.recorder.Started() {
		if span.Name() == name && ended[span.SpanContext().SpanID()] {
			list = append(list, span)
		}
	}
	return list
}

// Open counts the spans of that name that have begun and not ended.
func (s *Spans) Open(name string) int {
	n := -len(s.Named(name))
	for _, span := range s.recorder.Started() {
		if span.Name() == name {
			n++
		}
	}
	return n
}

// Wait waits until so many spans of that name have ended, and returns them; it is an error if there are more.
func (s *Spans) Wait(t testing.TB, name string, n int) []sdktrace.ReadOnlySpan {
	t.Helper()
	require.Eventually(t, func() bool { return len(s.Named(name)) >= n }, Patience, time.Millisecond, "there are not %d spans %q", n, name)
	list := s.Named(name)
	require.Len(t, list, n)
	return list
}

// Attributes are those of a span, by their keys.
func Attributes(span sdktrace.ReadOnlySpan) map[string]any {
	all := make(map[string]any)
	for _, kv := range span.Attributes() {
		all[string(kv.Key)] = kv.Value.AsInterface()
	}
	return all
}

// Values are those of some attributes of spans, a list for each span; nil where a span has none of that key.
func Values(spans []sdktrace.ReadOnlySpan, keys ...attribute.Key) [][]any {
	var list [][]any
	for _, span := range spans {
		all := Attributes(span)
		var values []any
		for _, key := range keys {
			values = append(values, all[string(key)])
		}
		list = append(list, values)
	}
	return list
}
