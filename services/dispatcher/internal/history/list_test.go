package history_test

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/history"
)

func TestListAttempts(t *testing.T) {
	t.Parallel()
	s := newSetup(t)
	ids, pages := s.listAll(events.DeliveriesListRequest{})
	require.Empty(t, ids)
	require.Equal(t, 1, pages)

	middle := attempt("2", "a", 2, events.AttemptRetry)
	middle.EventType, middle.NextAt = "ci.degraded", middle.At.Add(time.Minute)
	s.record("a", attempt("1", "a", 1, events.AttemptRetry), middle)
	s.record("b", attempt("3", "b", 1, events.AttemptDelivered))
	s.record("a", attempt("4", "a", 7, events.AttemptDead))
	s.dead(events.FaultReceiver, "a", event("4", "custom.x"))

	for name, c := range map[string]struct {
		filter events.DeliveryFilter
		want   []string
	}{
		"all":       {events.DeliveryFilter{}, []string{"1/1", "2/2", "3/1", "4/7"}},
		"endpoint":  {events.DeliveryFilter{EndpointID: "a"}, []string{"1/1", "2/2", "4/7"}},
		"nobody":    {events.DeliveryFilter{EndpointID: "nobody"}, nil},
		"type":      {events.DeliveryFilter{EventType: "ci.degraded"}, []string{"2/2"}},
		"pattern":   {events.DeliveryFilter{EventType: "*.x"}, []string{"1/1", "3/1", "4/7"}},
		"tail":      {events.DeliveryFilter{EventType: "ci.>"}, []string{"2/2"}},
		"retry":     {events.DeliveryFilter{Status: events.AttemptRetry}, []string{"1/1", "2/2"}},
		"delivered": {events.DeliveryFilter{Status: events.AttemptDelivered}, []string{"3/1"}},
		"since":     {events.DeliveryFilter{Since: time.Now().Add(time.Hour)}, nil},
		"until":     {events.DeliveryFilter{Until: middle.At.Add(-time.Hour)}, nil},
		"around":    {events.DeliveryFilter{Since: middle.At.Add(-time.Minute), Until: middle.At.Add(time.Minute)}, []string{"1/1", "2/2", "3/1", "4/7"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, limit := range []int{0, 1, 2, 1000} {
				ids, _ := s.listAll(events.DeliveriesListRequest{DeliveryFilter: c.filter, Limit: limit})
				require.Equal(t, c.want, ids, "with a limit of %d", limit)
			}
		})
	}
	t.Run("fields", func(t *testing.T) {
		t.Parallel()
		list, err := s.h.List(t.Context(), events.DeliveriesListRequest{DeliveryFilter: events.DeliveryFilter{EventType: "ci.>"}})
		require.NoError(t, err)
		require.Equal(t, []events.Delivery{{
			ID: "2", EndpointID: "a", EventID: "event-2", EventType: "ci.degraded", Status: events.AttemptRetry, Attempt: 2, At: middle.At,
			HTTPStatus: 500, Error: "500", ErrorClass: events.ErrorClassStatus, NextAt: middle.NextAt,
		}}, list.Deliveries)
	})
}

// TestAttemptsCountByTheirOwnTime: a record is stored after the attempt, which may have taken minutes.
func TestAttemptsCountByTheirOwnTime(t *testing.T) {
	t.Parallel()
	s := newSetup(t)
	slow := attempt("slow", "a", 1, events.AttemptRetry)
	slow.At = slow.At.Add(-4 * time.Minute)
	s.record("a", attempt("quick", "a", 1, events.AttemptRetry), slow)
	ids, _ := s.listAll(events.DeliveriesListRequest{DeliveryFilter: events.DeliveryFilter{Until: time.Now().Add(-time.Minute)}})
	require.Equal(t, []string{"slow/1"}, ids)
	ids, _ = s.listAll(events.DeliveriesListRequest{DeliveryFilter: events.DeliveryFilter{Since: time.Now().Add(-time.Minute)}})
	require.Equal(t, []string{"quick/1"}, ids)
}

func TestListDeadLetters(t *testing.T) {
	t.Parallel()
	s := newSetup(t)
	first := s.dead(events.FaultReceiver, "a", event("1", "custom.x"))
	s.record("a", attempt(first.ID, "a", 3, events.AttemptDead))
	never := s.dead(events.FaultEndpoint, "off", event("2", "ci.degraded"))
	s.deadMessage(events.FaultInternal, "a", "mlsdm.deliveries.ready.a", nil, []byte("not even JSON"))
	s.store("mlsdm.deadletters.events", []byte("no delivery"))

	list, err := s.h.List(t.Context(), events.DeliveriesListRequest{DeliveryFilter: events.DeliveryFilter{Status: events.AttemptDead}})
	require.NoError(t, err)
	require.Empty(t, list.Cursor)
	require.Len(t, list.Deliveries, 3, "each once, also what was never tried")
	at := list.Deliveries[0].At
	require.WithinDuration(t, time.Now(), at, time.Minute)
	require.Equal(t, events.Delivery{
		ID: first.ID, EndpointID: "a", EventID: "1", EventType: "custom.x", Status: events.AttemptDead, Attempt: 3, At: at,
		Error: "the receiver answered 500", Fault: events.FaultReceiver, DeadLetter: 1,
	}, list.Deliveries[0])
	require.Equal(t, never.ID, list.Deliveries[1].ID)
	require.Equal(t, events.FaultEndpoint, list.Deliveries[1].Fault)
	require.Equal(t, events.FaultInternal, list.Deliveries[2].Fault)
	require.EqualValues(t, 3, list.Deliveries[2].DeadLetter)

	for name, c := range map[string]struct {
		filter events.DeliveryFilter
		want   int
	}{
		"fault":              {events.DeliveryFilter{Fault: events.FaultEndpoint}, 1},
		"endpoint":           {events.DeliveryFilter{Status: events.AttemptDead, EndpointID: "a"}, 2},
		"endpoint and fault": {events.DeliveryFilter{Fault: events.FaultInternal, EndpointID: "a"}, 1},
		"type":               {events.DeliveryFilter{Status: events.AttemptDead, EventType: "custom.*"}, 1},
		"since":              {events.DeliveryFilter{Status: events.AttemptDead, Since: time.Now().Add(time.Hour)}, 0},
		"until":              {events.DeliveryFilter{Status: events.AttemptDead, Until: at.Add(-time.Hour)}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ids, _ := s.listAll(events.DeliveriesListRequest{DeliveryFilter: c.filter, Limit: 1})
			require.Len(t, ids, c.want)
		})
	}
}

// TestPagesHoldWhatWasThere: what comes while somebody turns the pages is not on them, so that there is a last one.
func TestPagesHoldWhatWasThere(t *testing.T) {
	t.Parallel()
	s := newSetup(t)
	for i := range 3 {
		s.record("a", attempt(strconv.Itoa(i), "a", 1, events.AttemptRetry), attempt(strconv.Itoa(i), "a", 2, events.AttemptRetry))
	}
	r := events.DeliveriesListRequest{Limit: 1}
	var seen []string
	for {
		list, err := s.h.List(t.Context(), r)
		require.NoError(t, err)
		for _, d := range list.Deliveries {
			seen = append(seen, d.ID+"/"+strconv.Itoa(d.Attempt))
		}
		if r.Cursor = list.Cursor; r.Cursor == "" {
			break
		}
		again, err := s.h.List(t.Context(), r)
		require.NoError(t, err)
		once, err := s.h.List(t.Context(), r)
		require.NoError(t, err)
		require.Equal(t, again, once, "a cursor is good for more than once")
		s.record("a", attempt("new", "a", 1, events.AttemptRetry))
	}
	require.Equal(t, []string{"0/1", "0/2", "1/1", "1/2", "2/1", "2/2"}, seen)
}

// TestPagesAreBounded: one request looks at so many messages, and then answers with a cursor even if it found nothing.
func TestPagesAreBounded(t *testing.T) {
	t.Parallel()
	s := newSetup(t)
	body, err := json.Marshal([]events.DeliveryAttempt{attempt("1", "a", 1, events.AttemptRetry)})
	require.NoError(t, err)
	const stored = 20_500
	msgs := make([]bus.Msg, 0, stored)
	for range stored {
		msgs = append(msgs, bus.Msg{Subject: s.bus.Subjects().Attempts("a"), Body: body})
	}
	require.NoError(t, s.bus.PublishAll(t.Context(), msgs))
	r := events.DeliveriesListRequest{DeliveryFilter: events.DeliveryFilter{Status: events.AttemptDelivered}}
	list, err := s.h.List(t.Context(), r)
	require.NoError(t, err)
	require.Empty(t, list.Deliveries)
	require.NotEmpty(t, list.Cursor)
	ids, _ := s.listAll(events.DeliveriesListRequest{DeliveryFilter: r.DeliveryFilter, Cursor: list.Cursor})
	require.Empty(t, ids)
}

// TestRepliesFit: a page is full when no more fits a message, whatever was asked for.
func TestRepliesFit(t *testing.T) {
	t.Parallel()
	s := newSetup(t)
	s.limit(64 << 10)
	for i := range 200 {
		a := attempt(strconv.Itoa(i), "a", 1, events.AttemptRetry)
		a.Error = strings.Repeat("\x01", 5000)
		s.record("a", a)
	}
	r := events.DeliveriesListRequest{Limit: 1000}
	n := 0
	for {
		list, err := s.h.List(t.Context(), r)
		require.NoError(t, err)
		text, err := json.Marshal(list)
		require.NoError(t, err)
		require.Less(t, len(text), 60<<10)
		n += len(list.Deliveries)
		if r.Cursor = list.Cursor; r.Cursor == "" {
			break
		}
	}
	require.Equal(t, 200, n)
}

// TestListOfGarbage: what others wrote on the subjects of attempts and dead letters stops nobody.
func TestListOfGarbage(t *testing.T) {
	t.Parallel()
	s := newSetup(t)
	for _, body := range []string{"", "null", "{}", "[", "[1]", `[{"at":"yesterday"}]`, `[{"attempt":"x"}]`, "\xff\xff", strings.Repeat("[", 100_000), `[{}]`} {
		s.store("mlsdm.attempts.a", []byte(body))
		s.store("mlsdm.deadletters.deliveries.receiver.a", []byte(body))
		s.store("mlsdm.deadletters.deliveries.a", []byte(body))
	}
	s.deadMessage("nobodys", "!", "x", map[string][]string{"MLSDM-delivery": {strings.Repeat("x", 10_000)}, "Mlsdm-Attempt": {"-5"}}, nil)
	s.record("a", attempt("1", "a", 1, events.AttemptRetry))
	ids, _ := s.listAll(events.DeliveriesListRequest{})
	require.Equal(t, []string{"/0", "1/1"}, ids)
	list, err := s.h.List(t.Context(), events.DeliveriesListRequest{DeliveryFilter: events.DeliveryFilter{Status: events.AttemptDead}})
	require.NoError(t, err)
	for _, d := range list.Deliveries {
		require.LessOrEqual(t, len(d.ID), events.MaxIDLength)
	}
}

func TestListRefuses(t *testing.T) {
	t.Parallel()
	s := newSetup(t)
	s.record("a", attempt("1", "a", 1, events.AttemptRetry), attempt("2", "a", 1, events.AttemptRetry))
	list, err := s.h.List(t.Context(), events.DeliveriesListRequest{Limit: 1})
	require.NoError(t, err)
	for name, r := range map[string]events.DeliveriesListRequest{
		"limit":           {Limit: 1001},
		"status":          {DeliveryFilter: events.DeliveryFilter{Status: "lost"}},
		"endpoint":        {DeliveryFilter: events.DeliveryFilter{EndpointID: "*"}},
		"pattern":         {DeliveryFilter: events.DeliveryFilter{EventType: "a.>.b"}},
		"spaces":          {DeliveryFilter: events.DeliveryFilter{EventType: "a b"}},
		"fault of living": {DeliveryFilter: events.DeliveryFilter{Fault: events.FaultReceiver, Status: events.AttemptRetry}},
		"garbage":         {Cursor: "garbage!"},
		"long":            {Cursor: strings.Repeat("A", 10_000)},
		"of others":       {Cursor: list.Cursor, DeliveryFilter: events.DeliveryFilter{Status: events.AttemptDead}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := s.h.List(t.Context(), r)
			require.Equal(t, events.CodeInvalidArgument, code(t, err))
		})
	}
}

func TestListWithoutStreams(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t, bustest.Bare()).Connect(t, "test")
	_, err := history.New(b, deliverable).List(t.Context(), events.DeliveriesListRequest{})
	require.Equal(t, events.CodeFailedPrecondition, code(t, err))
}
