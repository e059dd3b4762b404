package dispatcher_test

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/internal/secret"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// traces is where the spans of a test go.
type traces struct {
	recorder *tracetest.SpanRecorder
	provider trace.TracerProvider
}

func newTraces(t *testing.T) *traces {
	t.Helper()
	recorder := tracetest.NewSpanRecorder()
	return &traces{recorder: recorder, provider: bustest.Tracer(t, recorder)}
}

// attempts waits for the ended spans of n attempts, and returns them in the order of their attempts.
func (x *traces) attempts(t *testing.T, n int) []sdktrace.ReadOnlySpan {
	t.Helper()
	var found []sdktrace.ReadOnlySpan
	require.Eventually(t, func() bool {
		found = slices.DeleteFunc(x.recorder.Ended(), func(s sdktrace.ReadOnlySpan) bool { return s.Name() != http.MethodPost })
		return len(found) >= n
	}, patience, 10*time.Millisecond, "there are never %d attempts", n)
	require.Len(t, found, n)
	slices.SortStableFunc(found, func(a, b sdktrace.ReadOnlySpan) int {
		return cmp.Compare(attributes(a)["mlsdm.delivery.attempt"], attributes(b)["mlsdm.delivery.attempt"])
	})
	return found
}

// named returns the ended spans of a name.
func (x *traces) named(name string) []sdktrace.ReadOnlySpan {
	return slices.DeleteFunc(x.recorder.Ended(), func(s sdktrace.ReadOnlySpan) bool { return s.Name() != name })
}

func attributes(span sdktrace.ReadOnlySpan) map[string]string {
	all := make(map[string]string)
	for _, kv := range span.Attributes() {
		all[string(kv.Key)] = kv.Value.String()
	}
	return all
}

// oneTrace checks that spans are in one trace.
func oneTrace(t *testing.T, want trace.TraceID, spans []sdktrace.ReadOnlySpan) {
	t.Helper()
	for _, s := range spans {
		require.Equal(t, want, s.SpanContext().TraceID(), s.Name())
	}
}

const (
	traceOfEvent  = "0af7651916cd43dd8448eb211c80319c"
	parentOfEvent = "00-" + traceOfEvent + "-b7ad6b7169203331-01"
)

// publishTraced publishes an event that says of which trace it is.
func publishTraced(t *testing.T, b *bus.Bus, id string) {
	t.Helper()
	_, err := b.PublishEvent(t.Context(), events.Event{
		ID: id, Source: "/test", Type: "custom.deploy", Time: time.Now().UTC(), Data: []byte(`{"n":1}`),
		TraceParent: parentOfEvent, TraceState: "vendor=1",
	})
	require.NoError(t, err)
}

// failFirst answers the first n webhooks with 503.
func failFirst(n int) func(http.ResponseWriter, hit, int) {
	return func(w http.ResponseWriter, _ hit, i int) {
		if i <= n {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}
}

// TestAttemptsAreInTheTraceOfTheirEvent: two attempts that fail and one that works, and what the receiver can continue.
func TestAttemptsAreInTheTraceOfTheirEvent(t *testing.T) {
	t.Parallel()
	srv := bustest.Start(t)
	to := newReceiver(t, failFirst(2))
	x := newTraces(t)
	runTraced(t, srv, x.provider, config(to.url+"/path"))
	publishTraced(t, srv.ConnectTraced(t, "publisher", noop.NewTracerProvider()), "event-1")
	hits := []hit{to.next(t), to.next(t), to.next(t)}

	all := x.attempts(t, 3)
	traceID, err := trace.TraceIDFromHex(traceOfEvent)
	require.NoError(t, err)
	oneTrace(t, traceID, all)
	parents := make(map[trace.SpanID]bool)
	for i, span := range all {
		parents[span.Parent().SpanID()] = true
		attrs := attributes(span)
		require.Equal(t, trace.SpanKindClient, span.SpanKind())
		sc := span.SpanContext()
		require.Equal(t, "00-"+traceOfEvent+"-"+sc.SpanID().String()+"-01", hits[i].header.Get("traceparent"))
		require.Equal(t, "vendor=1", hits[i].header.Get("tracestate"))
		want := map[string]string{
			"http.request.method": "POST", "url.full": to.url, "server.address": "127.0.0.1", "server.port": to.url[strings.LastIndexByte(to.url, ':')+1:],
			"mlsdm.endpoint.id": "default", "mlsdm.delivery.id": attrs["mlsdm.delivery.id"], "mlsdm.delivery.attempt": strconv.Itoa(i + 1),
			"mlsdm.event.type": "custom.deploy", "mlsdm.event.id": "event-1",
			"http.response.status_code": "503", "error.type": "503", "mlsdm.delivery.outcome": "retry",
		}
		if i > 0 {
			want["http.request.resend_count"] = strconv.Itoa(i)
		}
		if i == 2 {
			want["http.response.status_code"], want["mlsdm.delivery.outcome"] = "200", "delivered"
			delete(want, "error.type")
			require.Equal(t, codes.Unset, span.Status().Code)
		} else {
			require.Equal(t, codes.Error, span.Status().Code)
			require.Empty(t, span.Status().Description)
		}
		require.Equal(t, want, attrs)
	}
	require.Len(t, parents, 3, "each is a part of the handling of its own message")
	require.Equal(t, attributes(all[0])["mlsdm.delivery.id"], attributes(all[2])["mlsdm.delivery.id"])
	settled(t, srv)
	require.Empty(t, x.named("publish mlsdm.attempts.{endpoint}"), "the records of attempts are worth no span")
}

// TestTracesSurviveTheDispatcher: the next attempt, of another process, belongs to the same trace, also when the event had none.
func TestTracesSurviveTheDispatcher(t *testing.T) {
	t.Parallel()
	for _, ordering := range []string{events.OrderingNone, events.OrderingStrict} {
		for _, traced := range []bool{true, false} {
			t.Run(fmt.Sprint(ordering, traced), func(t *testing.T) {
				t.Parallel()
				srv := bustest.Start(t)
				to := newReceiver(t, failFirst(2))
				x := newTraces(t)
				first := runTraced(t, srv, x.provider, onlyBus())
				s := spec("shop", to.url)
				s.Ordering, s.Retry = ordering, waits(3, time.Second)
				create(t, first, s)
				publisher := srv.ConnectTraced(t, "publisher", noop.NewTracerProvider())
				if traced {
					publishTraced(t, publisher, "event-1")
				} else {
					publish(t, publisher, "custom.deploy", "event-1")
				}
				to.next(t)
				x.attempts(t, 1)
				first.stop()

				runTraced(t, srv, x.provider, onlyBus())
				to.next(t)
				to.next(t)
				all := x.attempts(t, 3)
				oneTrace(t, all[0].SpanContext().TraceID(), all)
				if traced {
					require.Equal(t, traceOfEvent, all[0].SpanContext().TraceID().String())
				}
				if ordering == events.OrderingStrict {
					require.Equal(t, all[1].SpanContext().SpanID(), all[2].Links()[0].SpanContext.SpanID(), "the attempt before")
				}
			})
		}
	}
}

// TestReplayedInTheSameTrace: what is delivered again after it was given up belongs to the trace that it had, which its event did not say.
func TestReplayedInTheSameTrace(t *testing.T) {
	t.Parallel()
	srv := bustest.Start(t)
	to := newReceiver(t, func(w http.ResponseWriter, _ hit, n int) {
		if n == 1 {
			w.Header().Set("webhook-delivery", "abort-message")
			w.WriteHeader(http.StatusBadRequest)
		}
	})
	x := newTraces(t)
	r := runTraced(t, srv, x.provider, onlyBus())
	s := spec("shop", to.url)
	s.Events = []string{"custom.>"}
	create(t, r, s)
	publish(t, srv.ConnectTraced(t, "publisher", noop.NewTracerProvider()), "custom.deploy", "event-1")
	to.next(t)
	eventually(t, srv, "MLSDM_DEADLETTERS", 1)
	replay := call[events.ReplayReply](t, r, events.OpDeliveriesReplay, events.ReplayRequest{ReplayID: "again"})
	require.Equal(t, 1, replay.Replayed)
	to.next(t)
	all := x.attempts(t, 2)
	oneTrace(t, all[0].SpanContext().TraceID(), all)
	outcomes := []string{attributes(all[0])["mlsdm.delivery.outcome"], attributes(all[1])["mlsdm.delivery.outcome"]}
	require.ElementsMatch(t, []string{"dead", "delivered"}, outcomes)
	for _, news := range x.named("publish mlsdm.events.delivery.failed") {
		require.Equal(t, all[0].SpanContext().TraceID(), news.SpanContext().TraceID())
	}
}

// TestHeldBackIsNoSpan: a delivery that waits for its endpoint's rate is told of by the span of its handling, and stays in its trace.
func TestHeldBackIsNoSpan(t *testing.T) {
	t.Parallel()
	srv := bustest.Start(t)
	to := newReceiver(t, nil)
	x := newTraces(t)
	r := runTraced(t, srv, x.provider, onlyBus())
	s := spec("shop", to.url)
	s.RateLimit = &events.EndpointRate{PerSecond: 1, Burst: 1}
	create(t, r, s)
	publisher := srv.ConnectTraced(t, "publisher", noop.NewTracerProvider())
	publishTraced(t, publisher, "event-1")
	publishTraced(t, publisher, "event-2")
	to.next(t)
	to.next(t)
	all := x.attempts(t, 2)
	traceID, err := trace.TraceIDFromHex(traceOfEvent)
	require.NoError(t, err)
	oneTrace(t, traceID, all)
	held := 0
	require.Eventually(t, func() bool {
		held = 0
		for _, span := range x.recorder.Ended() {
			if attributes(span)["mlsdm.delivery.outcome"] == "held" {
				held++
				require.True(t, strings.HasPrefix(span.Name(), "process "), span.Name())
			}
		}
		return held > 0
	}, patience, 10*time.Millisecond)
	require.Empty(t, x.named("publish mlsdm.deliveries.later.{id}"))
}

// TestSpansHoldNoSecrets: neither the URL's path and query, nor headers, nor secrets, nor payloads, nor answers, nor the text of errors.
func TestSpansHoldNoSecrets(t *testing.T) {
	t.Parallel()
	srv := bustest.Start(t)
	to := newReceiver(t, func(w http.ResponseWriter, _ hit, n int) {
		w.Header().Set("X-Answer", "canary-answer-header")
		if n == 1 {
			http.Error(w, "canary-answer", http.StatusInternalServerError)
		}
	})
	x := newTraces(t)
	cfg := config(to.url + "/services/canary-path?token=canary-query")
	cfg.Secret = secret.NewValue("canary-secret")
	r := runTraced(t, srv, x.provider, cfg)
	s := spec("shop", to.url+"/services/canary-path?token=canary-query")
	s.Headers = map[string]string{"Authorization": "Bearer canary-header", "X-Mine": "canary-value"}
	create(t, r, s)
	refused := spec("closed", "http://127.0.0.1:1/canary-path?canary-query")
	refused.Retry = waits(1, time.Millisecond)
	create(t, r, refused)
	_, err := r.bus.PublishEvent(t.Context(), events.Event{
		ID: "event-1", Source: "/canary-source", Subject: "canary-subject", Type: "custom.deploy", Time: time.Now(), Data: []byte(`{"a":"canary-data"}`),
	})
	require.NoError(t, err)
	for range 3 {
		to.next(t)
	}
	require.Eventually(t, func() bool {
		return len(x.named(http.MethodPost)) >= 2+1+2 // one of the first two receivers has it twice; the third is not there
	}, patience, 10*time.Millisecond)
	for _, span := range x.recorder.Ended() {
		require.NotContains(t, fmt.Sprintf("%+v", tracetest.SpanStubFromReadOnlySpan(span)), "canary", span.Name())
	}
}
