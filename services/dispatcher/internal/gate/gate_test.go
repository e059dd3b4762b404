package gate_test

import (
	"context"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/gate"
)

// patience is how long a test waits for something that must happen; nothing takes it unless it fails.
const patience = 30 * time.Second

// replica returns the gates of one more replica, at work.
func replica(t *testing.T, srv *bustest.Server, name string, workers int, policy gate.Policy) *gate.Gates {
	t.Helper()
	kv, err := srv.Connect(t, name).KV(t.Context(), events.BucketEndpointState)
	require.NoError(t, err)
	g := gate.New(kv, name, workers, policy, bustest.Logger(t))
	ctx, cancel := context.WithCancel(t.Context())
	ready, done := make(chan struct{}), make(chan error, 1)
	go func() { done <- g.Run(ctx, func() { close(ready) }) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-done)
	})
	select {
	case <-ready:
	case <-time.After(patience):
		require.Fail(t, "the gates never know the bucket")
	}
	return g
}

// enter must be let in.
func enter(t *testing.T, g *gate.Gates, id string, limits gate.Limits) *gate.Ticket {
	t.Helper()
	d, err := g.Enter(t.Context(), id, limits, time.Time{})
	require.NoError(t, err)
	require.NotNil(t, d.Ticket, "held back until %s", d.At)
	return d.Ticket
}

// refused must not be let in.
func refused(t *testing.T, g *gate.Gates, limits gate.Limits) gate.Decision {
	t.Helper()
	d, err := g.Enter(t.Context(), "shop", limits, time.Time{})
	require.NoError(t, err)
	require.Nil(t, d.Ticket)
	return d
}

// done gives back a ticket.
func done(t *testing.T, ticket *gate.Ticket, result gate.Result) bool {
	t.Helper()
	disabled, err := ticket.Done(t.Context(), gate.Outcome{Result: result, Status: 500, Reason: "it failed"})
	require.NoError(t, err)
	return disabled
}

// fail makes n attempts that fail.
func fail(t *testing.T, g *gate.Gates, n int) {
	t.Helper()
	for range n {
		done(t, enter(t, g, "shop", gate.Limits{Timeout: time.Second}), gate.Failed)
	}
}

// eventually waits until a condition holds.
func eventually(t *testing.T, condition func() bool, what string) {
	t.Helper()
	require.Eventually(t, condition, patience, 2*time.Millisecond, what)
}

// quick is a policy whose times tests can wait for.
func quick() gate.Policy {
	p := gate.DefaultPolicy()
	p.OpenBase, p.OpenCap = 50*time.Millisecond, 200*time.Millisecond
	return p
}

// Whoever asks for a place under a rate, on whichever replica, gets one of its own, as far from the next as the rate says.
func TestRateHoldsOverAllReplicas(t *testing.T) {
	t.Parallel()
	srv := bustest.Start(t)
	const replicas, each = 3, 200
	limits := gate.Limits{Rate: 1000, Burst: 1, Timeout: time.Second}
	begin := time.Now()
	var mu sync.Mutex
	var places []time.Time
	var asking sync.WaitGroup
	for i := range replicas {
		g := replica(t, srv, "r"+strconv.Itoa(i), 64, gate.DefaultPolicy())
		for range each {
			asking.Go(func() {
				d, err := g.Enter(t.Context(), "shop", limits, time.Time{})
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				defer mu.Unlock()
				switch {
				case d.Ticket != nil:
					places = append(places, time.Now())
					_, err = d.Ticket.Done(t.Context(), gate.Outcome{Result: gate.Neutral})
					if err != nil {
						t.Error(err)
					}
				case d.Paid:
					places = append(places, d.At)
				}
			})
		}
	}
	asking.Wait()
	// Some may have been sent away for want of a worker, without a place under the rate.
	require.Greater(t, len(places), replicas)
	slices.SortFunc(places, time.Time.Compare)
	for i := range places {
		// Attempts that began are only known by when they did, which is never before their place.
		allowed := begin.Add(time.Duration(i-5) * time.Millisecond)
		require.False(t, places[i].Before(allowed), "place %d is %s too early", i, allowed.Sub(places[i]))
	}
}

func TestPlaceThatWasPaidForIsHadOnce(t *testing.T) {
	t.Parallel()
	g := replica(t, bustest.Start(t), "r", 8, gate.DefaultPolicy())
	limits := gate.Limits{Rate: 4, Burst: 1, Timeout: time.Second}
	done(t, enter(t, g, "shop", limits), gate.Worked)
	d := refused(t, g, limits)
	require.True(t, d.Paid)
	require.WithinDuration(t, time.Now().Add(250*time.Millisecond), d.At, 249*time.Millisecond)
	<-time.After(time.Until(d.At))
	again, err := g.Enter(t.Context(), "shop", limits, d.At)
	require.NoError(t, err)
	require.NotNil(t, again.Ticket)
	done(t, again.Ticket, gate.Worked)
	// A place that is long past has been somebody else's since.
	late, err := g.Enter(t.Context(), "shop", limits, d.At.Add(-time.Hour))
	require.NoError(t, err)
	require.Nil(t, late.Ticket)
}

func TestConcurrencyHoldsOverAllReplicas(t *testing.T) {
	t.Parallel()
	srv := bustest.Start(t)
	const replicas, allowed, wanted = 3, 5, 300
	limits := gate.Limits{Concurrency: allowed, Timeout: time.Second}
	var inFlight, most, finished atomic.Int64
	var working sync.WaitGroup
	for i := range replicas {
		g := replica(t, srv, "r"+strconv.Itoa(i), 64, gate.DefaultPolicy())
		for range 10 {
			working.Go(func() {
				for finished.Load() < wanted {
					d, err := g.Enter(t.Context(), "shop", limits, time.Time{})
					if err != nil {
						t.Error(err)
						return
					}
					if d.Ticket == nil {
						<-time.After(min(max(time.Until(d.At), 0), 10*time.Millisecond))
						continue
					}
					n := inFlight.Add(1)
					for {
						m := most.Load()
						if n <= m || most.CompareAndSwap(m, n) {
							break
						}
					}
					<-time.After(2 * time.Millisecond)
					inFlight.Add(-1)
					finished.Add(1)
					if _, err := d.Ticket.Done(t.Context(), gate.Outcome{Result: gate.Worked}); err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
	working.Wait()
	require.LessOrEqual(t, most.Load(), int64(allowed))
	require.Equal(t, int64(allowed), most.Load(), "all of it is used")
}

// The places of a replica that died are free again when its lease is over, and not before.
func TestPlacesOfTheDead(t *testing.T) {
	t.Parallel()
	srv := bustest.Start(t)
	policy := gate.DefaultPolicy()
	policy.LeaseTTL = 300 * time.Millisecond
	limits := gate.Limits{Concurrency: 1, Timeout: 200 * time.Millisecond}
	kv, err := srv.Connect(t, "dead").KV(t.Context(), events.BucketEndpointState)
	require.NoError(t, err)
	dead := gate.New(kv, "dead", 8, policy, bustest.Logger(t)) // it does not run, so it renews nothing
	enter(t, dead, "shop", limits)
	begin := time.Now()
	alive := replica(t, srv, "alive", 8, policy)
	eventually(t, func() bool {
		d, err := alive.Enter(t.Context(), "shop", limits, time.Time{})
		return err == nil && d.Ticket != nil
	}, "the place is never free again")
	require.GreaterOrEqual(t, time.Since(begin), 200*time.Millisecond)
}

func TestPlacesMoveToWhoNeedsThem(t *testing.T) {
	t.Parallel()
	srv := bustest.Start(t)
	a, b := replica(t, srv, "a", 8, gate.DefaultPolicy()), replica(t, srv, "b", 8, gate.DefaultPolicy())
	limits := gate.Limits{Concurrency: 2, Timeout: time.Second}
	first, second := enter(t, a, "shop", limits), enter(t, a, "shop", limits)
	refused(t, b, limits)
	done(t, first, gate.Worked)
	done(t, second, gate.Worked)
	eventually(t, func() bool {
		d, err := b.Enter(t.Context(), "shop", limits, time.Time{})
		return err == nil && d.Ticket != nil
	}, "what one replica does not need is never the other's")
}

// The breaker: so many failures in a row open it, for all replicas; one attempt probes it; its success closes it.
func TestBreaker(t *testing.T) {
	t.Parallel()
	srv := bustest.Start(t)
	policy := quick()
	a, b := replica(t, srv, "a", 8, policy), replica(t, srv, "b", 8, policy)
	limits := gate.Limits{Timeout: time.Second}
	fail(t, a, policy.Failures-1)
	done(t, enter(t, a, "shop", limits), gate.Worked) // a success begins the count anew
	fail(t, a, policy.Failures-1)
	require.Zero(t, a.Health("shop").Trips)
	fail(t, a, 1)
	require.Equal(t, 1, a.Health("shop").Trips)
	require.Equal(t, events.EndpointFailing, a.Health("shop").View().State)
	eventually(t, func() bool { return b.Health("shop").Trips == 1 }, "the other replica never hears of it")
}

func TestHeldBackComeBackOneAfterTheOther(t *testing.T) {
	t.Parallel()
	policy := quick()
	policy.OpenBase = time.Minute
	policy.OpenCap = time.Minute
	g := replica(t, bustest.Start(t), "r", 8, policy)
	fail(t, g, policy.Failures)
	open := g.Health("shop").NotBefore
	for i := range 20 {
		d := refused(t, g, gate.Limits{Timeout: time.Second})
		require.False(t, d.Paid)
		require.WithinDuration(t, open.Add(time.Duration(i)*policy.Spacing), d.At, 0)
	}
}

func TestOneProbeOverAllReplicas(t *testing.T) {
	t.Parallel()
	srv := bustest.Start(t)
	policy := quick()
	a, b := replica(t, srv, "a", 8, policy), replica(t, srv, "b", 8, policy)
	limits := gate.Limits{Timeout: time.Second}
	fail(t, a, policy.Failures)
	eventually(t, func() bool { return b.Health("shop").Trips == 1 }, "the other replica never hears of it")
	<-time.After(time.Until(a.Health("shop").NotBefore))

	probe := enter(t, a, "shop", limits)
	refused(t, a, limits)
	require.True(t, refused(t, b, limits).At.After(time.Now()))
	done(t, probe, gate.Failed)
	require.Equal(t, 2, a.Health("shop").Trips, "it stays open, longer")
	refused(t, a, limits)

	<-time.After(time.Until(a.Health("shop").NotBefore))
	eventually(t, func() bool { return b.Health("shop").Trips == 2 }, "the other replica never hears of it")
	probe = enter(t, b, "shop", limits)
	done(t, probe, gate.Worked)
	require.Zero(t, b.Health("shop").Trips)
	eventually(t, func() bool { return a.Health("shop").Trips == 0 }, "the other replica never hears that it is closed")
	require.Equal(t, events.EndpointActive, a.Health("shop").View().State)
	enter(t, a, "shop", limits)
}

// An attempt that was cut short says nothing, so another may probe at once.
func TestProbeThatWasCutShort(t *testing.T) {
	t.Parallel()
	policy := quick()
	g := replica(t, bustest.Start(t), "r", 8, policy)
	limits := gate.Limits{Timeout: time.Second}
	fail(t, g, policy.Failures)
	<-time.After(time.Until(g.Health("shop").NotBefore))
	done(t, enter(t, g, "shop", limits), gate.Neutral)
	done(t, enter(t, g, "shop", limits), gate.Worked)
	require.Zero(t, g.Health("shop").Trips)
}

func TestSlowStart(t *testing.T) {
	t.Parallel()
	policy := quick()
	g := replica(t, bustest.Start(t), "r", 64, policy)
	limits := gate.Limits{Timeout: time.Second}
	fail(t, g, policy.Failures)
	<-time.After(time.Until(g.Health("shop").NotBefore))
	done(t, enter(t, g, "shop", limits), gate.Worked)
	for n := 1; n <= 8; n++ { // one at a time at first, and one more with each success
		held := make([]*gate.Ticket, 0, n)
		for range n {
			held = append(held, enter(t, g, "shop", limits))
		}
		refused(t, g, limits)
		for _, ticket := range held[1:] {
			done(t, ticket, gate.Neutral)
		}
		done(t, held[0], gate.Worked)
	}
}

func TestReceiverAskedForTime(t *testing.T) {
	t.Parallel()
	srv := bustest.Start(t)
	a, b := replica(t, srv, "a", 8, gate.DefaultPolicy()), replica(t, srv, "b", 8, gate.DefaultPolicy())
	limits := gate.Limits{Timeout: time.Second}
	ticket := enter(t, a, "shop", limits)
	disabled, err := ticket.Done(t.Context(), gate.Outcome{Result: gate.Failed, Status: 429, Wait: time.Minute, Reason: "busy"})
	require.NoError(t, err)
	require.False(t, disabled)
	until := time.Now().Add(time.Minute)
	require.WithinDuration(t, until, refused(t, a, limits).At, time.Second)
	eventually(t, func() bool { return !b.Health("shop").NotBefore.IsZero() }, "the other replica never hears of it")
	require.WithinDuration(t, until, refused(t, b, limits).At, time.Second)
	require.Zero(t, a.Health("shop").Trips, "a receiver that says when it is ready again is not broken")
	require.Equal(t, events.EndpointActive, a.Health("shop").View().State)
}

func TestRefusalsDoNotOpenTheBreaker(t *testing.T) {
	t.Parallel()
	g := replica(t, bustest.Start(t), "r", 8, gate.DefaultPolicy())
	for range 50 {
		done(t, enter(t, g, "shop", gate.Limits{Timeout: time.Second}), gate.Refused)
	}
	require.Zero(t, g.Health("shop"))
}

func TestGoneIsDisabledAtOnce(t *testing.T) {
	t.Parallel()
	srv := bustest.Start(t)
	a, b := replica(t, srv, "a", 8, gate.DefaultPolicy()), replica(t, srv, "b", 8, gate.DefaultPolicy())
	limits := gate.Limits{Timeout: time.Second}
	first, second := enter(t, a, "shop", limits), enter(t, a, "shop", limits)
	require.True(t, done(t, first, gate.Gone))
	require.False(t, done(t, second, gate.Gone), "it is disabled once")
	require.True(t, refused(t, a, limits).Disabled)
	eventually(t, func() bool { return b.Health("shop").Disabled }, "the other replica never hears of it")
	require.Equal(t, events.EndpointDisabledState, b.Health("shop").View().State)
	require.Len(t, b.Disabled(), 1)

	generation := b.Health("shop").Generation
	require.NoError(t, b.Told(t.Context(), "shop", generation-1))
	require.False(t, b.Health("shop").Told)
	require.NoError(t, b.Told(t.Context(), "shop", generation))
	require.True(t, b.Health("shop").Told)

	require.NoError(t, b.Enable(t.Context(), "shop"))
	enter(t, b, "shop", limits)
	eventually(t, func() bool { return !a.Health("shop").Disabled }, "the other replica never hears that it is enabled")
	require.NoError(t, a.Forget(t.Context(), "shop"))
	eventually(t, func() bool { return b.Health("shop") == gate.Health{} }, "it is never forgotten")
}

func TestLongFailureDisables(t *testing.T) {
	t.Parallel()
	for name, result := range map[string]gate.Result{"failing": gate.Failed, "refusing": gate.Refused} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			policy := quick()
			policy.NoteAfter, policy.DisableAfter = 20*time.Millisecond, 100*time.Millisecond
			g := replica(t, bustest.Start(t), "r", 8, policy)
			begin := time.Now()
			disabled := false
			for !disabled {
				require.Less(t, time.Since(begin), patience)
				d, err := g.Enter(t.Context(), "shop", gate.Limits{Timeout: time.Second}, time.Time{})
				require.NoError(t, err)
				if d.Ticket == nil {
					<-time.After(time.Millisecond)
					continue
				}
				disabled = done(t, d.Ticket, result)
			}
			require.GreaterOrEqual(t, time.Since(begin), policy.DisableAfter)
			require.Contains(t, g.Health("shop").Reason, "it failed")
		})
	}
}

// An endpoint whose attempts hang leaves workers for the others, and so do several.
func TestHangingEndpointsLeaveWorkersForOthers(t *testing.T) {
	t.Parallel()
	const workers = 64
	g := replica(t, bustest.Start(t), "r", workers, gate.DefaultPolicy())
	limits := gate.Limits{Timeout: time.Minute}
	total := 0
	for i := range 5 {
		held := 0
		for {
			d, err := g.Enter(t.Context(), "hang-"+strconv.Itoa(i), limits, time.Time{})
			require.NoError(t, err)
			if d.Ticket == nil {
				require.True(t, d.At.After(time.Now()))
				break
			}
			held++
		}
		require.Positive(t, held)
		total += held
	}
	require.Less(t, total, workers)
	done(t, enter(t, g, "healthy", limits), gate.Worked)
}

// A place that comes free soon is waited for, in order.
func TestShortWaitForAPlace(t *testing.T) {
	t.Parallel()
	policy := gate.DefaultPolicy()
	policy.Patience = patience
	g := replica(t, bustest.Start(t), "r", 2, policy)
	limits := gate.Limits{Timeout: time.Second}
	first := enter(t, g, "shop", limits)
	entered := make(chan *gate.Ticket)
	go func() {
		d, err := g.Enter(t.Context(), "shop", limits, time.Time{})
		if err != nil {
			t.Error(err)
		}
		entered <- d.Ticket
	}()
	select {
	case <-entered:
		require.Fail(t, "it did not wait")
	case <-time.After(20 * time.Millisecond):
	}
	done(t, first, gate.Worked)
	require.NotNil(t, <-entered)

	// Who is told to stop does not wait.
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := g.Enter(ctx, "shop", limits, time.Time{})
	require.ErrorIs(t, err, context.Canceled)
}

// Somebody's hand in the bucket stops nothing.
func TestRubbishInTheBucket(t *testing.T) {
	t.Parallel()
	srv := bustest.Start(t)
	kv, err := srv.Connect(t, "hand").KV(t.Context(), events.BucketEndpointState)
	require.NoError(t, err)
	for _, key := range []string{"shop", "shop.limits", "shop.head", "a.b.c"} {
		_, err = kv.Create(t.Context(), key, []byte("{rubbish"))
		require.NoError(t, err)
	}
	policy := quick()
	g := replica(t, srv, "r", 8, policy)
	limits := gate.Limits{Concurrency: 2, Rate: 1000, Timeout: time.Second}
	done(t, enter(t, g, "shop", limits), gate.Worked)
	fail(t, g, policy.Failures)
	require.Equal(t, 1, g.Health("shop").Trips)
}
