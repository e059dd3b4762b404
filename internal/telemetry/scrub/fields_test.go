package scrub_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/neuron7x/mlsdm-integrations/internal/telemetry/scrub"
)

// fill returns a span that has text in every field that can hold some.
func fill(text string) tracetest.SpanStub {
	state, err := trace.ParseTraceState("vendor=" + strings.Map(func(r rune) rune {
		if r <= ' ' || r > '~' || r == ',' || r == '=' {
			return -1
		}
		return r
	}, text))
	if err != nil {
		state = trace.TraceState{}
	}
	sc := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: trace.FlagsSampled, TraceState: state})
	attributes := []attribute.KeyValue{
		attribute.String("error.message", text), attribute.StringSlice("gen_ai.response.finish_reasons", []string{"stop", text}),
		attribute.String("gen_ai.input.messages", text), attribute.String("url.full", "https://example.com/?q="+text),
		attribute.String("not.on.the.list", text), attribute.String(text, "x"),
		attribute.Map("error.type", attribute.String("a", text)), attribute.ByteSlice("mlsdm.outcome", []byte(text)),
	}
	return tracetest.SpanStub{
		Name: text, SpanContext: sc, Parent: sc, Attributes: attributes,
		Events:               []sdktrace.Event{{Name: text, Attributes: append(attributes, attribute.String("exception.message", text), attribute.String("exception.stacktrace", text))}},
		Links:                []sdktrace.Link{{SpanContext: sc, Attributes: attributes}},
		Status:               sdktrace.Status{Code: codes.Error, Description: text},
		Resource:             resource.NewWithAttributes("https://example.com/schema", append(attributes, attribute.String("team", text), attribute.String("service.name", text))...),
		InstrumentationScope: instrumentation.Scope{Name: text, Version: text, SchemaURL: text, Attributes: attribute.NewSet(attributes...)},
	}
}

// TestNoFieldOfASpanLeaks puts a canary of each kind into every field at once.
func TestNoFieldOfASpanLeaks(t *testing.T) {
	t.Parallel()
	for _, content := range []bool{false, true} {
		s := scrub.New(scrub.Options{Content: content, ResourceKeys: []string{"team"}})
		for _, canary := range canaries() {
			memory := tracetest.NewInMemoryExporter()
			require.NoError(t, scrub.Spans(s, memory).ExportSpans(t.Context(), tracetest.SpanStubs{fill(canary)}.Snapshots()))
			requireGone(t, canary, fmt.Sprintf("%+v", memory.GetSpans()))
			require.NotContains(t, fmt.Sprintf("%+v", memory.GetSpans()), "not.on.the.list")
		}
	}
}

// What is innocent arrives, and content only when it is asked for.
func TestSpansArrive(t *testing.T) {
	t.Parallel()
	for _, content := range []bool{false, true} {
		memory := tracetest.NewInMemoryExporter()
		s := scrub.New(scrub.Options{Content: content, ResourceKeys: []string{"team"}})
		require.NoError(t, scrub.Spans(s, memory).ExportSpans(t.Context(), tracetest.SpanStubs{fill("words")}.Snapshots()))
		span := memory.GetSpans()[0]
		require.Equal(t, "words", span.Name)
		require.Equal(t, "words", span.Status.Description)
		require.Equal(t, codes.Error, span.Status.Code)
		require.Contains(t, span.Attributes, attribute.String("error.message", "words"))
		require.Contains(t, span.Attributes, attribute.StringSlice("gen_ai.response.finish_reasons", []string{"stop", "words"}))
		require.Contains(t, span.Attributes, attribute.String("url.full", "https://example.com/"))
		require.Equal(t, content, fmt.Sprint(span.Attributes) != "" && strings.Contains(fmt.Sprintf("%+v", span.Attributes), "gen_ai.input.messages"))
		require.Contains(t, span.Resource.Attributes(), attribute.String("team", "words"))
		require.Positive(t, span.DroppedAttributes)
		require.Equal(t, trace.TraceID{1}, span.SpanContext.TraceID())
		require.True(t, span.SpanContext.IsSampled())
		require.Equal(t, trace.SpanID{2}, span.Links[0].SpanContext.SpanID())
	}
}

// stringer and object hold text where it is not seen at once.
type stringer struct{ text string }

// String implements [fmt.Stringer].
func (s stringer) String() string { return s.text }

type valuer struct{ text string }

// LogValue implements [slog.LogValuer].
func (v valuer) LogValue() slog.Value {
	return slog.GroupValue(slog.String("inner", v.text), slog.Any("err", errors.New(v.text)))
}

type object struct {
	Text string
	List []string
}

func TestNoPartOfALogLineLeaks(t *testing.T) {
	t.Parallel()
	s := scrub.New(scrub.Options{})
	for name, canary := range canaries() {
		var out bytes.Buffer
		for _, h := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
			log := slog.New(scrub.Logs(s, h)).With("with", canary, "list", []string{canary}).WithGroup("group")
			log.InfoContext(context.Background(), "said: "+canary, //nolint:sloglint // to see that messages are searched too
				"text", canary, "err", fmt.Errorf("wrapped: %w", errors.New(canary)), "stringer", stringer{canary}, "valuer", valuer{canary},
				"object", object{canary, []string{canary}}, "pointer", &object{Text: canary}, "map", map[string]string{"k": canary}, "bytes", []byte(canary),
				slog.Group("inner", "deep", slog.GroupValue(slog.String("deeper", canary))), "any", any(canary), "join", errors.Join(errors.New("a"), errors.New(canary)),
			)
		}
		require.Contains(t, out.String(), scrub.Redacted, name)
		requireGone(t, canary, out.String())
	}
	var out bytes.Buffer
	slog.New(scrub.Logs(s, slog.NewTextHandler(&out, nil))).Info("m", "password", "short", "secret", "openai_api_key", "count", 3, "list", []int{1})
	require.Contains(t, out.String(), "password=[redacted] secret=openai_api_key count=3 list=[1]")
}

func TestNoLabelLeaks(t *testing.T) {
	t.Parallel()
	s := scrub.New(scrub.Options{})
	for _, canary := range canaries() {
		registry := prometheus.NewRegistry()
		counter := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "c", ConstLabels: prometheus.Labels{"const": canary}}, []string{"label"})
		histogram := prometheus.NewHistogram(prometheus.HistogramOpts{Name: "h", Buckets: []float64{1}})
		registry.MustRegister(counter, histogram)
		adder, ok := counter.WithLabelValues(canary).(prometheus.ExemplarAdder)
		require.True(t, ok)
		adder.AddWithExemplar(1, prometheus.Labels{"x": canary})
		observer, ok := histogram.(prometheus.ExemplarObserver)
		require.True(t, ok)
		observer.ObserveWithExemplar(0.5, prometheus.Labels{"x": canary})
		for range 2 { // the metric itself is not changed
			families, err := scrub.Metrics(s, registry).Gather()
			require.NoError(t, err)
			var out bytes.Buffer
			for _, family := range families {
				_, err := expfmt.MetricFamilyToText(&out, family)
				require.NoError(t, err)
				out.WriteString(family.String())
			}
			requireGone(t, canary, out.String())
			require.Contains(t, out.String(), scrub.Redacted)
		}
		again, err := registry.Gather()
		require.NoError(t, err)
		require.Equal(t, canary, again[0].GetMetric()[0].GetLabel()[0].GetValue())
	}
}

// BenchmarkSpan is what a span costs in the goroutine that exports it. As in life, names come again and ids do not.
func BenchmarkSpan(b *testing.B) {
	s := scrub.New(scrub.Options{})
	res := resource.NewSchemaless(attribute.String("service.name", "mlsdm-generator"))
	stubs := make(tracetest.SpanStubs, 10_000)
	for i := range stubs {
		stubs[i] = tracetest.SpanStub{
			Name: "chat gpt-4o-mini", Resource: res,
			Attributes: []attribute.KeyValue{
				attribute.String("gen_ai.operation.name", "chat"), attribute.String("gen_ai.provider.name", "openai"), attribute.String("gen_ai.request.model", "gpt-4o-mini"),
				attribute.String("gen_ai.response.id", fmt.Sprintf("chatcmpl-9XyZ0%d234567890abcdefgh", i)), attribute.Int("gen_ai.usage.input_tokens", 120), attribute.Int("gen_ai.usage.output_tokens", 40),
				attribute.String("server.address", "api.openai.com"), attribute.Int("server.port", 443), attribute.String("mlsdm.request.id", fmt.Sprintf("01JDN2V8G8Z3T5Q9W4X7Y6%04d", i)),
			},
		}
	}
	spans := stubs.Snapshots()
	exporter := scrub.Spans(s, discard{})
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		batch := spans[i*10%len(spans):]
		if err := exporter.ExportSpans(b.Context(), batch[:10]); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/10, "ns/span")
}

type discard struct{}

// ExportSpans implements [sdktrace.SpanExporter].
func (discard) ExportSpans(context.Context, []sdktrace.ReadOnlySpan) error { return nil }

// Shutdown implements [sdktrace.SpanExporter].
func (discard) Shutdown(context.Context) error { return nil }
