package history_test

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

func TestGet(t *testing.T) {
	t.Parallel()
	s := newSetup(t)
	ev := event("event-1", "custom.x")
	d := s.dead(events.FaultReceiver, "a", ev) // stored first here, so that its time is before that of a later attempt
	id := d.ID
	first, second := attempt(id, "a", 1, events.AttemptRetry), attempt(id, "a", 2, events.AttemptDead)
	first.At, second.At = first.At.Add(-2*time.Minute), second.At.Add(-time.Minute)
	first.Response, first.Request, first.Timing = "no", map[string]string{"Content-Type": "application/json"}, &events.AttemptTiming{DNSMS: 1}
	s.record("a", second, attempt("other", "a", 1, events.AttemptRetry))
	s.record("b", attempt("another", "b", 1, events.AttemptRetry))
	s.record("a", first) // the batches of one endpoint may overtake each other

	for _, r := range []events.DeliveryRequest{{ID: id}, {ID: id, EndpointID: "a"}} {
		got, err := s.h.Get(t.Context(), r)
		require.NoError(t, err)
		require.Equal(t, []events.DeliveryAttempt{first, second}, got.Attempts)
		require.JSONEq(t, jsonOf(t, ev), string(got.Event))
		require.WithinDuration(t, time.Now(), got.Delivery.At, time.Minute)
		require.Equal(t, events.Delivery{
			ID: id, EndpointID: "a", EventID: "event-1", EventType: "custom.x", Status: events.AttemptDead, Attempt: 3, At: got.Delivery.At,
			HTTPStatus: 500, Error: "the receiver answered 500", ErrorClass: events.ErrorClassStatus, Fault: events.FaultReceiver, DeadLetter: 1,
		}, got.Delivery)
	}
	_, err := s.h.Get(t.Context(), events.DeliveryRequest{ID: id, EndpointID: "b"})
	require.Equal(t, events.CodeNotFound, code(t, err))
	_, err = s.h.Get(t.Context(), events.DeliveryRequest{ID: "nobody"})
	require.Equal(t, events.CodeNotFound, code(t, err))

	replayed := attempt(id, "a", 1, events.AttemptDelivered)
	replayed.At, replayed.Status, replayed.ReplayID = time.Now().UTC().Add(time.Second).Truncate(time.Millisecond), 200, "again"
	s.record("a", replayed)
	got, err := s.h.Get(t.Context(), events.DeliveryRequest{ID: id})
	require.NoError(t, err)
	require.Equal(t, events.AttemptDelivered, got.Delivery.Status)
	require.Zero(t, got.Delivery.DeadLetter)
	require.Len(t, got.Attempts, 3)
	require.NotEmpty(t, got.Event, "the dead letter still has it")
}

func TestGetWhatWasNeverTried(t *testing.T) {
	t.Parallel()
	s := newSetup(t)
	d := s.dead(events.FaultEndpoint, "off", event("1", "custom.x"))
	got, err := s.h.Get(t.Context(), events.DeliveryRequest{ID: d.ID})
	require.NoError(t, err)
	require.Equal(t, events.FaultEndpoint, got.Delivery.Fault)
	require.NotNil(t, got.Attempts)
	require.Empty(t, got.Attempts)
}

func TestGetWhatWasNeverGivenUp(t *testing.T) {
	t.Parallel()
	s := newSetup(t)
	a := attempt(`odd"<id>`[:6], "a", 4, events.AttemptRetry) // in JSON it is written in another way
	s.record("a", a)
	got, err := s.h.Get(t.Context(), events.DeliveryRequest{ID: a.DeliveryID})
	require.NoError(t, err)
	require.Equal(t, 4, got.Delivery.Attempt)
	require.Nil(t, got.Event)
}

// TestGetOfOrderedEndpoint: the dead letter of a strictly ordered endpoint holds the event as it was published.
func TestGetOfOrderedEndpoint(t *testing.T) {
	t.Parallel()
	s := newSetup(t)
	s.deadMessage(events.FaultReceiver, "a", "mlsdm.events.custom.x", map[string][]string{
		events.HeaderDelivery: {"mine"}, events.HeaderEndpoint: {"a"}, events.HeaderEventID: {"event-1"}, events.HeaderEventType: {"custom.x"},
	}, []byte(`{"bare":true}`))
	got, err := s.h.Get(t.Context(), events.DeliveryRequest{ID: "mine"})
	require.NoError(t, err)
	ev, err := events.ParseStructured(got.Event)
	require.NoError(t, err)
	require.Equal(t, "event-1", ev.ID)
	require.Equal(t, "custom.x", ev.Type)
	require.JSONEq(t, `{"bare":true}`, string(ev.Data))
}

// TestGetFits: of many attempts with large answers those come that fit, the latest.
func TestGetFits(t *testing.T) {
	t.Parallel()
	s := newSetup(t)
	s.limit(128 << 10)
	ev := event("1", "custom.x")
	ev.Data = []byte(`"` + strings.Repeat("x", 100<<10) + `"`)
	d := s.dead(events.FaultReceiver, "a", ev)
	began := time.Now().Add(-time.Hour).UTC()
	for i := range 100 {
		a := attempt(d.ID, "a", i+1, events.AttemptRetry)
		a.At, a.Response = began.Add(time.Duration(i)*time.Second), strings.Repeat("x", 4<<10)
		s.record("a", a)
	}
	got, err := s.h.Get(t.Context(), events.DeliveryRequest{ID: d.ID})
	require.NoError(t, err)
	require.Less(t, len(jsonOf(t, got)), 128<<10)
	require.Nil(t, got.Event, "it would leave no room")
	require.Greater(t, len(got.Attempts), 20)
	require.Equal(t, 100, got.Attempts[len(got.Attempts)-1].Attempt)
}

// TestGetOfManyAttempts: not more are held than a reply may have.
func TestGetOfManyAttempts(t *testing.T) {
	t.Parallel()
	s := newSetup(t)
	began := time.Now().Add(-time.Hour).UTC()
	for batch := range 30 {
		records := make([]events.DeliveryAttempt, 100)
		for i := range records {
			records[i] = attempt("many", "a", batch*100+i+1, events.AttemptRetry)
			records[i].At = began.Add(time.Duration(batch*100+i) * time.Millisecond)
		}
		s.record("a", records...)
	}
	got, err := s.h.Get(t.Context(), events.DeliveryRequest{ID: "many"})
	require.NoError(t, err)
	require.Len(t, got.Attempts, 1000)
	require.Equal(t, 3000, got.Delivery.Attempt)
}

func TestGetHeedsPatience(t *testing.T) {
	t.Parallel()
	s := newSetup(t)
	for i := range 10 {
		s.record("a", attempt(strconv.Itoa(i), "a", 1, events.AttemptRetry))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond) // less than is kept for the answer
	defer cancel()
	_, err := s.h.Get(ctx, events.DeliveryRequest{ID: "nobody"})
	require.Equal(t, events.CodeDeadlineExceeded, code(t, err))
	for _, id := range []string{"", "a b", "a.b", ">", strings.Repeat("x", 200)} {
		_, err := s.h.Get(t.Context(), events.DeliveryRequest{ID: id})
		require.Equal(t, events.CodeInvalidArgument, code(t, err))
	}
}

func jsonOf(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	require.NoError(t, err)
	return string(text)
}
