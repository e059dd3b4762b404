package bus_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/internal/retry"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// A trace that somebody else has begun.
const (
	theirTrace  = "0af7651916cd43dd8448eb211c80319c"
	theirSpan   = "b7ad6b7169203331"
	theirParent = "00-" + theirTrace + "-" + theirSpan + "-01"
)

// traced is a bus whose spans are recorded.
type traced struct {
	*bus.Bus
	server *bustest.Server
	tracer trace.TracerProvider
	spans  *tracetest.SpanRecorder
}

// newTraced starts a server and a bus for which everything is slow that takes so long.
func newTraced(t *testing.T, slow time.Duration) *traced {
	t.Helper()
	spans := tracetest.NewSpanRecorder()
	tr := &traced{server: bustest.Start(t), spans: spans, tracer: bustest.Tracer(t, spans)}
	b, err := bus.Connect(t.Context(), tr.server.Config(), "test", bus.Options{Logger: bustest.Logger(t), Tracer: tr.tracer, Slow: slow})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.Close(context.WithoutCancel(t.Context()))) })
	tr.Bus = b
	return tr
}

// within begins a span of the test's own.
func (tr *traced) within(t *testing.T) (context.Context, trace.SpanContext) {
	t.Helper()
	ctx, span := tr.tracer.Tracer("test").Start(t.Context(), "test")
	t.Cleanup(func() { span.End() })
	return ctx, span.SpanContext()
}

// named returns the spans of a name that have ended, the oldest first.
func (tr *traced) named(name string) []sdktrace.ReadOnlySpan {
	return slices.DeleteFunc(tr.spans.Ended(), func(s sdktrace.ReadOnlySpan) bool { return s.Name() != name })
}

// one waits for a span of that name and returns it.
func (tr *traced) one(t *testing.T, name string) sdktrace.ReadOnlySpan {
	t.Helper()
	require.Eventually(t, func() bool { return len(tr.named(name)) > 0 }, patience, time.Millisecond, "there is no span %q", name)
	return tr.named(name)[0]
}

// attempt waits for the span of processing a request for vectors for the nth time and returns it. It may end after that of the next time: the
// server is told what became of a message before its span ends.
func (tr *traced) attempt(t *testing.T, n int) sdktrace.ReadOnlySpan {
	t.Helper()
	var found sdktrace.ReadOnlySpan
	require.Eventually(t, func() bool {
		for _, span := range tr.named("process mlsdm.requests.embed") {
			if slices.Contains(span.Attributes(), attribute.Int("messaging.nats.num_delivered", n)) {
				found = span
			}
		}
		return found != nil
	}, patience, time.Millisecond, "there is no span of attempt %d", n)
	return found
}

// has checks attributes of a span, given as keys and values in turn.
func has(t *testing.T, span sdktrace.ReadOnlySpan, pairs ...any) {
	t.Helper()
	got := make(map[string]any)
	for _, kv := range span.Attributes() {
		got[string(kv.Key)] = kv.Value.AsInterface()
	}
	for i := 0; i < len(pairs); i += 2 {
		key, ok := pairs[i].(string)
		require.True(t, ok)
		if n, whole := pairs[i+1].(int); whole {
			require.Equal(t, int64(n), got[key], key)
			continue
		}
		require.Equal(t, pairs[i+1], got[key], key)
	}
}

// hasNot checks that a span does not have attributes.
func hasNot(t *testing.T, span sdktrace.ReadOnlySpan, keys ...attribute.Key) {
	t.Helper()
	for _, kv := range span.Attributes() {
		require.NotContains(t, keys, kv.Key)
	}
}

// below checks that a span is a child of another, or of what a header says.
func below(t *testing.T, span sdktrace.ReadOnlySpan, parent trace.SpanContext) {
	t.Helper()
	require.Equal(t, parent.TraceID(), span.SpanContext().TraceID(), "the trace")
	require.Equal(t, parent.SpanID(), span.Parent().SpanID(), "the parent")
}

// theirs is the context of the trace that somebody else has begun.
func theirs(t *testing.T) trace.SpanContext {
	t.Helper()
	sc := trace.SpanContextFromContext(bus.ContextFromHeader(t.Context(), map[string][]string{"traceparent": {theirParent}}))
	require.True(t, sc.IsValid())
	return sc
}

func TestSpansOfAMessage(t *testing.T) {
	t.Parallel()
	tr := newTraced(t, time.Hour)
	ctx, own := tr.within(t)
	_, err := tr.Publish(ctx, bus.Msg{
		Subject: tr.Subjects().Request("shop", events.KindEmbed), ID: "id-1", Body: []byte("{}"), Header: map[string][]string{events.HeaderRequestID: {"req-1"}},
	})
	require.NoError(t, err)
	var inside trace.SpanContext
	start(t, tr.Bus, embedConsumer(tr.Bus), func(ctx context.Context, _ *bus.Message) error {
		inside = trace.SpanContextFromContext(ctx)
		return nil
	})

	published := tr.one(t, "publish mlsdm.as.{caller}.requests.embed")
	require.Equal(t, trace.SpanKindProducer, published.SpanKind())
	below(t, published, own)
	has(t, published, "messaging.system", "nats", "messaging.operation.name", "publish", "messaging.operation.type", "send",
		"messaging.destination.template", "mlsdm.as.{caller}.requests.embed", "messaging.message.id", "id-1",
		"messaging.message.conversation_id", "req-1", "messaging.nats.stream", "MLSDM_REQUESTS", "messaging.nats.sequence", 1)
	hasNot(t, published, "messaging.destination.name", "messaging.batch.message_count", "error.type")

	processed := tr.one(t, "process mlsdm.as.{caller}.requests.embed")
	require.Equal(t, trace.SpanKindConsumer, processed.SpanKind())
	below(t, processed, published.SpanContext())
	require.Equal(t, inside.SpanID(), processed.SpanContext().SpanID(), "the handler works under the span")
	require.Len(t, processed.Links(), 1)
	require.Equal(t, published.SpanContext().SpanID(), processed.Links()[0].SpanContext.SpanID(), "linked to what caused it")
	has(t, processed, "messaging.operation.name", "process", "messaging.operation.type", "process",
		"messaging.consumer.group.name", events.ConsumerEmbedder, "messaging.nats.consumer", events.ConsumerEmbedder, "messaging.message.id", "id-1",
		"messaging.nats.stream", "MLSDM_REQUESTS", "messaging.nats.sequence", 1, "messaging.nats.num_delivered", 1,
		"messaging.nats.settle", "ack", "mlsdm.caller", "shop")
	require.Equal(t, codes.Unset, processed.Status().Code)
	require.Empty(t, tr.named("ack mlsdm.as.{caller}.requests.embed"), "an ack that works is told on the span of its message")
}

// What a message's handler makes of it is told on its span, and a message that comes again stays in its trace.
func TestSpansOfRetries(t *testing.T) {
	t.Parallel()
	tr := newTraced(t, time.Hour)
	ctx, _ := tr.within(t)
	answers := []error{errors.New("canary-of-the-payload"), retry.After(errors.New("not now"), time.Millisecond), bus.ErrGivenBack, retry.Permanent(errors.New("never"))}
	cfg := embedConsumer(tr.Bus)
	cfg.Backoff = retry.Backoff{Base: 2 * time.Millisecond, Cap: 2 * time.Millisecond}
	cfg.DeadSubject = func(*bus.Message) string { return tr.Subjects().DeadRequest(events.KindEmbed) }
	start(t, tr.Bus, cfg, func(_ context.Context, m *bus.Message) error { return answers[m.Attempt-1] })
	_, err := tr.Publish(ctx, bus.Msg{Subject: tr.Subjects().Request("", events.KindEmbed), Body: []byte("{}")})
	require.NoError(t, err)

	published := tr.one(t, "publish mlsdm.requests.embed").SpanContext()
	for i, want := range []struct {
		settle, code string
	}{{"retry", "internal"}, {"later", ""}, {"returned", ""}, {"dead", "internal"}} {
		span := tr.attempt(t, i+1)
		below(t, span, published)
		has(t, span, "messaging.nats.settle", want.settle, "messaging.nats.num_delivered", i+1)
		if want.code == "" {
			require.Equal(t, codes.Unset, span.Status().Code, want.settle)
			hasNot(t, span, "error.type")
			continue
		}
		require.Equal(t, sdktrace.Status{Code: codes.Error, Description: want.code}, span.Status(), "no words of the error")
		has(t, span, "error.type", want.code)
	}
	has(t, tr.attempt(t, 1), "mlsdm.retry.delay", .002)
	below(t, tr.one(t, "publish mlsdm.deadletters.requests.embed"), tr.attempt(t, 4).SpanContext())
}

// A handler that panics has failed.
func TestSpanOfAPanic(t *testing.T) {
	t.Parallel()
	tr := newTraced(t, time.Hour)
	cfg := embedConsumer(tr.Bus)
	cfg.MaxAttempts = 1
	start(t, tr.Bus, cfg, func(context.Context, *bus.Message) error { panic("canary-of-the-payload") })
	_, err := tr.Publish(t.Context(), bus.Msg{Subject: tr.Subjects().Request("", events.KindEmbed), Body: []byte("{}")})
	require.NoError(t, err)
	span := tr.one(t, "process mlsdm.requests.embed")
	require.Equal(t, codes.Error, span.Status().Code)
	require.NotContains(t, span.Status().Description, "canary")
}

// Whoever begins a trace: in a header of any case, or in an attribute of a CloudEvent in either form, processing goes on in it.
func TestForeignTraceContexts(t *testing.T) {
	t.Parallel()
	const structured = `{"specversion":"1.0","id":"1","source":"/x","type":"custom.x","data":{"a":1},"traceparent":"` + theirParent + `"}`
	for name, msg := range map[string]*nats.Msg{
		"lower case":          {Header: nats.Header{"traceparent": {theirParent}}},
		"HTTP's case":         {Header: nats.Header{"Traceparent": {theirParent}}},
		"upper case":          {Header: nats.Header{"TRACEPARENT": {strings.ToUpper(theirParent)}}},
		"camel case":          {Header: nats.Header{"traceParent": {theirParent}}},
		"binary event":        {Header: nats.Header{"ce-traceparent": {theirParent}, "ce-specversion": {"1.0"}}},
		"binary, upper case":  {Header: nats.Header{"Ce-TraceParent": {theirParent}}},
		"structured event":    {Header: nats.Header{"Content-Type": {"application/cloudevents+json"}}, Data: []byte(structured)},
		"structured, guessed": {Data: []byte(structured)},
		"a later version":     {Header: nats.Header{"traceparent": {"01" + theirParent[2:] + "-more"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tr := newTraced(t, time.Hour)
			start(t, tr.Bus, embedConsumer(tr.Bus), func(context.Context, *bus.Message) error { return nil })
			msg.Subject = tr.Subjects().Request("", events.KindEmbed)
			require.NoError(t, tr.server.Conn(t).PublishMsg(msg))
			span := tr.one(t, "process mlsdm.requests.embed")
			below(t, span, theirs(t))
			require.True(t, span.Parent().IsRemote())
			require.Len(t, span.Links(), 1)
		})
	}
}

// What is no trace context begins a new trace.
func TestWrongTraceContexts(t *testing.T) {
	t.Parallel()
	for _, parent := range []string{
		"", "x", "00-" + theirTrace + "-" + theirSpan, theirParent + "-more", "ff" + theirParent[2:], "00-" + strings.Repeat("0", 32) + "-" + theirSpan + "-01",
		"00-" + theirTrace + "-" + strings.Repeat("0", 16) + "-01", "00-" + strings.Repeat("g", 32) + "-" + theirSpan + "-01", "zz" + theirParent[2:],
		theirParent[:53] + "zz", strings.ReplaceAll(theirParent, "-", "_"), strings.Repeat("0", 1<<20),
	} {
		ctx := bus.ContextFromHeader(t.Context(), map[string][]string{"traceparent": {parent}})
		require.False(t, trace.SpanContextFromContext(ctx).IsValid(), "%.80q", parent)
	}
	ctx := bus.ContextFromHeader(t.Context(), map[string][]string{"traceparent": {theirParent}, "tracestate": {"=,=broken"}})
	require.True(t, trace.SpanContextFromContext(ctx).IsValid(), "a tracestate that cannot be read is left out")
	ctx = bus.ContextFromHeader(t.Context(), map[string][]string{"traceparent": {theirParent}, "Tracestate": {"vendor=1"}})
	header := map[string][]string{"Traceparent": {"old"}, "TraceState": {"old"}}
	bus.InjectTrace(ctx, header)
	require.Equal(t, map[string][]string{"traceparent": {theirParent}, "tracestate": {"vendor=1"}}, header)
}

// A message that is sent again hours later, by whatever does it then, belongs to the trace of what caused it.
func TestPublishOfAnotherTrace(t *testing.T) {
	t.Parallel()
	tr := newTraced(t, time.Hour)
	ctx, own := tr.within(t)
	_, err := tr.Publish(ctx, bus.Msg{Subject: tr.Subjects().Event("custom.x"), Header: map[string][]string{"Traceparent": {theirParent}}})
	require.NoError(t, err)
	span := tr.one(t, "publish mlsdm.events.custom.{type}")
	below(t, span, theirs(t))
	require.Len(t, span.Links(), 1)
	require.Equal(t, own.SpanID(), span.Links()[0].SpanContext.SpanID(), "linked to who sends it")
	m, err := tr.LastOn(t.Context(), "MLSDM_EVENTS", tr.Subjects().Event("custom.x"))
	require.NoError(t, err)
	require.Equal(t, []string{"00-" + theirTrace + "-" + span.SpanContext().SpanID().String() + "-01"}, m.Header["traceparent"])
	require.NotContains(t, m.Header, "Traceparent")
}

// Messages that fan out of one are one span; each that continues another trace has its own there.
func TestSpansOfPublishAll(t *testing.T) {
	t.Parallel()
	tr := newTraced(t, time.Hour)
	ctx, own := tr.within(t)
	ready := func(endpoint string) string { return tr.Subjects().DeliveryReady(endpoint) }
	require.NoError(t, tr.PublishAll(ctx, []bus.Msg{
		{Subject: ready("a"), ID: "1"},
		{Subject: ready("b"), ID: "2"},
		{Subject: ready("c"), ID: "3", Header: map[string][]string{"traceparent": {theirParent}}},
	}))
	const name = "publish mlsdm.deliveries.ready.{endpoint}"
	require.Len(t, tr.named(name), 2)
	foreign, shared := tr.named(name)[0], tr.named(name)[1]
	below(t, shared, own)
	require.Equal(t, trace.SpanKindProducer, shared.SpanKind())
	has(t, shared, "messaging.batch.message_count", 2)
	below(t, foreign, theirs(t))
	require.Len(t, foreign.Links(), 1)
	has(t, foreign, "messaging.message.id", "3", "messaging.nats.sequence", 3)
	hasNot(t, foreign, "messaging.batch.message_count")
	for endpoint, span := range map[string]sdktrace.ReadOnlySpan{"a": shared, "b": shared, "c": foreign} {
		m, err := tr.LastOn(t.Context(), "MLSDM_DELIVERIES", ready(endpoint))
		require.NoError(t, err)
		require.Equal(t, span.SpanContext().SpanID().String(), events.HeaderValue(m.Header, "traceparent")[36:52], endpoint)
	}

	require.NoError(t, tr.PublishAll(ctx, []bus.Msg{{Subject: ready("a")}, {Subject: tr.Subjects().Event("custom.x")}}))
	several := tr.one(t, "publish")
	hasNot(t, several, "messaging.destination.name", "messaging.destination.template")
	require.Error(t, tr.PublishAll(ctx, []bus.Msg{{Subject: "a b"}, {Subject: ready("a")}}))
	failed := tr.named("publish")[1]
	require.Equal(t, codes.Error, failed.Status().Code)
	has(t, failed, "error.type", "invalid_argument")
}

func TestSpansOfPublishesThatFail(t *testing.T) {
	t.Parallel()
	tr := newTraced(t, time.Hour)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := tr.Publish(ctx, bus.Msg{Subject: "mlsdm.nowhere"})
	require.Error(t, err)
	span := tr.one(t, "publish mlsdm.{other}")
	require.Equal(t, codes.Error, span.Status().Code)
	has(t, span, "error.type", string(events.CodeOf(err)))
	_, err = tr.Publish(t.Context(), bus.Msg{Subject: tr.Subjects().Event("custom.x"), ID: "twice"})
	require.NoError(t, err)
	_, err = tr.Publish(t.Context(), bus.Msg{Subject: tr.Subjects().Event("custom.x"), ID: "twice"})
	require.NoError(t, err)
	has(t, tr.named("publish mlsdm.events.custom.{type}")[1], "messaging.nats.duplicate", true)
}
