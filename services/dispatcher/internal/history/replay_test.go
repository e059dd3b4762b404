package history_test

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/delivery"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/history"
)

// fresh checks a replayed delivery: all its attempts lie before it.
func fresh(t *testing.T, m message, endpoint, replay string) delivery.Delivery {
	t.Helper()
	require.Equal(t, "mlsdm.deliveries.ready."+endpoint, m.subject)
	require.Equal(t, "1", events.HeaderValue(m.header, events.HeaderAttempt))
	require.Equal(t, replay, events.HeaderValue(m.header, events.HeaderReplay))
	for name := range m.header {
		require.False(t, strings.HasPrefix(name, "Mlsdm-Dead-"), name)
	}
	d, err := delivery.Read(endpoint, m.header, m.body)
	require.NoError(t, err)
	require.Zero(t, d.FirstAttemptAt)
	require.Zero(t, d.Slot)
	require.Zero(t, d.Probe)
	return d
}

func TestReplayDeadLetters(t *testing.T) {
	t.Parallel()
	s := newSetup(t)
	given := s.dead(events.FaultReceiver, "a", event("1", "custom.x"))
	next := s.deliveries()
	r := events.ReplayRequest{ReplayID: "again"}
	sum, _ := s.replayAll(r)
	require.Equal(t, events.ReplayReply{Matched: 1, Replayed: 1, Scanned: 1}, sum)
	m := next()
	d := fresh(t, m, "a", "again")
	require.Equal(t, given.ID, d.ID, "the receiver may recognise it")
	require.Equal(t, given.PublishedAt, d.PublishedAt)
	require.Equal(t, "1", d.Event.ID)
	require.Equal(t, 1, s.stored("MLSDM_DEADLETTERS"), "a dead letter stays")

	// Asked again, the page adds nothing; under another name it does.
	s.replayAll(r)
	require.Equal(t, 1, s.stored("MLSDM_DELIVERIES"))
	s.replayAll(events.ReplayRequest{ReplayID: "once-more"})
	require.Equal(t, 2, s.stored("MLSDM_DELIVERIES"))
}

func TestReplayToAnotherEndpoint(t *testing.T) {
	t.Parallel()
	s := newSetup(t)
	ev := event("1", "custom.x")
	ev.TraceParent = "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01"
	s.dead(events.FaultReceiver, "a", ev)
	s.dead(events.FaultEndpoint, "gone", event("2", "custom.x"))
	next := s.deliveries()
	sum, _ := s.replayAll(events.ReplayRequest{ReplayID: "again", To: "b"})
	require.Equal(t, 2, sum.Replayed, "where it should have gone does not matter")
	m := next()
	d := fresh(t, m, "b", "again")
	require.Equal(t, delivery.New(ev, "b", time.Time{}).ID, d.ID)
	require.Contains(t, events.HeaderValue(m.header, events.HeaderTraceParent), "-0123456789abcdef0123456789abcdef-", "the same trace")
	require.Equal(t, "2", fresh(t, next(), "b", "again").Event.ID)

	// The same replay to a third endpoint is not taken for a copy.
	s.replayAll(events.ReplayRequest{ReplayID: "again", To: "c"})
	require.Equal(t, 4, s.stored("MLSDM_DELIVERIES"))
}

func TestReplayFilters(t *testing.T) {
	t.Parallel()
	s := newSetup(t)
	first := s.dead(events.FaultReceiver, "a", event("1", "custom.x"))
	s.dead(events.FaultReceiver, "b", event("2", "custom.x"))
	s.dead(events.FaultInternal, "a", event("3", "ci.degraded"))
	s.dead(events.FaultEndpoint, "off", event("4", "ci.degraded"))
	s.deadMessage(events.FaultInternal, "a", "mlsdm.deliveries.ready.a", nil, []byte("not even JSON"))
	list, err := s.h.List(t.Context(), events.DeliveriesListRequest{DeliveryFilter: events.DeliveryFilter{Status: events.AttemptDead}})
	require.NoError(t, err)
	third := list.Deliveries[2].At
	for name, c := range map[string]struct {
		r                 events.ReplayRequest
		matched, replayed int
		unread            int // of those that a dry run believes in
	}{
		"all":      {events.ReplayRequest{}, 5, 3, 1},
		"endpoint": {events.ReplayRequest{DeliveryFilter: events.DeliveryFilter{EndpointID: "a"}}, 3, 2, 1},
		"disabled": {events.ReplayRequest{DeliveryFilter: events.DeliveryFilter{EndpointID: "off"}}, 1, 0, 0},
		"fault":    {events.ReplayRequest{DeliveryFilter: events.DeliveryFilter{Fault: events.FaultReceiver}}, 2, 2, 0},
		"status":   {events.ReplayRequest{DeliveryFilter: events.DeliveryFilter{Status: events.AttemptDead, EventType: ">"}}, 5, 3, 1},
		"type":     {events.ReplayRequest{DeliveryFilter: events.DeliveryFilter{EventType: "ci.*"}}, 2, 1, 0},
		"delivery": {events.ReplayRequest{DeliveryID: first.ID}, 1, 1, 0},
		"event":    {events.ReplayRequest{EventID: "2"}, 1, 1, 0},
		"neither":  {events.ReplayRequest{EventID: "2", DeliveryID: first.ID}, 0, 0, 0},
		"until":    {events.ReplayRequest{DeliveryFilter: events.DeliveryFilter{Until: third}}, 2, 2, 0},
		"since":    {events.ReplayRequest{DeliveryFilter: events.DeliveryFilter{Since: third}, To: "c"}, 3, 2, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, limit := range []int{0, 1, 2} {
				r := c.r
				r.Limit, r.ReplayID = limit, name+strconv.Itoa(limit)
				sum, _ := s.replayAll(r)
				require.Equal(t, [...]int{c.matched, c.replayed, c.matched - c.replayed}, [...]int{sum.Matched, sum.Replayed, sum.Skipped}, "with a limit of %d", limit)
				r.DryRun, r.ReplayID = true, ""
				sum, _ = s.replayAll(r)
				require.Equal(t, [...]int{c.matched, 0, c.matched - c.replayed - c.unread}, [...]int{sum.Matched, sum.Replayed, sum.Skipped}, "dry, with a limit of %d", limit)
			}
		})
	}
}

// TestReplayOfOrderedEndpoint: the dead letter of a strictly ordered endpoint is the event as it was published, in any form.
func TestReplayOfOrderedEndpoint(t *testing.T) {
	t.Parallel()
	published := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	header := func(more map[string][]string) map[string][]string {
		more[events.HeaderDelivery], more[events.HeaderEndpoint] = []string{"mine"}, []string{"a"}
		more[events.HeaderEventID], more[events.HeaderEventType] = []string{"event-1"}, []string{"custom.x"}
		more[events.HeaderPublishedAt] = []string{published.Format(time.RFC3339Nano)}
		return more
	}
	ev := event("event-1", "custom.x")
	_, structured, body, err := ev.Message(events.Subjects{})
	require.NoError(t, err)
	for name, c := range map[string]struct {
		header map[string][]string
		body   []byte
	}{
		"structured": {structured, body},
		"binary": {map[string][]string{
			"ce-specversion": {"1.0"}, "ce-id": {"event-1"}, "ce-source": {"/test"}, "ce-type": {"custom.x"}, "Content-Type": {"application/json"},
		}, []byte(`{"n":1}`)},
		"bare":         {map[string][]string{}, []byte(`{"n":1}`)},
		"bare with id": {map[string][]string{events.HeaderMsgID: {"event-1"}}, []byte(`{"n":1}`)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSetup(t)
			s.deadMessage(events.FaultReceiver, "a", "mlsdm.events.custom.x", header(c.header), c.body)
			next := s.deliveries()
			s.replayAll(events.ReplayRequest{ReplayID: "again"})
			d := fresh(t, next(), "a", "again")
			require.Equal(t, "mine", d.ID)
			require.Equal(t, "event-1", d.Event.ID)
			require.Equal(t, "custom.x", d.Event.Type)
			require.Equal(t, published, d.PublishedAt)
			require.JSONEq(t, `{"n":1}`, string(d.Event.Data))
		})
	}
}

func TestReplayEvents(t *testing.T) {
	t.Parallel()
	s := newSetup(t)
	for i := range 5 {
		_, err := s.bus.PublishEvent(t.Context(), event("x"+strconv.Itoa(i), "custom.x"))
		require.NoError(t, err)
	}
	s.store("mlsdm.events.custom.bare", []byte(`{"n":1}`))
	_, err := s.bus.PublishEvent(t.Context(), event("y", "custom.y.z"))
	require.NoError(t, err)
	s.store("mlsdm.events.custom.x", []byte(`{"specversion":"1.0","type":"custom.other"}`)) // contradicts its subject
	next := s.deliveries()

	base := events.ReplayRequest{From: events.ReplayEvents, To: "b"}
	for name, c := range map[string]struct {
		change            func(*events.ReplayRequest)
		matched, replayed int
		scanned           int
	}{
		"type":     {func(r *events.ReplayRequest) { r.EventType = "custom.*" }, 7, 6, 7},
		"all":      {func(*events.ReplayRequest) {}, 8, 7, 8},
		"tail":     {func(r *events.ReplayRequest) { r.EventType = "custom.y.>" }, 1, 1, 1},
		"event id": {func(r *events.ReplayRequest) { r.EventID = "x3" }, 1, 1, 8},
		"none":     {func(r *events.ReplayRequest) { r.EventType = "ci.*" }, 0, 0, 0},
		"since":    {func(r *events.ReplayRequest) { r.Since = time.Now().Add(time.Hour) }, 0, 0, 0},
		"until":    {func(r *events.ReplayRequest) { r.Until = time.Now().Add(-time.Hour) }, 0, 0, 0},
	} {
		r := base
		c.change(&r)
		r.ReplayID = strings.ReplaceAll(name, " ", "-")
		before := s.stored("MLSDM_DELIVERIES")
		sum, _ := s.replayAll(r)
		require.Equal(t, events.ReplayReply{Matched: c.matched, Replayed: c.replayed, Skipped: c.matched - c.replayed, Scanned: c.scanned}, sum, name)
		require.Equal(t, before+c.replayed, s.stored("MLSDM_DELIVERIES"))
		r.DryRun = true
		sum, _ = s.replayAll(r)
		require.Equal(t, c.matched, sum.Matched, "%s, dry: unreadable ones are not known yet", name)
		for range c.replayed {
			d := fresh(t, next(), "b", r.ReplayID)
			require.WithinDuration(t, time.Now(), d.PublishedAt, time.Minute)
			require.Equal(t, delivery.New(d.Event, "b", time.Time{}).ID, d.ID)
		}
	}
}

// TestReplayHasAnEnd: receivers that refuse again at once make new dead letters, which are not part of the same replay.
func TestReplayHasAnEnd(t *testing.T) {
	t.Parallel()
	s := newSetup(t)
	for i := range 4 {
		s.dead(events.FaultReceiver, "a", event(strconv.Itoa(i), "custom.x"))
	}
	r := events.ReplayRequest{ReplayID: "again", Limit: 1}
	total := 0
	for {
		reply, err := s.h.Replay(t.Context(), r)
		require.NoError(t, err)
		total += reply.Replayed
		s.dead(events.FaultReceiver, "a", event("again"+strconv.Itoa(total), "custom.x"))
		if r.Cursor = reply.Cursor; reply.Done {
			break
		}
	}
	require.Equal(t, 4, total)
}

// TestReplayInPages: each dead letter is on one page, whatever the size of the pages, also when they are asked for again.
func TestReplayInPages(t *testing.T) {
	t.Parallel()
	s := newSetup(t)
	const letters = 60
	for i := range letters {
		endpoint := []string{"a", "b", "off"}[i%3]
		s.dead(events.FaultReceiver, endpoint, event(strconv.Itoa(i), "custom.x"))
	}
	var wg sync.WaitGroup
	for range 4 { // several people ask for the same replay at the same time
		wg.Go(func() {
			r := events.ReplayRequest{ReplayID: "again", Limit: 7}
			for {
				reply, err := s.h.Replay(t.Context(), r)
				if err != nil || reply.Done {
					return
				}
				r.Cursor = reply.Cursor
			}
		})
	}
	wg.Wait()
	sum, pages := s.replayAll(events.ReplayRequest{ReplayID: "again", Limit: 7})
	require.Equal(t, events.ReplayReply{Matched: letters, Replayed: 40, Skipped: 20, Scanned: letters}, sum)
	require.Equal(t, 9, pages)
	require.Equal(t, 40, s.stored("MLSDM_DELIVERIES"))
}

// TestReplayOfHugeOnes: a page holds so many bytes, however many deliveries were asked for.
func TestReplayOfHugeOnes(t *testing.T) {
	t.Parallel()
	s := newSetup(t)
	ev := event("0", "custom.x")
	ev.Data = []byte(`"` + strings.Repeat("x", 1_000_000) + `"`)
	for i := range 20 {
		ev.ID = strconv.Itoa(i)
		s.dead(events.FaultReceiver, "a", ev)
	}
	sum, pages := s.replayAll(events.ReplayRequest{ReplayID: "again", Limit: 1000})
	require.Equal(t, 20, sum.Replayed)
	require.GreaterOrEqual(t, pages, 3)
	require.Equal(t, 20, s.stored("MLSDM_DELIVERIES"))
	sum, _ = s.replayAll(events.ReplayRequest{DryRun: true}) // on as many pages as the machine takes time for
	require.Equal(t, 20, sum.Matched)
	require.Equal(t, 20, sum.Scanned)
}

func TestReplayRefuses(t *testing.T) {
	t.Parallel()
	s := newSetup(t)
	s.dead(events.FaultReceiver, "a", event("1", "custom.x"))
	page, err := s.h.Replay(t.Context(), events.ReplayRequest{DryRun: true, Limit: 1})
	require.NoError(t, err)
	require.True(t, page.Done)
	for name, c := range map[string]struct {
		r    events.ReplayRequest
		code events.Code
	}{
		"no id":         {events.ReplayRequest{}, events.CodeInvalidArgument},
		"odd id":        {events.ReplayRequest{ReplayID: "a.b"}, events.CodeInvalidArgument},
		"no such to":    {events.ReplayRequest{ReplayID: "x", To: "nobody"}, events.CodeNotFound},
		"disabled to":   {events.ReplayRequest{ReplayID: "x", To: "off"}, events.CodeFailedPrecondition},
		"dry too":       {events.ReplayRequest{DryRun: true, To: "off"}, events.CodeFailedPrecondition},
		"pattern":       {events.ReplayRequest{ReplayID: "x", DeliveryFilter: events.DeliveryFilter{EventType: ">.x"}}, events.CodeInvalidArgument},
		"subjects":      {events.ReplayRequest{ReplayID: "x", To: "a", From: events.ReplayEvents, DeliveryFilter: events.DeliveryFilter{EventType: "x y"}}, events.CodeInvalidArgument},
		"cursor":        {events.ReplayRequest{ReplayID: "x", Cursor: "xxx"}, events.CodeInvalidArgument},
		"long id":       {events.ReplayRequest{ReplayID: "x", EventID: strings.Repeat("x", 1000)}, events.CodeInvalidArgument},
		"delivery id":   {events.ReplayRequest{ReplayID: "x", DeliveryID: "a b"}, events.CodeInvalidArgument},
		"from nowhere":  {events.ReplayRequest{ReplayID: "x", From: "thin air"}, events.CodeInvalidArgument},
		"events for no": {events.ReplayRequest{ReplayID: "x", From: events.ReplayEvents}, events.CodeInvalidArgument},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := s.h.Replay(t.Context(), c.r)
			require.Equal(t, c.code, code(t, err))
		})
	}
}

// failing stores nothing.
type failing struct{ *bus.Bus }

func (failing) PublishAll(context.Context, []bus.Msg) error {
	return events.Errorf(events.CodeUnavailable, "no leader")
}

// TestNoCursorWithoutAcks: a page that is not stored whole is to be asked for again.
func TestNoCursorWithoutAcks(t *testing.T) {
	t.Parallel()
	s := newSetup(t)
	s.dead(events.FaultReceiver, "a", event("1", "custom.x"))
	h := history.New(failing{s.bus}, deliverable)
	reply, err := h.Replay(t.Context(), events.ReplayRequest{ReplayID: "again"})
	require.Equal(t, events.CodeUnavailable, code(t, err))
	require.True(t, events.AsError(err).Retryable)
	require.ErrorContains(t, err, "same replay_id")
	require.Zero(t, reply)
	sum, _ := s.replayAll(events.ReplayRequest{ReplayID: "again"})
	require.Equal(t, 1, sum.Replayed)
}

func TestReplaySkipsWhatTheServerDoesNotTake(t *testing.T) {
	t.Parallel()
	s := newSetup(t)
	ev := event("1", "custom.x")
	ev.Data = []byte(`"` + strings.Repeat("x", 3000) + `"`)
	s.dead(events.FaultReceiver, "a", ev)
	s.dead(events.FaultReceiver, "a", event("2", "custom.x"))
	s.limit(2000) // as after the server's limit was lowered
	reply, err := s.h.Replay(t.Context(), events.ReplayRequest{ReplayID: "again"})
	require.NoError(t, err)
	require.Equal(t, events.ReplayReply{Matched: 2, Replayed: 1, Skipped: 1, Scanned: 2, Done: true}, reply)
}

// TestReplayOfWhatLacksHeadersOrBody: a delivery that somebody put there by hand has only a body, one of an event without data
// has none.
func TestReplayOfWhatLacksHeadersOrBody(t *testing.T) {
	t.Parallel()
	s := newSetup(t)
	byHand := event("by-hand", "custom.x")
	s.deadMessage(events.FaultReceiver, "a", "mlsdm.deliveries.ready.a", nil, []byte(jsonOf(t, byHand)))
	empty := event("empty", "custom.y")
	empty.Data = nil
	s.dead(events.FaultReceiver, "a", empty)
	next := s.deliveries()
	for _, ev := range []events.Event{byHand, empty} {
		id := delivery.New(ev, "a", time.Time{}).ID
		got, err := s.h.Get(t.Context(), events.DeliveryRequest{ID: id})
		require.NoError(t, err)
		require.Equal(t, ev.Type, got.Delivery.EventType)
		require.JSONEq(t, jsonOf(t, ev), string(got.Event))
		for name, r := range map[string]events.ReplayRequest{
			"delivery": {DeliveryID: id}, "event": {EventID: ev.ID}, "type": {DeliveryFilter: events.DeliveryFilter{EventType: ev.Type}},
		} {
			r.ReplayID = name + "-" + ev.ID
			sum, _ := s.replayAll(r)
			require.Equal(t, 1, sum.Replayed, name)
			d := fresh(t, next(), "a", r.ReplayID)
			require.Equal(t, id, d.ID)
			require.Equal(t, ev, d.Event)
			r.DryRun = true
			sum, _ = s.replayAll(r)
			require.Equal(t, 1, sum.Matched, name)
		}
	}
}
