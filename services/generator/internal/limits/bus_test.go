package limits_test

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/internal/bus/bustest"
	"github.com/neuron7x/mlsdm-integrations/internal/permissions"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/generator/internal/limits"
	"github.com/neuron7x/mlsdm-integrations/test/process"
)

// on makes a limiter on a real bus, with a clock that stands still, which waits for its counts as long as a test does.
func on(t testing.TB, b *bus.Bus, now time.Time, rules ...limits.Rule) *limits.Limiter {
	t.Helper()
	return limits.New(limits.Config{Rules: rules, Wait: process.Patience}, b, limits.Options{Now: fixed(now.Unix()), Logger: bustest.Logger(t)})
}

// closing bounds the end of a limiter.
func closing(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), process.Patience)
	t.Cleanup(cancel)
	return ctx
}

// Many replicas, callers and outcomes at the same time: in the end, the counts are what was used.
func TestCountsAreExact(t *testing.T) {
	t.Parallel()
	server := bustest.Start(t)
	now := time.Now()
	rules := func() []limits.Rule {
		return []limits.Rule{
			rule(func(r *limits.Rule) {
				r.RequestsPerMinute, r.TokensPerMinute, r.CostPerDay = 1_000_000, 1_000_000_000, 1000
			}),
			rule(func(r *limits.Rule) { r.RequestsPerMinute, r.EachCaller = 150, true }),
		}
	}
	var requests, tokens, microCost atomic.Int64
	var perCaller [4]atomic.Int64
	var working sync.WaitGroup
	for replica := range uint64(3) {
		l := on(t, server.Connect(t, "generator"), now, rules()...)
		for worker := range uint64(8) {
			random := rand.New(rand.NewPCG(replica, worker))
			working.Go(func() {
				for range 60 {
					caller := random.IntN(len(perCaller))
					scope := limits.Scope{Caller: string(rune('a' + caller)), Provider: "openai", Model: "openai/x"}
					lease, err := l.Reserve(t.Context(), scope, limits.Estimate{Tokens: random.IntN(2000), Cost: random.Float64() / 100})
					if err != nil {
						if events.CodeOf(err) != events.CodeRateLimited {
							t.Error(err)
						}
						continue
					}
					if random.IntN(4) == 0 {
						lease.Release()
						continue
					}
					used, spent := random.Int64N(3000), random.Int64N(20_000)
					lease.Settle(int(used), float64(spent)/1e6)
					requests.Add(1)
					perCaller[caller].Add(1)
					tokens.Add(used)
					microCost.Add(spent)
				}
			})
		}
		defer func() { require.NoError(t, l.Close(closing(t))) }()
	}
	working.Wait()
	for caller := range perCaller {
		require.LessOrEqual(t, perCaller[caller].Load(), int64(150))
	}
	t.Cleanup(func() { // all are closed
		l := on(t, server.Connect(t, "another"), now, rules()...)
		scope := limits.Scope{Caller: "z", Provider: "openai", Model: "openai/x"}
		lease, err := l.Reserve(context.Background(), scope, limits.Estimate{Tokens: 1, Cost: 0.000_001})
		require.NoError(t, err)
		require.NotNil(t, lease)
		left := l.Left(scope)
		require.Len(t, left, 4)
		require.InDelta(t, 1_000_000-1-requests.Load(), left[0].Left, 0)
		require.InDelta(t, 1_000_000_000-1-tokens.Load(), left[1].Left, 0)
		require.InDelta(t, 1000-float64(microCost.Load()+1)/1e6, left[2].Left, 1e-5) // each is rounded up to a billionth
	})
}

// The counts outlive the server: what was used before it was started again counts after it, and who asks meanwhile waits, is
// refused, or passes, but passes no limit.
func TestServerStartsAgain(t *testing.T) {
	t.Parallel()
	server := bustest.Start(t)
	now := time.Now()
	var passed atomic.Int64
	var working sync.WaitGroup
	middle := make(chan struct{})
	for range 3 {
		l := on(t, server.Connect(t, "generator"), now, perMinute(limitOfAll))
		for range workers {
			working.Go(func() {
				for {
					_, err := l.Reserve(t.Context(), shop, limits.Estimate{})
					switch events.CodeOf(err) {
					case "":
						if passed.Add(1) == limitOfAll/2 {
							close(middle)
						}
					case events.CodeUnavailable:
						<-time.After(10 * time.Millisecond)
					case events.CodeRateLimited:
						return
					default:
						t.Error(err)
						return
					}
				}
			})
		}
	}
	<-middle
	server.Restart(t)
	working.Wait()
	require.LessOrEqual(t, passed.Load(), int64(limitOfAll))
	const together = 5 // are reserved at once, by each replica; of those nobody may know whether they were counted
	require.GreaterOrEqual(t, passed.Load(), int64(limitOfAll-3*together))
	l := on(t, server.Connect(t, "another"), now, perMinute(limitOfAll))
	refusedBy(t, l, shop, limits.Estimate{})
}

// The generator may count on a closed bus; an application may neither count nor see the counts.
func TestClosedBus(t *testing.T) {
	t.Parallel()
	server := bustest.Start(t, bustest.Closed())
	l := on(t, server.Connect(t, events.ServiceGenerator), time.Now(), perMinute(2), rule(func(r *limits.Rule) { r.CostPerDay = 1 }))
	pass(t, l, shop, limits.Estimate{Cost: 0.1}).Settle(1, 0.5)
	pass(t, l, shop, limits.Estimate{Cost: 0.1})
	refusedBy(t, l, shop, limits.Estimate{Cost: 0.1})
	require.NoError(t, l.Close(closing(t)))

	theirs := server.Connect(t, permissions.Client)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, err := theirs.Increment(ctx, theirs.Subjects().Limit("requests", "a", "b", "0"), "", -1)
	require.Error(t, err)
}

// BenchmarkReserve is what a reservation costs, with the server in the same process: for one at a time, and for many.
func BenchmarkReserve(b *testing.B) {
	server := bustest.Start(b)
	for _, c := range []struct {
		name  string
		rules []limits.Rule
	}{
		{"none", nil},
		{"other", []limits.Rule{rule(func(r *limits.Rule) { r.Caller, r.RequestsPerMinute = "nobody", 1 })}},
		{"requests", []limits.Rule{perMinute(1_000_000_000)}},
		{"three", []limits.Rule{rule(func(r *limits.Rule) { r.RequestsPerMinute, r.TokensPerMinute, r.CostPerDay = 1e9, 1e12, 1e6 })}},
		{"full", []limits.Rule{perMinute(1)}},
	} {
		l := on(b, server.Connect(b, "generator"), time.Now(), c.rules...)
		reserve := func() {
			lease, err := l.Reserve(b.Context(), shop, limits.Estimate{Tokens: 100, Cost: 0.001})
			if err != nil && events.CodeOf(err) != events.CodeRateLimited {
				b.Error(err)
			}
			lease.Settle(90, 0.0009)
		}
		b.Run(c.name+"/one", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				reserve()
			}
		})
		b.Run(c.name+"/many", func(b *testing.B) {
			b.ReportAllocs()
			b.SetParallelism(100)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					reserve()
				}
			})
		})
		if err := l.Close(closing(b)); err != nil {
			b.Error(err)
		}
	}
}
