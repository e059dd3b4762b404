package gate_test

import (
	"encoding/json"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/dispatcher/internal/gate"
)

// A concurrency that is lowered holds as soon as somebody asks under it, however busy the endpoint is.
func TestConcurrencyThatIsLowered(t *testing.T) {
	t.Parallel()
	g := replica(t, bustest.Start(t), "r", 64, gate.DefaultPolicy())
	var held []*gate.Ticket
	for range 6 {
		held = append(held, enter(t, g, "shop", gate.Limits{Concurrency: 6, Timeout: time.Minute}))
	}
	lowered := gate.Limits{Concurrency: 2, Timeout: time.Minute}
	for _, ticket := range held[:4] {
		done(t, ticket, gate.Neutral)
		refused(t, g, lowered)
	}
	done(t, held[4], gate.Neutral)
	enter(t, g, "shop", lowered)
	refused(t, g, lowered)
}

// A replica that always uses all places gives the other its share all the same, and not one too many.
func TestPlacesAreSharedUnderLoad(t *testing.T) {
	t.Parallel()
	srv := bustest.Start(t)
	const allowed = 4
	limits := gate.Limits{Concurrency: allowed, Timeout: time.Minute}
	a, b := replica(t, srv, "a", 64, gate.DefaultPolicy()), replica(t, srv, "b", 64, gate.DefaultPolicy())
	var inFlight, byB atomic.Int64
	var working sync.WaitGroup
	begin := time.Now()
	for _, g := range []*gate.Gates{a, b} {
		for range 2 * allowed {
			working.Go(func() {
				for byB.Load() < 500 && time.Since(begin) < patience {
					d, err := g.Enter(t.Context(), "shop", limits, time.Time{})
					if err != nil {
						t.Error(err)
						return
					}
					if d.Ticket == nil {
						<-time.After(time.Millisecond)
						continue
					}
					if inFlight.Add(1) > allowed {
						t.Error("too many at one time")
					}
					<-time.After(5 * time.Millisecond)
					inFlight.Add(-1)
					if g == b {
						byB.Add(1)
					}
					if _, err := d.Ticket.Done(t.Context(), gate.Outcome{Result: gate.Worked}); err != nil {
						t.Error(err)
					}
				}
			})
		}
		if g == a { // it has all of them before the other asks
			eventually(t, func() bool { return inFlight.Load() == allowed }, "the places are never used")
		}
	}
	working.Wait()
	require.GreaterOrEqual(t, byB.Load(), int64(500), "the other replica gets nothing")
}

// Places that come while some wait and nothing is in flight go to those who wait, not to nobody.
func TestPlacesComeToThoseWhoWait(t *testing.T) {
	t.Parallel()
	srv := bustest.Start(t)
	policy := gate.DefaultPolicy()
	policy.Patience = 2 * patience
	a, b := replica(t, srv, "a", 64, policy), replica(t, srv, "b", 64, policy)
	limits := gate.Limits{Concurrency: 1, Timeout: time.Minute}
	held := enter(t, a, "shop", limits)
	var passed atomic.Int64
	ask := func() {
		d, err := b.Enter(t.Context(), "shop", limits, time.Time{})
		if err != nil || d.Ticket == nil {
			t.Error("not let in", err)
			return
		}
		passed.Add(1)
		if _, err := d.Ticket.Done(t.Context(), gate.Outcome{Result: gate.Worked}); err != nil {
			t.Error(err)
		}
	}
	var working sync.WaitGroup
	defer working.Wait()
	working.Go(ask)
	eventually(t, func() bool { return b.Waiting("shop") == 1 }, "nobody waits")
	done(t, held, gate.Worked)
	kv, err := srv.Connect(t, "hand").KV(t.Context(), events.BucketEndpointState)
	require.NoError(t, err)
	eventually(t, func() bool { return placesOf(t, kv, "a") == 0 }, "the place is never given back")
	eventually(t, func() bool {
		working.Go(ask) // who hears of the place
		return passed.Load() > 1
	}, "a place that came goes to nobody")
}

// A replica whose places were taken from it, as from one that was dead for a while, has them written down again as long as it
// uses them, and none after that.
func TestPlacesThatWereTakenAway(t *testing.T) {
	t.Parallel()
	srv := bustest.Start(t)
	kv, err := srv.Connect(t, "hand").KV(t.Context(), events.BucketEndpointState)
	require.NoError(t, err)
	a, b := replica(t, srv, "a", 64, gate.DefaultPolicy()), replica(t, srv, "b", 64, gate.DefaultPolicy())
	limits := gate.Limits{Concurrency: 2, Timeout: time.Minute}
	first, second := enter(t, a, "shop", limits), enter(t, a, "shop", limits)
	require.NoError(t, kv.Delete(t.Context(), "shop.limits", 0))
	eventually(t, func() bool { return placesOf(t, kv, "a") == 2 }, "nobody hears of the places that are used")
	refused(t, b, limits)

	done(t, first, gate.Worked)
	done(t, second, gate.Worked)
	require.NoError(t, kv.Delete(t.Context(), "shop.limits", 0))
	eventually(t, func() bool {
		d, err := b.Enter(t.Context(), "shop", limits, time.Time{})
		return err == nil && d.Ticket != nil
	}, "what nobody uses is never free")
	enter(t, b, "shop", limits)
	refused(t, a, limits)
}

// placesOf reads how many places of the endpoint shop a replica has.
func placesOf(t *testing.T, kv *bus.KV, replica string) int {
	t.Helper()
	body, _, err := kv.Get(t.Context(), "shop.limits")
	if err != nil {
		require.ErrorIs(t, err, bus.ErrNotFound)
		return 0
	}
	var limits struct {
		Places map[string]struct {
			N int `json:"n"`
		} `json:"places"`
	}
	require.NoError(t, json.Unmarshal(body, &limits))
	return limits.Places[replica].N
}

// A place under the rate is had by who comes for it, by whichever clock.
func TestPlaceByAnotherClock(t *testing.T) {
	t.Parallel()
	g := replica(t, bustest.Start(t), "r", 8, gate.DefaultPolicy())
	limits := gate.Limits{Rate: 0.01, Burst: 1, Timeout: time.Second}
	done(t, enter(t, g, "shop", limits), gate.Worked)
	for _, ahead := range []time.Duration{100 * time.Millisecond, 10 * time.Second} {
		d, err := g.Enter(t.Context(), "shop", limits, time.Now().Add(ahead))
		require.NoError(t, err)
		require.NotNil(t, d.Ticket, ahead)
		done(t, d.Ticket, gate.Worked)
	}
}

// Failures that one replica saw are no long failing if another's attempts went well in between.
func TestSuccessElsewhereEndsTheFailing(t *testing.T) {
	t.Parallel()
	srv := bustest.Start(t)
	policy := quick()
	policy.NoteAfter, policy.DisableAfter = 20*time.Millisecond, time.Second
	a, b := replica(t, srv, "a", 8, policy), replica(t, srv, "b", 8, policy)
	limits := gate.Limits{Timeout: time.Second}
	done(t, enter(t, a, "shop", limits), gate.Failed)
	<-time.After(policy.DisableAfter)
	done(t, enter(t, b, "shop", limits), gate.Worked)
	require.False(t, done(t, enter(t, a, "shop", limits), gate.Failed))
	require.False(t, a.Health("shop").Disabled)
	require.WithinDuration(t, time.Now(), a.Health("shop").FailingSince, policy.DisableAfter/2)
}

// What an attempt to an endpoint tells that was deleted meanwhile is nobody's business any more: least of all that of another
// endpoint of the same id.
func TestOutcomeOfADeletedEndpoint(t *testing.T) {
	t.Parallel()
	srv := bustest.Start(t)
	kv, err := srv.Connect(t, "hand").KV(t.Context(), events.BucketEndpointState)
	require.NoError(t, err)
	g := replica(t, srv, "r", 8, gate.DefaultPolicy())
	limits := gate.Limits{Timeout: time.Minute}
	hangs, busy := enter(t, g, "shop", limits), enter(t, g, "shop", limits)
	_, err = busy.Done(t.Context(), gate.Outcome{Result: gate.Failed, Status: 429, Wait: time.Hour, Reason: "busy"})
	require.NoError(t, err)
	require.NoError(t, g.Forget(t.Context(), "shop"))
	eventually(t, func() bool { return g.Health("shop") == gate.Health{} }, "it is never forgotten")
	require.False(t, done(t, hangs, gate.Gone))
	require.Empty(t, g.Disabled())
	_, _, err = kv.Get(t.Context(), "shop")
	require.ErrorIs(t, err, bus.ErrNotFound)
	enter(t, g, "shop", limits)
}

// What was held back from an endpoint while it was slow keeps nobody waiting when it is quick again.
func TestSlownessIsForgotten(t *testing.T) {
	t.Parallel()
	policy := gate.DefaultPolicy()
	policy.Patience, policy.SparePatience = time.Millisecond, time.Millisecond
	g := replica(t, bustest.Start(t), "r", 8, policy)
	limits := gate.Limits{Concurrency: 1, Timeout: time.Minute}
	slow := enter(t, g, "shop", limits)
	<-time.After(500 * time.Millisecond)
	for range 100 { // each is given half a second
		refused(t, g, limits)
	}
	done(t, slow, gate.Worked)
	<-time.After(1100 * time.Millisecond)
	for range 50 {
		done(t, enter(t, g, "shop", limits), gate.Worked)
	}
	enter(t, g, "shop", limits)
	require.Less(t, time.Until(refused(t, g, limits).At), 5*time.Second)
}

// With workers to spare, what the scheduler releases at once waits for its places, and is not sent away again and again.
func TestSpareWorkersWait(t *testing.T) {
	t.Parallel()
	g := replica(t, bustest.Start(t), "r", 64, gate.DefaultPolicy())
	limits := gate.Limits{Concurrency: 1, Timeout: time.Minute}
	const quick, together = 10 * time.Millisecond, 10
	for range 2 { // so that it is known how quick they are
		ticket := enter(t, g, "shop", limits)
		<-time.After(quick)
		done(t, ticket, gate.Worked)
	}
	var held atomic.Int64
	var working sync.WaitGroup
	for range together {
		working.Go(func() {
			d, err := g.Enter(t.Context(), "shop", limits, time.Time{})
			if err != nil {
				t.Error(err)
				return
			}
			if d.Ticket == nil {
				held.Add(1)
				return
			}
			<-time.After(quick)
			if _, err := d.Ticket.Done(t.Context(), gate.Outcome{Result: gate.Worked}); err != nil {
				t.Error(err)
			}
		})
	}
	working.Wait()
	require.LessOrEqual(t, held.Load(), int64(together/2))
}

// A slow endpoint leaves workers for the late attempts of others; a quick one may have all.
func TestLateAttemptsLeaveWorkersForOthers(t *testing.T) {
	t.Parallel()
	policy := gate.DefaultPolicy()
	policy.LateWorkers, policy.SparePatience = 8, 200*time.Millisecond
	g := replica(t, bustest.Start(t), "r", 40, policy)
	limits := gate.Limits{Timeout: time.Minute, Late: true}
	for range policy.LateWorkers {
		done(t, enter(t, g, "quick", limits), gate.Worked)
	}
	var quick []*gate.Ticket
	for range policy.LateWorkers {
		quick = append(quick, enter(t, g, "quick", limits))
	}
	for _, ticket := range quick {
		done(t, ticket, gate.Worked)
	}
	first := enter(t, g, "shop", limits)
	<-time.After(2 * policy.SparePatience)
	for range policy.LateWorkers/2 - 1 {
		enter(t, g, "shop", limits)
	}
	refused(t, g, limits)
	enter(t, g, "shop", gate.Limits{Timeout: time.Minute})
	enter(t, g, "other", limits)
	done(t, first, gate.Worked)
	enter(t, g, "shop", limits)
}

// Who waited for a place hears what became of the endpoint meanwhile.
func TestDisabledWhileWaiting(t *testing.T) {
	t.Parallel()
	policy := gate.DefaultPolicy()
	policy.SparePatience = patience
	g := replica(t, bustest.Start(t), "r", 64, policy)
	limits := gate.Limits{Concurrency: 1, Timeout: time.Minute}
	first := enter(t, g, "shop", limits)
	decisions := make(chan gate.Decision, 2)
	for range 2 {
		go func() {
			d, err := g.Enter(t.Context(), "shop", limits, time.Time{})
			if err != nil {
				t.Error(err)
			}
			decisions <- d
		}()
	}
	<-time.After(50 * time.Millisecond) // they wait by now
	require.True(t, done(t, first, gate.Gone))
	for range 2 {
		d := <-decisions
		if d.Ticket == nil {
			require.True(t, d.Disabled)
			return
		}
		done(t, d.Ticket, gate.Neutral) // it was called before that was known
	}
	require.Fail(t, "both are let in")
}

// Many who find no place, and many who leave theirs, at the same moment: the race detector looks on.
func TestManyAtAFullEndpoint(t *testing.T) {
	t.Parallel()
	policy := gate.DefaultPolicy()
	policy.Patience, policy.SparePatience = 2*time.Millisecond, 2*time.Millisecond // some wait, and some are sent away
	g := replica(t, bustest.Start(t), "r", 8, policy)
	limits := gate.Limits{Concurrency: 2, Timeout: time.Second}
	var working sync.WaitGroup
	for range 16 {
		working.Go(func() {
			for range 100 {
				d, err := g.Enter(t.Context(), "shop", limits, time.Time{})
				if err != nil {
					t.Error(err)
					return
				}
				if d.Ticket == nil {
					continue
				}
				<-time.After(time.Millisecond)
				if _, err := d.Ticket.Done(t.Context(), gate.Outcome{Result: gate.Worked}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	working.Wait()
}
