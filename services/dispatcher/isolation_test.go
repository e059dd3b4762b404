package dispatcher_test

import (
	"net/http"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/gate"
)

// Many retries that fall due together take no worker from what is new.
func TestRetriesDoNotStarveFirstAttempts(t *testing.T) {
	t.Parallel()
	srv := bustest.Start(t)
	const storm = 60
	var failed, hung atomic.Int64
	gone := make(chan struct{})
	slow := newReceiver(t, func(w http.ResponseWriter, _ hit, n int) {
		if n <= storm {
			failed.Add(1)
			w.WriteHeader(http.StatusRequestTimeout)
			return
		}
		hung.Add(1)
		<-gone // all retries hang
	})
	t.Cleanup(func() { close(gone) })
	good := newReceiver(t, nil)
	cfg := onlyBus()
	cfg.Workers = 8
	policy := gate.DefaultPolicy()
	policy.Failures = 1 << 30 // no breaker, which would help too
	r := run(t, srv, cfg, func(s *dispatcher.Service) { s.Hasten(policy, time.Hour) })
	s := spec("slow", slow.url)
	s.Events, s.Retry = []string{"custom.slow"}, waits(3, 500*time.Millisecond)
	create(t, r, s)
	s = spec("good", good.url)
	s.Events = []string{"custom.good"}
	create(t, r, s)
	for i := range storm {
		publish(t, r.bus, "custom.slow", "slow-"+strconv.Itoa(i))
	}
	require.Eventually(t, func() bool { return failed.Load() == storm }, patience, time.Millisecond)
	require.Eventually(t, func() bool { return hung.Load() >= int64(cfg.Workers/4) }, patience, time.Millisecond)
	for i := range 100 {
		publish(t, r.bus, "custom.good", "good-"+strconv.Itoa(i))
	}
	for range 100 {
		good.next(t)
	}
}

// One dead endpoint delays no other.
func TestHangingEndpointDelaysNobody(t *testing.T) {
	t.Parallel()
	srv := bustest.Start(t)
	release := make(chan struct{})
	hang := newReceiver(t, func(http.ResponseWriter, hit, int) { <-release })
	t.Cleanup(func() { close(release) })
	good := newReceiver(t, nil)
	cfg := onlyBus()
	cfg.Workers = 8
	r := run(t, srv, cfg)
	create(t, r, spec("hang", hang.url))
	create(t, r, spec("good", good.url))
	for i := range 100 {
		publish(t, r.bus, "custom.deploy", "event-"+strconv.Itoa(i))
	}
	for range 100 {
		good.next(t)
	}
}

func TestConcurrencyOfAnEndpoint(t *testing.T) {
	t.Parallel()
	srv := bustest.Start(t)
	var inFlight, most atomic.Int64
	to := newReceiver(t, func(http.ResponseWriter, hit, int) {
		n := inFlight.Add(1)
		for {
			m := most.Load()
			if n <= m || most.CompareAndSwap(m, n) {
				break
			}
		}
		<-time.After(5 * time.Millisecond)
		inFlight.Add(-1)
	})
	one, two := run(t, srv, onlyBus()), run(t, srv, onlyBus())
	s := spec("shop", to.url)
	s.Concurrency = 2
	create(t, one, s)
	const total = 60
	for i := range total {
		publish(t, two.bus, "custom.deploy", "event-"+strconv.Itoa(i))
	}
	for range total {
		to.next(t)
	}
	require.LessOrEqual(t, most.Load(), int64(2))
}

// What has to wait for a place comes back about when there is one, and not again and again.
func TestConcurrencyIsNotPolled(t *testing.T) {
	t.Parallel()
	srv := bustest.Start(t)
	to := newReceiver(t, func(http.ResponseWriter, hit, int) { <-time.After(10 * time.Millisecond) })
	cfg := onlyBus()
	cfg.Workers = 64
	r := run(t, srv, cfg)
	s := spec("shop", to.url)
	s.Concurrency = 2
	create(t, r, s)
	const total = 300
	for i := range total {
		publish(t, r.bus, "custom.deploy", "event-"+strconv.Itoa(i))
	}
	for range total {
		to.next(t)
	}
	require.LessOrEqual(t, r.counted(t, "mlsdm_webhook_held_back_total", "endpoint", "shop"), 3.0*total)
}

func TestRateOfAnEndpoint(t *testing.T) {
	t.Parallel()
	srv := bustest.Start(t)
	to := newReceiver(t, nil)
	one, two := run(t, srv, onlyBus()), run(t, srv, onlyBus())
	s := spec("shop", to.url)
	s.RateLimit = &events.EndpointRate{PerSecond: 20, Burst: 1}
	create(t, one, s)
	const total = 60
	begin := time.Now()
	for i := range total {
		publish(t, two.bus, "custom.deploy", "event-"+strconv.Itoa(i))
	}
	for range total {
		to.next(t)
	}
	// 60 at 20 a second take 2.95 s. What comes too early is a fault; what comes late is a busy machine.
	require.GreaterOrEqual(t, time.Since(begin), 2900*time.Millisecond)
	settled(t, srv)
}

// The breaker: an endpoint that fails again and again is left alone for a while, and everything arrives when it works again.
func TestBreakerLosesNothing(t *testing.T) {
	t.Parallel()
	srv := bustest.Start(t)
	var working atomic.Bool
	var asked atomic.Int64
	to := newReceiver(t, func(w http.ResponseWriter, _ hit, _ int) {
		if asked.Add(1); !working.Load() {
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
	policy := gate.DefaultPolicy()
	policy.OpenBase, policy.OpenCap = 300*time.Millisecond, 600*time.Millisecond
	r := run(t, srv, onlyBus(), func(s *dispatcher.Service) { s.Hasten(policy, time.Hour) })
	s := spec("shop", to.url)
	s.Retry = waits(40, time.Millisecond)
	create(t, r, s)
	const total = 50
	for i := range total {
		publish(t, r.bus, "custom.deploy", "event-"+strconv.Itoa(i))
	}
	require.Eventually(t, func() bool {
		return call[events.Endpoint](t, r, events.OpEndpointsGet, events.EndpointRequest{ID: "shop"}).Status.State == events.EndpointFailing
	}, patience, time.Millisecond)
	for len(to.hits) > 0 {
		<-to.hits
	}
	working.Store(true)
	settled(t, srv)
	require.Zero(t, stored(t, srv, "MLSDM_DEADLETTERS"))
	state := call[events.Endpoint](t, r, events.OpEndpointsGet, events.EndpointRequest{ID: "shop"}).Status.State
	require.Equal(t, events.EndpointActive, state)
}
