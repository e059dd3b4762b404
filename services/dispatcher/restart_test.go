package dispatcher_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
)

// waiting waits until a retry lies with the scheduler.
func waiting(t *testing.T, later func() message) {
	t.Helper()
	m := later()
	require.Equal(t, "mlsdm.deliveries.again.default", m.value(events.HeaderScheduleTarget))
}

func TestRetrySurvivesTheDispatcher(t *testing.T) {
	t.Parallel()
	srv := bustest.Start(t)
	to := newReceiver(t, func(w http.ResponseWriter, _ hit, n int) {
		if n == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	later := listen(t, srv, "mlsdm.deliveries.later.*")
	cfg := config(to.url)
	cfg.Retry = waits(2, 2*time.Second)
	first := run(t, srv, cfg)
	publish(t, first.bus, "custom.deploy", "event-1")
	h := to.next(t)
	waiting(t, later)
	first.stop()
	require.Empty(t, to.hits)

	run(t, srv, cfg)
	again := to.next(t)
	require.Equal(t, h.id, again.id)
	require.NotEqual(t, h.header.Get("webhook-timestamp"), again.header.Get("webhook-timestamp"))
	verify(t, testSecret, again)
	settled(t, srv)
}

// TestRetrySurvivesTheServer: the retry is overdue when the server comes back, and is released then.
func TestRetrySurvivesTheServer(t *testing.T) {
	t.Parallel()
	srv := bustest.Start(t)
	to := newReceiver(t, func(w http.ResponseWriter, _ hit, n int) {
		if n == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	later := listen(t, srv, "mlsdm.deliveries.later.*")
	cfg := config(to.url)
	cfg.Retry = waits(2, time.Second)
	r := run(t, srv, cfg)
	publish(t, r.bus, "custom.deploy", "event-1")
	to.next(t)
	waiting(t, later)
	eventually(t, srv, "MLSDM_DELIVERIES", 0) // the first attempt is acked, the second stored
	eventually(t, srv, "MLSDM_WAITING", 1)
	srv.Restart(t)
	require.Equal(t, "event-1", to.next(t).id)
	settled(t, srv)
}

// TestInterruptedInTheMiddle: an attempt that outlives the drain timeout does not count, and is made again at once.
func TestInterruptedInTheMiddle(t *testing.T) {
	t.Parallel()
	srv := bustest.Start(t)
	to, asked := stuckOnce(t)
	r := run(t, srv, config(to.url))
	publish(t, r.bus, "custom.deploy", "event-1")
	<-asked
	r.stop()
	run(t, srv, config(to.url))
	require.Equal(t, "event-1", to.next(t).id)
	settled(t, srv)
	require.Zero(t, stored(t, srv, "MLSDM_DEADLETTERS"), "a shutdown is nobody's failure")
}

// TestKilledInTheMiddle: the process dies with an attempt under way. The server hands the delivery out again when it has
// heard nothing of it for its ack wait, shortened here.
func TestKilledInTheMiddle(t *testing.T) {
	t.Parallel()
	srv := bustest.Start(t)
	js, err := srv.Conn(t).JetStream()
	require.NoError(t, err)
	info, err := js.ConsumerInfo("MLSDM_DELIVERIES", events.ConsumerWorkers)
	require.NoError(t, err)
	info.Config.AckWait = time.Second
	_, err = js.UpdateConsumer("MLSDM_DELIVERIES", &info.Config)
	require.NoError(t, err)

	to, asked := stuckOnce(t)
	r := run(t, srv, config(to.url))
	publish(t, srv.Connect(t, "publisher"), "custom.deploy", "event-1")
	<-asked
	r.kill()
	run(t, srv, config(to.url))
	require.Equal(t, "event-1", to.next(t).id)
	settled(t, srv)
}

// stuckOnce is a receiver that keeps the first webhook waiting until the test ends; asked tells when it has come.
func stuckOnce(t *testing.T) (to *receiver, asked chan struct{}) {
	t.Helper()
	asked, release := make(chan struct{}), make(chan struct{})
	to = newReceiver(t, func(_ http.ResponseWriter, _ hit, n int) {
		if n == 1 {
			close(asked)
			<-release
		}
	})
	t.Cleanup(func() { close(release) })
	return to, asked
}

// TestDrainLosesNothing: dispatchers come and go under load, and every event arrives.
func TestDrainLosesNothing(t *testing.T) {
	t.Parallel()
	const total = 600
	srv := bustest.Start(t)
	to := newReceiver(t, func(w http.ResponseWriter, _ hit, n int) {
		if n%17 == 0 {
			w.WriteHeader(http.StatusBadGateway)
		}
	})
	publisher := srv.Connect(t, "publisher")
	published := make(chan struct{})
	go func() {
		defer close(published)
		for i := range total {
			ev := events.Event{ID: fmt.Sprintf("event-%d", i), Source: "/test", Type: "custom.load", Time: time.Now()}
			if _, err := publisher.PublishEvent(t.Context(), ev); err != nil {
				t.Error(err)
			}
		}
	}()
	got := map[string]int{}
	for len(got) < total {
		r := run(t, srv, config(to.url))
		for range total / 6 {
			if len(got) == total {
				break
			}
			h := to.next(t)
			got[h.id]++
		}
		r.stop()
	}
	<-published
	run(t, srv, config(to.url))
	settled(t, srv)
	require.Zero(t, stored(t, srv, "MLSDM_DEADLETTERS"))
}
