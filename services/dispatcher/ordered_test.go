package dispatcher_test

import (
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// Strict ordering: one in flight, in the order of the stream, whatever fails, over replicas that come and go.
func TestStrictOrdering(t *testing.T) {
	t.Parallel()
	srv := bustest.Start(t)
	var mu sync.Mutex
	var arrived []string
	var inFlight atomic.Int64
	attempts := map[string]int{}
	to := newReceiver(t, func(w http.ResponseWriter, h hit, _ int) {
		if inFlight.Add(1) > 1 {
			t.Error("two webhooks at one time")
		}
		defer inFlight.Add(-1)
		mu.Lock()
		defer mu.Unlock()
		attempts[h.id]++
		n, err := strconv.Atoi(h.id[len("event-"):])
		if err != nil {
			t.Error(err)
		}
		if n%13 == 0 && attempts[h.id] <= 2 {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		if len(arrived) == 0 || arrived[len(arrived)-1] != h.id { // at least once
			arrived = append(arrived, h.id)
		}
	})
	one := run(t, srv, onlyBus())
	s := spec("shop", to.url)
	s.Ordering, s.Events = events.OrderingStrict, []string{"custom.>", "custom.order"} // patterns that overlap
	create(t, one, s)
	const total = 100
	publisher := srv.Connect(t, "publisher")
	for i := range total {
		publish(t, publisher, "custom.order", "event-"+strconv.Itoa(i))
	}
	done := func(n int) func() bool {
		return func() bool {
			mu.Lock()
			defer mu.Unlock()
			return len(arrived) >= n
		}
	}
	require.Eventually(t, done(total/4), patience, time.Millisecond)
	run(t, srv, onlyBus())
	require.Eventually(t, done(total/2), patience, time.Millisecond)
	one.stop()
	require.Eventually(t, done(total), patience, time.Millisecond)
	mu.Lock()
	defer mu.Unlock()
	for i, id := range arrived {
		require.Equal(t, "event-"+strconv.Itoa(i), id)
	}
	require.Equal(t, 3, attempts["event-13"])
}

// An ordered endpoint gives up, tells, and goes on.
func TestStrictOrderingGivesUp(t *testing.T) {
	t.Parallel()
	srv := bustest.Start(t)
	to := newReceiver(t, func(w http.ResponseWriter, h hit, _ int) {
		if h.id == "event-0" {
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
	r := run(t, srv, onlyBus())
	s := spec("shop", to.url)
	s.Ordering, s.Retry = events.OrderingStrict, waits(2, time.Millisecond)
	create(t, r, s)
	dead := listen(t, srv, "mlsdm.deadletters.>")
	for i := range 3 {
		publish(t, r.bus, "custom.order", "event-"+strconv.Itoa(i))
	}
	for _, want := range []string{"event-0", "event-0", "event-0", "event-1", "event-2"} {
		require.Equal(t, want, to.next(t).id)
	}
	letter := dead()
	require.Equal(t, "mlsdm.deadletters.deliveries.receiver.shop", letter.subject)
	require.Equal(t, "3", letter.value(events.HeaderAttempt))

	replay := call[events.ReplayReply](t, r, events.OpDeliveriesReplay, events.ReplayRequest{ReplayID: "again"})
	require.Equal(t, 1, replay.Replayed)
	require.Equal(t, "event-0", to.next(t).id)

	call[events.EndpointDeleted](t, r, events.OpEndpointsDelete, events.EndpointDeleteRequest{ID: "shop"})
	js, err := srv.Conn(t).JetStream()
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		_, err := js.ConsumerInfo("MLSDM_EVENTS", events.OrderedConsumer("shop"))
		return err != nil
	}, patience, 10*time.Millisecond, "nothing is left of it on the bus")
}

// Dead letters are replayed to the same endpoint or another, and events to one that did not want them.
func TestReplay(t *testing.T) {
	t.Parallel()
	srv := bustest.Start(t)
	var working atomic.Bool
	to := newReceiver(t, func(w http.ResponseWriter, _ hit, _ int) {
		if !working.Load() {
			w.WriteHeader(http.StatusBadRequest)
		}
	})
	other := newReceiver(t, nil)
	r := run(t, srv, onlyBus())
	s := spec("shop", to.url)
	s.Retry = waits(1, time.Millisecond)
	create(t, r, s)
	s = spec("other", other.url)
	s.Events = []string{"never.this"}
	create(t, r, s)
	const total = 5
	for i := range total {
		publish(t, r.bus, "custom.order", "event-"+strconv.Itoa(i))
	}
	eventually(t, srv, "MLSDM_DEADLETTERS", total)
	for len(to.hits) > 0 {
		<-to.hits
	}
	working.Store(true)
	count := call[events.ReplayReply](t, r, events.OpDeliveriesReplay, events.ReplayRequest{DryRun: true})
	require.Equal(t, total, count.Matched)
	require.Zero(t, count.Replayed)
	require.Equal(t, total, call[events.ReplayReply](t, r, events.OpDeliveriesReplay, events.ReplayRequest{ReplayID: "a"}).Replayed)
	require.Equal(t, total, call[events.ReplayReply](t, r, events.OpDeliveriesReplay, events.ReplayRequest{ReplayID: "b", To: "other"}).Replayed)
	for range total {
		to.next(t)
		other.next(t)
	}
	got := call[events.ReplayReply](t, r, events.OpDeliveriesReplay, events.ReplayRequest{
		From: events.ReplayEvents, To: "other", ReplayID: "c", DeliveryFilter: events.DeliveryFilter{EventType: "custom.*"},
	})
	require.Equal(t, total, got.Replayed)
	for range total {
		other.next(t)
	}
	list := call[events.DeliveriesList](t, r, events.OpDeliveriesList, events.DeliveriesListRequest{DeliveryFilter: events.DeliveryFilter{Status: events.AttemptDead}})
	require.Len(t, list.Deliveries, total)
	require.Eventually(t, func() bool {
		detail := call[events.DeliveryDetail](t, r, events.OpDeliveriesGet, events.DeliveryRequest{ID: list.Deliveries[0].ID})
		return len(detail.Attempts) >= 3
	}, patience, 10*time.Millisecond)
}

// What waits for an ordered endpoint when it is disabled goes to dead letters; what is published from then on does not.
func TestStrictOrderingDisabled(t *testing.T) {
	t.Parallel()
	srv := bustest.Start(t)
	release := make(chan struct{})
	to := newReceiver(t, func(w http.ResponseWriter, h hit, _ int) {
		if h.id == "event-0" {
			<-release
			w.WriteHeader(http.StatusGone)
		}
	})
	r := run(t, srv, onlyBus())
	s := spec("shop", to.url)
	s.Ordering, s.Events = events.OrderingStrict, []string{"custom.order"}
	create(t, r, s)
	dead := listen(t, srv, "mlsdm.deadletters.>")
	for i := range 3 {
		publish(t, r.bus, "custom.order", "event-"+strconv.Itoa(i))
	}
	close(release)
	for i := range 3 {
		letter := dead()
		require.Equal(t, "mlsdm.deadletters.deliveries.receiver.shop", letter.subject)
		require.Equal(t, "event-"+strconv.Itoa(i), letter.value(events.HeaderEventID))
	}
	publish(t, r.bus, "custom.order", "event-3")
	js, err := srv.Conn(t).JetStream()
	require.NoError(t, err)
	last, err := js.GetLastMsg("MLSDM_EVENTS", "mlsdm.events.custom.order")
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		info, err := js.ConsumerInfo("MLSDM_EVENTS", events.OrderedConsumer("shop"))
		return err == nil && info.Delivered.Stream >= last.Sequence && info.NumAckPending == 0
	}, patience, 10*time.Millisecond)
	call[events.EndpointChanged](t, r, events.OpEndpointsUpdate, events.EndpointUpdateRequest{ID: "shop", Endpoint: []byte(`{"disabled":false}`)})
	publish(t, r.bus, "custom.order", "event-4")
	require.Equal(t, "event-0", to.next(t).id)
	require.Equal(t, "event-4", to.next(t).id)
	require.Equal(t, 3, stored(t, srv, "MLSDM_DEADLETTERS"))
}

// So does what an ordered endpoint has been tried with when its operator disables it.
func TestStrictOrderingDisabledByItsOperator(t *testing.T) {
	t.Parallel()
	srv := bustest.Start(t)
	to := newReceiver(t, status(http.StatusInternalServerError))
	r := run(t, srv, onlyBus())
	s := spec("shop", to.url)
	s.Ordering, s.Retry = events.OrderingStrict, waits(3, 1500*time.Millisecond)
	create(t, r, s)
	dead := listen(t, srv, "mlsdm.deadletters.>")
	publish(t, r.bus, "custom.order", "event-0")
	to.next(t)
	call[events.EndpointChanged](t, r, events.OpEndpointsUpdate, events.EndpointUpdateRequest{ID: "shop", Endpoint: []byte(`{"disabled":true}`)})
	letter := dead()
	require.Equal(t, "mlsdm.deadletters.deliveries.endpoint.shop", letter.subject)
	require.Equal(t, "event-0", letter.value(events.HeaderEventID))
	require.Empty(t, to.hits)
}

// An ordered endpoint that has been changed is read as it is now, also by a replica that has to begin anew.
func TestStrictOrderingFollowsChanges(t *testing.T) {
	t.Parallel()
	srv := bustest.Start(t)
	to := newReceiver(t, nil)
	r := run(t, srv, onlyBus())
	s := spec("shop", to.url)
	s.Ordering, s.Events = events.OrderingStrict, []string{"custom.before"}
	create(t, r, s)
	publish(t, r.bus, "custom.before", "event-1")
	require.Equal(t, "event-1", to.next(t).id)
	call[events.EndpointChanged](t, r, events.OpEndpointsUpdate, events.EndpointUpdateRequest{ID: "shop", Endpoint: []byte(`{"events":["custom.after"]}`)})
	publish(t, r.bus, "custom.after", "event-2")
	require.Equal(t, "event-2", to.next(t).id)
	js, err := srv.Conn(t).JetStream()
	require.NoError(t, err)
	last, err := js.GetLastMsg("MLSDM_EVENTS", "mlsdm.events.custom.after")
	require.NoError(t, err)
	require.Eventually(t, func() bool { // or it comes again
		info, err := js.ConsumerInfo("MLSDM_EVENTS", events.OrderedConsumer("shop"))
		return err == nil && info.AckFloor.Stream >= last.Sequence
	}, patience, 10*time.Millisecond)
	require.NoError(t, js.DeleteConsumer("MLSDM_EVENTS", events.OrderedConsumer("shop")))
	var filter string
	require.Eventually(t, func() bool {
		info, err := js.ConsumerInfo("MLSDM_EVENTS", events.OrderedConsumer("shop"))
		if err != nil {
			return false
		}
		filter = info.Config.FilterSubject
		if filter == "" && len(info.Config.FilterSubjects) == 1 {
			filter = info.Config.FilterSubjects[0]
		}
		return true
	}, patience, 10*time.Millisecond)
	require.Equal(t, "mlsdm.events.custom.after", filter)
	publish(t, r.bus, "custom.after", "event-3")
	next := to.next(t).id
	if next == "event-2" { // a server that deletes a consumer and makes it again at once may remember it as it was a moment before
		next = to.next(t).id
	}
	require.Equal(t, "event-3", next)
}
