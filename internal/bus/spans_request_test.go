package bus_test

import (
	"bytes"
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

func TestSpansOfARequest(t *testing.T) {
	t.Parallel()
	tr := newTraced(t, time.Hour)
	ctx, own := tr.within(t)
	ask := serveOne(t, tr, func(ctx context.Context, r *bus.Request) error {
		if string(r.Body) == "fail" {
			return events.Errorf(events.CodeInvalidArgument, "canary-of-the-payload")
		}
		return r.Respond([]byte("{}"))
	})
	require.NoError(t, ask(ctx, "work"))
	asked := tr.one(t, "request mlsdm.as.{caller}.embed")
	require.Equal(t, trace.SpanKindClient, asked.SpanKind())
	below(t, asked, own)
	has(t, asked, "messaging.operation.type", "send", "messaging.destination.template", "mlsdm.as.{caller}.embed", "messaging.message.conversation_id", "req-1")
	served := tr.one(t, "process mlsdm.as.{caller}.embed")
	require.Equal(t, trace.SpanKindServer, served.SpanKind(), "somebody waits")
	below(t, served, asked.SpanContext())
	has(t, served, "messaging.operation.name", "process", "messaging.operation.type", "process", "mlsdm.caller", "shop", "messaging.message.conversation_id", "req-1")

	require.Error(t, ask(ctx, "fail"))
	require.Eventually(t, func() bool { return len(tr.named("process mlsdm.as.{caller}.embed")) == 2 }, patience, time.Millisecond)
	for _, name := range []string{"request mlsdm.as.{caller}.embed", "process mlsdm.as.{caller}.embed"} {
		span := tr.named(name)[1]
		require.Equal(t, codes.Error, span.Status().Code, name)
		require.Equal(t, "invalid_argument", span.Status().Description, name)
		has(t, span, "error.type", "invalid_argument")
	}
}

// serveOne serves the operation embed and returns what asks it as the caller shop.
func serveOne(t *testing.T, tr *traced, handler func(context.Context, *bus.Request) error) func(ctx context.Context, body string) error {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- tr.Serve(ctx, bus.Service{Name: "mlsdm-test", Version: "1.0.0", Operations: []bus.Operation{{Name: events.OpEmbed, Handler: handler}}})
	}()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-ended)
	})
	nc := tr.server.Conn(t)
	require.Eventually(t, func() bool {
		_, err := nc.Request("$SRV.PING.mlsdm-test", nil, time.Second)
		return err == nil
	}, patience, time.Millisecond)
	return func(ctx context.Context, body string) error {
		_, err := tr.Request(ctx, bus.Msg{
			Subject: tr.Subjects().Interactive("shop", events.OpEmbed), Body: []byte(body), Header: map[string][]string{events.HeaderRequestID: {"req-1"}},
		})
		return err
	}
}

// Operators' questions have spans too, for who asks and for each who answers.
func TestSpansOfAnswersAndGatherings(t *testing.T) {
	t.Parallel()
	tr := newTraced(t, time.Hour)
	ctx, own := tr.within(t)
	subject := tr.Subjects().Control("embedder", "log-level")
	for i := range 2 {
		require.NoError(t, tr.Answer(t.Context(), subject, "", func(bus.Heard) ([]byte, error) { return []byte(strconv.Itoa(i)), nil }))
	}
	replies, err := tr.Gather(ctx, bus.Msg{Subject: subject}, 500*time.Millisecond)
	require.NoError(t, err)
	require.Len(t, replies, 2)
	asked := tr.one(t, "request mlsdm.control.{service}.{verb}")
	below(t, asked, own)
	require.Eventually(t, func() bool { return len(tr.named("process mlsdm.control.{service}.{verb}")) == 2 }, patience, time.Millisecond)
	for _, span := range tr.named("process mlsdm.control.{service}.{verb}") {
		below(t, span, asked.SpanContext())
		require.Equal(t, trace.SpanKindServer, span.SpanKind())
	}
	_, err = tr.Gather(ctx, bus.Msg{Subject: "mlsdm.embed"}, time.Millisecond)
	require.Error(t, err)
	require.Equal(t, codes.Error, tr.one(t, "request mlsdm.embed").Status().Code)
}

// What is stored has a span when it is slow or fails, by the conventions for databases, and only within a trace.
func TestSpansOfStores(t *testing.T) {
	t.Parallel()
	quick, slow := newTraced(t, time.Hour), newTraced(t, time.Nanosecond)
	for _, tr := range []*traced{quick, slow} {
		ctx, _ := tr.within(t)
		kv, err := tr.KV(ctx, events.BucketCI)
		require.NoError(t, err)
		for range 2 { // the second without a trace
			_, err = kv.Put(ctx, "key-of-a-canary", []byte("value"))
			require.NoError(t, err)
			_, _, err = kv.Get(ctx, "key-of-a-canary")
			require.NoError(t, err)
			_, err = kv.Create(ctx, "key-of-a-canary", nil)
			require.ErrorIs(t, err, bus.ErrConflict)
			_, _, err = kv.Get(ctx, "nothing")
			require.ErrorIs(t, err, bus.ErrNotFound)
			_, err = kv.Keys(ctx)
			require.NoError(t, err)
			_, err = tr.Objects(events.ObjectsVectors).Put(ctx, "name-of-a-canary", nil, 0, bytes.NewReader([]byte("content")))
			require.NoError(t, err)
			_, err = tr.Increment(ctx, tr.Subjects().Limit("requests", "rule", "scope", "1764000000"), "", 1)
			require.NoError(t, err)
			_, err = tr.LastSequence(ctx, "MLSDM_EVENTS")
			require.NoError(t, err)
			_, err = tr.LastOn(ctx, "MLSDM_EVENTS", "mlsdm.events.custom.none")
			require.ErrorIs(t, err, bus.ErrNotFound)
			ctx = t.Context()
		}
	}
	require.Empty(t, quick.spans.Ended())
	for name, collection := range map[string]string{
		"put mlsdm_ci": "mlsdm_ci", "create mlsdm_ci": "mlsdm_ci", "keys mlsdm_ci": "mlsdm_ci", "put mlsdm_vectors": "mlsdm_vectors",
		"increment mlsdm.limits.{kind}.{rule}.{scope}.{window}": "mlsdm.limits.{kind}.{rule}.{scope}.{window}",
	} {
		require.Len(t, slow.named(name), 1, name)
		span := slow.named(name)[0]
		require.Equal(t, trace.SpanKindClient, span.SpanKind())
		require.Equal(t, codes.Unset, span.Status().Code, name)
		has(t, span, "db.system.name", "nats", "db.collection.name", collection)
		require.True(t, span.StartTime().Before(span.EndTime()))
	}
	require.Len(t, slow.named("get mlsdm_ci"), 2)
	has(t, slow.one(t, "receive MLSDM_EVENTS"), "messaging.operation.type", "receive", "messaging.nats.stream", "MLSDM_EVENTS")
}

// A failure has a span, however quick it was.
func TestSpansOfStoresThatFail(t *testing.T) {
	t.Parallel()
	tr := newTraced(t, time.Hour)
	ctx, own := tr.within(t)
	kv, err := tr.KV(ctx, events.BucketCI)
	require.NoError(t, err)
	canceled, cancel := context.WithCancel(ctx)
	cancel()
	_, _, err = kv.Get(canceled, "key")
	require.Error(t, err)
	span := tr.one(t, "get mlsdm_ci")
	below(t, span, own)
	require.Equal(t, codes.Error, span.Status().Code)
	has(t, span, "error.type", "canceled")
}

// A settlement that is slow has a span of its own, beside the word on the span of its message.
func TestSpansOfSettlements(t *testing.T) {
	t.Parallel()
	tr := newTraced(t, time.Nanosecond)
	answers := []error{bus.ErrGivenBack, nil}
	start(t, tr.Bus, embedConsumer(tr.Bus), func(_ context.Context, m *bus.Message) error { return answers[m.Attempt-1] })
	_, err := tr.Publish(t.Context(), bus.Msg{Subject: tr.Subjects().Request("", events.KindEmbed), Body: []byte("{}")})
	require.NoError(t, err)
	for i, operation := range []string{"nak", "ack"} {
		span := tr.one(t, operation+" mlsdm.requests.embed")
		below(t, span, tr.attempt(t, i+1).SpanContext())
		require.Equal(t, trace.SpanKindClient, span.SpanKind())
		has(t, span, "messaging.operation.name", operation, "messaging.operation.type", "settle", "messaging.consumer.group.name", events.ConsumerEmbedder)
	}
}

// Without a tracer nothing is added to what others have begun.
func TestNoTracerPassesOn(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t).ConnectTraced(t, "test", nil)
	came := make(chan trace.SpanContext, 1)
	start(t, b, embedConsumer(b), func(ctx context.Context, _ *bus.Message) error {
		came <- trace.SpanContextFromContext(ctx)
		return nil
	})
	_, err := b.Publish(t.Context(), bus.Msg{Subject: b.Subjects().Request("", events.KindEmbed), Header: map[string][]string{"Traceparent": {theirParent}}})
	require.NoError(t, err)
	require.Equal(t, theirSpan, (<-came).SpanID().String())
}
