package dispatcher_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// deadDelivery checks a dead letter of a delivery: whole, and with the reason.
func deadDelivery(t *testing.T, m message, ev events.Event, attempt, reason string) {
	t.Helper()
	const fault = events.FaultReceiver
	require.Equal(t, "mlsdm.deadletters.deliveries."+fault+".default", m.subject)
	got, err := events.ParseBinary(m.header, m.body)
	require.NoError(t, err)
	if ev.TraceParent == "" { // it got the one of its publisher
		got.TraceParent = ""
	}
	require.Equal(t, ev, got)
	require.Equal(t, attempt, m.value(events.HeaderAttempt))
	require.Equal(t, ev.ID, m.value(events.HeaderEventID))
	require.Equal(t, ev.Type, m.value(events.HeaderEventType))
	require.Equal(t, "default", m.value(events.HeaderEndpoint))
	require.Equal(t, fault, m.value(events.HeaderDeadFault))
	require.NotEmpty(t, m.value(events.HeaderDelivery))
	require.Contains(t, m.value(events.HeaderDeadReason), reason)
	require.Regexp(t, `^mlsdm\.deliveries\.(ready|again)\.default$`, m.value(events.HeaderDeadSubject))
	require.NotEmpty(t, m.value(events.HeaderMsgID), "a second copy must be recognised")
}

func TestDeadLetterAfterTheLastAttempt(t *testing.T) {
	t.Parallel()
	srv := bustest.Start(t)
	to := newReceiver(t, status(http.StatusInternalServerError))
	cfg := config(to.url)
	cfg.Retry = waits(2, time.Millisecond)
	cfg.Events = []string{">", events.TypeDeliveryFailed} // even by name, it gets no news about itself
	dead := listen(t, srv, "mlsdm.deadletters.>")
	failed := listen(t, srv, "mlsdm.events.delivery.failed")
	r := run(t, srv, cfg)
	ev := publish(t, r.bus, "custom.deploy", "event-1")

	letter := dead()
	deadDelivery(t, letter, ev, "3", "500")
	news := decode[events.Event](t, failed().body)
	payload, err := events.Decode[events.DeliveryFailed](news)
	require.NoError(t, err)
	require.Equal(t, events.DeliveryFailed{
		DeliveryID: letter.value(events.HeaderDelivery), EndpointID: "default", FailedEventID: ev.ID, FailedEventType: ev.Type,
		Attempts: 3, FirstAttemptAt: payload.FirstAttemptAt, LastStatus: 500, Reason: payload.Reason, Fault: events.FaultReceiver,
	}, payload)
	require.WithinDuration(t, time.Now(), payload.FirstAttemptAt, patience)
	require.Equal(t, "/mlsdm/dispatcher", news.Source)

	for range 3 {
		require.Equal(t, ev.ID, to.next(t).id)
	}
	// The news has been routed when an event that follows it has been delivered; it went nowhere.
	publish(t, r.bus, "custom.deploy", "event-2")
	require.Equal(t, "event-2", to.next(t).id)
	dead()
	failed()
	settled(t, srv)
	require.Equal(t, 2, stored(t, srv, "MLSDM_DEADLETTERS"))
	require.Equal(t, 4, stored(t, srv, "MLSDM_EVENTS"), "two events, and what became of them")
}

// TestReplayedByHand: a delivery that was given up moments ago and is put back has all its attempts again. The server must
// not take these for copies of the former ones and drop them.
func TestReplayedByHand(t *testing.T) {
	t.Parallel()
	srv := bustest.Start(t)
	to := newReceiver(t, status(http.StatusInternalServerError))
	cfg := config(to.url)
	cfg.Retry = waits(2, time.Millisecond)
	dead := listen(t, srv, "mlsdm.deadletters.>")
	r := run(t, srv, cfg)
	ev := publish(t, r.bus, "custom.deploy", "event-1")
	letter := dead()
	deadDelivery(t, letter, ev, "3", "500")

	body, err := ev.MarshalJSON()
	require.NoError(t, err)
	_, err = r.bus.Publish(t.Context(), bus.Msg{Subject: "mlsdm.deliveries.ready.default", Body: body})
	require.NoError(t, err)
	deadDelivery(t, dead(), ev, "3", "500")
	settled(t, srv)
	require.Len(t, to.hits, 6)
}

func TestNoEchoes(t *testing.T) {
	t.Parallel()
	srv := bustest.Start(t)
	to := newReceiver(t, status(http.StatusInternalServerError))
	cfg := config(to.url)
	cfg.Events, cfg.Retry = []string{">", events.TypeDeliveryFailed}, waits(1, time.Millisecond)
	dead := listen(t, srv, "mlsdm.deadletters.>")
	r := run(t, srv, cfg)
	ev, err := events.New("/elsewhere", events.DeliveryFailed{
		DeliveryID: "d", EndpointID: "another", FailedEventID: "e", FailedEventType: "custom.x", Attempts: 1, Reason: "none",
	})
	require.NoError(t, err)
	_, err = r.bus.PublishEvent(t.Context(), ev)
	require.NoError(t, err)
	require.Equal(t, ev.ID, to.next(t).id, "about another endpoint, and asked for by name")
	deadDelivery(t, dead(), ev, "2", "500")
	settled(t, srv)
	r.stop()
	require.Equal(t, 1, stored(t, srv, "MLSDM_EVENTS"), "no news about lost news")
}

func TestGoneIsFinal(t *testing.T) {
	t.Parallel()
	srv := bustest.Start(t)
	to := newReceiver(t, status(http.StatusGone))
	dead := listen(t, srv, "mlsdm.deadletters.>")
	r := run(t, srv, config(to.url))
	ev := publish(t, r.bus, "custom.deploy", "event-1")
	deadDelivery(t, dead(), ev, "1", "410")
	to.next(t)
	r.stop()
	require.Empty(t, to.hits)
	require.InDelta(t, 1, r.counted(t, "mlsdm_webhook_attempts_total", "outcome", "dead"), 0)
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	srv := bustest.Start(t)
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("followed") }))
	t.Cleanup(elsewhere.Close)
	to := newReceiver(t, func(w http.ResponseWriter, _ hit, n int) {
		if n == 1 {
			w.Header().Set("Location", elsewhere.URL)
			w.WriteHeader(http.StatusTemporaryRedirect)
		}
	})
	r := run(t, srv, config(to.url))
	publish(t, r.bus, "custom.deploy", "event-1")
	require.Equal(t, "event-1", to.next(t).id)
	require.Equal(t, "event-1", to.next(t).id, "a redirect is a failure, and tried again")
	settled(t, srv)
}

func TestBadEventsAreDeadLetters(t *testing.T) {
	t.Parallel()
	srv := bustest.Start(t)
	to := newReceiver(t, nil)
	dead := listen(t, srv, "mlsdm.deadletters.events")
	r := run(t, srv, config(to.url))
	nc := srv.Conn(t)
	for body, reason := range map[string]string{
		"\xff\xfe": "UTF-8",
		`{"specversion":"0.3","id":"1","source":"/x","type":"custom.x"}`: "specversion",
		`{"specversion":"1.0","id":"1","source":"/x","type":"custom.y"}`: "contradicts",
		`{"specversion":"1.0","id":7,"source":"/x","type":"custom.x"}`:   "string",
		`{"specversion":"1.0","id":"1","type":"custom.x","source":"%"}`:  "source",
	} {
		require.NoError(t, nc.Publish("mlsdm.events.custom.x", []byte(body)))
		letter := dead()
		require.Equal(t, body, string(letter.body), "a dead letter is whole")
		require.Contains(t, letter.value(events.HeaderDeadReason), reason)
		require.Equal(t, "invalid_argument", letter.value(events.HeaderDeadCode))
		require.Equal(t, "mlsdm.events.custom.x", letter.value(events.HeaderDeadSubject))
	}
	require.NoError(t, nc.Publish("mlsdm.events.custom.x", make([]byte, 2<<20)))
	require.Len(t, dead().body, 2<<20)
	publish(t, r.bus, "custom.x", "good")
	require.Equal(t, "good", to.next(t).id)
}

// TestBadDeliveriesAreDeadLetters: whoever may publish deliveries cannot harm the workers.
func TestBadDeliveriesAreDeadLetters(t *testing.T) {
	t.Parallel()
	srv := bustest.Start(t)
	to := newReceiver(t, nil)
	dead := listen(t, srv, "mlsdm.deadletters.>")
	r := run(t, srv, config(to.url))
	nc := srv.Conn(t)
	good := `{"specversion":"1.0","id":"1","source":"/x","type":"custom.x"}`

	require.NoError(t, nc.Publish("mlsdm.deliveries.ready.default", []byte("rubbish")))
	letter := dead()
	require.Equal(t, "mlsdm.deadletters.deliveries.internal.default", letter.subject)
	require.Equal(t, "rubbish", string(letter.body))

	require.NoError(t, nc.Publish("mlsdm.deliveries.ready.nobody", []byte(good)))
	letter = dead()
	require.Equal(t, "mlsdm.deadletters.deliveries.endpoint.nobody", letter.subject)
	require.Equal(t, "not_found", letter.value(events.HeaderDeadCode))

	require.NoError(t, nc.Publish("mlsdm.deliveries.ready.default", []byte(good)))
	require.Equal(t, "1", to.next(t).id, "a delivery put there by hand is made")
	settled(t, srv)
	r.stop()
	require.Zero(t, r.counted(t, "mlsdm_webhook_attempts_total", "endpoint", "nobody"), "strangers do not name metrics")
}
