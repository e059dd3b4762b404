package limits_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/generator/internal/limits"
)

// rule is a rule for everything.
func rule(change func(*limits.Rule)) limits.Rule {
	r := limits.Rule{Caller: "*", Provider: "*", Model: "*"}
	change(&r)
	return r
}

func perMinute(n int64) limits.Rule {
	return rule(func(r *limits.Rule) { r.RequestsPerMinute = n })
}

// limiter makes a limiter of rules.
func limiter(s *shared, rules ...limits.Rule) *limits.Limiter {
	return limits.New(limits.Config{Rules: rules}, s, limits.Options{})
}

var shop = limits.Scope{Caller: "shop", Provider: "openai", Model: "openai/gpt-4o"} //nolint:gochecknoglobals // a constant

// pass reserves, which must be possible.
func pass(t *testing.T, l *limits.Limiter, s limits.Scope, e limits.Estimate) *limits.Lease {
	t.Helper()
	lease, err := l.Reserve(t.Context(), s, e)
	require.NoError(t, err)
	return lease
}

// refusedBy reserves, which must be refused.
func refusedBy(t *testing.T, l *limits.Limiter, s limits.Scope, e limits.Estimate) events.Error {
	t.Helper()
	lease, err := l.Reserve(t.Context(), s, e)
	require.Nil(t, lease)
	var coded *events.Error
	require.ErrorAs(t, err, &coded)
	require.Equal(t, events.CodeRateLimited, coded.Code)
	return *coded
}

func TestNoLimitsAskNobody(t *testing.T) {
	t.Parallel()
	s := newShared()
	var none *limits.Limiter
	require.Nil(t, limiter(s))
	lease, err := none.Reserve(t.Context(), shop, limits.Estimate{Tokens: 5})
	require.NoError(t, err)
	require.Nil(t, lease)
	lease.Settle(5, 1)
	lease.Release()
	require.Empty(t, none.Left(shop))
	require.NoError(t, none.Close(t.Context()))

	other := limiter(s, rule(func(r *limits.Rule) { r.Caller, r.RequestsPerMinute = "team-*", 1 }))
	lease, err = other.Reserve(t.Context(), shop, limits.Estimate{})
	require.NoError(t, err)
	require.Nil(t, lease)
	require.Zero(t, s.asked())
}

// The windows are minutes and days of UTC; what was used in one is forgotten in the next.
func TestWindows(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // it begins at midnight, UTC
		s := newShared()
		l := limiter(s, perMinute(2), rule(func(r *limits.Rule) { r.CostPerDay = 1 }))
		<-time.After(42 * time.Second)
		pass(t, l, shop, limits.Estimate{Cost: 0.25})
		pass(t, l, shop, limits.Estimate{Cost: 0.25})
		err := refusedBy(t, l, shop, limits.Estimate{Cost: 0.25})
		require.Equal(t, 18*time.Second, err.RetryAfter)
		require.True(t, err.Retryable)
		require.Equal(t, "the limit of 2 requests a minute is used up; the next one begins in 18s", err.Message)
		<-time.After(err.RetryAfter)
		pass(t, l, shop, limits.Estimate{Cost: 0.5})
		err = refusedBy(t, l, shop, limits.Estimate{Cost: 0.01})
		require.Equal(t, 24*time.Hour-time.Minute, err.RetryAfter)
		require.Contains(t, err.Message, "the budget of 1 a day")
		<-time.After(err.RetryAfter)
		pass(t, l, shop, limits.Estimate{Cost: 1})
		require.Equal(t, []events.ModelLimit{
			{What: "requests_per_minute", Limit: 2, Left: 1, ResetMS: 60_000},
			{What: "cost_per_day", Limit: 1, Left: 0, ResetMS: 86_400_000},
		}, l.Left(shop))
	})
}

// Of two limits that refuse, the one that takes longer says how long.
func TestTheLongestWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := limiter(newShared(), perMinute(1), rule(func(r *limits.Rule) { r.CostPerDay = 1 }))
		pass(t, l, shop, limits.Estimate{Cost: 1})
		require.Equal(t, 24*time.Hour, refusedBy(t, l, shop, limits.Estimate{Cost: 1}).RetryAfter)
	})
}

// Who is refused by one limit has nothing reserved of the others.
func TestAllOrNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newShared()
		a, b := limiter(s, perMinute(100), rule(func(r *limits.Rule) { r.TokensPerMinute = 100 })), limiter(s, perMinute(100), rule(func(r *limits.Rule) { r.TokensPerMinute = 100 }))
		pass(t, a, shop, limits.Estimate{Tokens: 90})
		refusedBy(t, b, shop, limits.Estimate{Tokens: 20}) // it does not know yet
		require.NoError(t, b.Close(t.Context()))
		require.EqualValues(t, 1, s.total("limits.requests"))
		require.EqualValues(t, 90, s.total("limits.tokens"))
		pass(t, b, shop, limits.Estimate{Tokens: 10})
	})
}

func TestSettle(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newShared()
		l := limiter(s, rule(func(r *limits.Rule) { r.RequestsPerMinute, r.TokensPerMinute, r.CostPerDay = 100, 1000, 1 }))
		less, more, none, exact := pass(t, l, shop, limits.Estimate{Tokens: 400, Cost: 0.4}), pass(t, l, shop, limits.Estimate{Tokens: 100, Cost: 0}),
			pass(t, l, shop, limits.Estimate{Tokens: 300, Cost: 0.3}), pass(t, l, shop, limits.Estimate{Tokens: 200, Cost: 0.1})
		refusedBy(t, l, shop, limits.Estimate{Tokens: 1})
		less.Settle(100, 0.1)
		more.Settle(150, 0.000_000_001)
		none.Release()
		exact.Settle(200, 0.1)
		before := s.asked()
		less.Settle(1, 1)
		less.Release()
		none.Settle(1, 1)
		exact.Keep()
		<-time.After(time.Second)
		require.Equal(t, before+3, s.asked(), "one increment for each count")
		require.EqualValues(t, 3, s.total("limits.requests"))
		require.EqualValues(t, 450, s.total("limits.tokens"))
		require.EqualValues(t, 200_000_001, s.total("budgets.cost"))
		pass(t, l, shop, limits.Estimate{Tokens: 550})
		refusedBy(t, l, shop, limits.Estimate{Tokens: 1})
		refusedBy(t, l, shop, limits.Estimate{Cost: 0.8})
		pass(t, l, shop, limits.Estimate{Cost: 0.799_999_999})
	})
}

// What is settled after its window is of no use to anybody.
func TestSettleTooLate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newShared()
		l := limiter(s, rule(func(r *limits.Rule) { r.TokensPerMinute, r.CostPerDay = 1000, 1 }))
		lease := pass(t, l, shop, limits.Estimate{Tokens: 10, Cost: 0.1})
		<-time.After(time.Minute)
		lease.Settle(20, 0.2)
		require.NoError(t, l.Close(t.Context()))
		require.EqualValues(t, 10, s.total("limits.tokens"))
		require.EqualValues(t, 200_000_000, s.total("budgets.cost"))
	})
}

func TestMoreThanThereIsAtAll(t *testing.T) {
	t.Parallel()
	s := newShared()
	l := limiter(s, rule(func(r *limits.Rule) { r.TokensPerMinute, r.EachModel = 1000, true }))
	err := refusedBy(t, l, shop, limits.Estimate{Tokens: 1001})
	require.False(t, err.Retryable)
	require.Zero(t, err.RetryAfter)
	require.Contains(t, err.Message, "more than the limit of 1000 tokens a minute for model openai/gpt-4o has at all")
	require.Zero(t, s.asked())
	refusedBy(t, l, shop, limits.Estimate{Tokens: int(^uint(0) >> 1)})
}

// What costs nothing is let through when the money is gone.
func TestWhatIsFree(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := limiter(newShared(), rule(func(r *limits.Rule) { r.CostPerDay = 1 }))
		pass(t, l, shop, limits.Estimate{Cost: 1}).Settle(0, 5)
		require.NoError(t, l.Close(t.Context()))
		refusedBy(t, l, shop, limits.Estimate{Cost: 0.000_001})
		pass(t, l, shop, limits.Estimate{})
	})
}

// A rule says what it is about, and what counts separately.
func TestScopes(t *testing.T) {
	t.Parallel()
	scope := func(caller, model, alias string) limits.Scope {
		return limits.Scope{Caller: caller, Provider: model[:1], Model: model, Alias: alias}
	}
	for _, c := range []struct {
		name  string
		rule  limits.Rule
		first limits.Scope
		full  []limits.Scope
		free  []limits.Scope
		says  string
	}{
		{
			name: "everything", rule: perMinute(1), first: scope("x", "a/1", ""),
			full: []limits.Scope{scope("y", "b/2", "fast")}, says: "the limit of 1 requests a minute is used up",
		},
		{
			name: "each caller", rule: rule(func(r *limits.Rule) { r.RequestsPerMinute, r.EachCaller = 1, true }), first: scope("x", "a/1", ""),
			full: []limits.Scope{scope("x", "b/2", "")}, free: []limits.Scope{scope("y", "a/1", "")}, says: "a minute for caller x is",
		},
		{
			name: "each model of each caller", first: scope("x", "a/1", ""),
			rule: rule(func(r *limits.Rule) { r.RequestsPerMinute, r.EachCaller, r.EachModel = 1, true, true }),
			full: []limits.Scope{scope("x", "a/1", "fast")}, free: []limits.Scope{scope("x", "a/2", ""), scope("y", "a/1", "")},
			says: "for caller x for model a/1",
		},
		{
			name: "each provider", rule: rule(func(r *limits.Rule) { r.RequestsPerMinute, r.EachProvider = 1, true }), first: scope("x", "a/1", ""),
			full: []limits.Scope{scope("y", "a/2", "")}, free: []limits.Scope{scope("x", "b/1", "")}, says: "for provider a",
		},
		{
			name: "some callers together", rule: rule(func(r *limits.Rule) { r.RequestsPerMinute, r.Caller = 1, "team-*" }), first: scope("team-a", "a/1", ""),
			full: []limits.Scope{scope("team-b", "a/2", "")}, free: []limits.Scope{scope("x", "a/1", ""), scope("x", "a/1", "")},
			says: "for several callers",
		},
		{
			name: "a provider", rule: rule(func(r *limits.Rule) { r.RequestsPerMinute, r.Provider = 1, "a" }), first: scope("x", "a/1", ""),
			full: []limits.Scope{scope("y", "a/2", "")}, free: []limits.Scope{scope("x", "b/1", ""), scope("x", "b/1", "")}, says: "for provider a",
		},
		{
			name: "an alias", rule: rule(func(r *limits.Rule) { r.RequestsPerMinute, r.Model = 1, "fast" }), first: scope("x", "a/1", "fast"),
			full: []limits.Scope{scope("y", "b/2", "fast")}, free: []limits.Scope{scope("x", "a/1", ""), scope("x", "a/1", "slow")}, says: "for model fast",
		},
		{
			name: "models", rule: rule(func(r *limits.Rule) { r.RequestsPerMinute, r.Model = 1, "a/big-*" }), first: scope("x", "a/big-1", ""),
			full: []limits.Scope{scope("y", "a/big-2", "fast")}, free: []limits.Scope{scope("x", "a/1", ""), scope("x", "b/big-1", "")},
			says: "for model a/big-*",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l := limiter(newShared(), c.rule)
				pass(t, l, c.first, limits.Estimate{})
				require.Contains(t, refusedBy(t, l, c.first, limits.Estimate{}).Message, c.says)
				for _, s := range c.full {
					refusedBy(t, l, s, limits.Estimate{})
				}
				for _, s := range c.free {
					pass(t, l, s, limits.Estimate{})
				}
			})
		})
	}
}

// A limit that is used up is asked for once a second, and what is given back is found.
func TestFullIsRefusedWithoutAsking(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newShared()
		here, there := limiter(s, perMinute(10)), limiter(s, perMinute(10))
		var leases []*limits.Lease
		for range 10 {
			leases = append(leases, pass(t, there, shop, limits.Estimate{}))
		}
		refusedBy(t, here, shop, limits.Estimate{})
		before := s.asked()
		for range 1000 {
			refusedBy(t, here, shop, limits.Estimate{})
		}
		require.Equal(t, before, s.asked())
		leases[0].Release()
		<-time.After(time.Second)
		pass(t, here, shop, limits.Estimate{})
		refusedBy(t, here, shop, limits.Estimate{})
		require.EqualValues(t, 10, s.total("limits.requests"))
	})
}

// However many come at the same time, from however many replicas: as many pass as may, and they are reserved together.
func TestManyAtTheSameTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newShared()
		s.set(false, time.Millisecond)
		var passed atomic.Int64
		var working sync.WaitGroup
		for range 3 {
			l := limiter(s, perMinute(1000))
			for range 50 {
				working.Go(func() {
					for range 40 {
						if _, err := l.Reserve(t.Context(), shop, limits.Estimate{}); err == nil {
							passed.Add(1)
						}
					}
				})
			}
		}
		working.Wait()
		require.EqualValues(t, 1000, passed.Load())
		<-time.After(time.Second)
		require.EqualValues(t, 1000, s.total("limits.requests"), "what was too much is given back")
		require.Less(t, s.asked(), 230, "five at a time, and a few at the end")
	})
}

// Who does not wait any longer has nothing reserved, whenever the answer comes.
func TestWhoLeaves(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newShared()
		l := limiter(s, perMinute(10))
		s.set(false, 100*time.Millisecond)
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		_, err := l.Reserve(ctx, shop, limits.Estimate{})
		require.Equal(t, events.CodeDeadlineExceeded, events.CodeOf(err))
		<-time.After(time.Second)
		require.Equal(t, 2, s.asked())
		require.Zero(t, s.total("limits.requests"))
		pass(t, l, shop, limits.Estimate{})
	})
}

// An answer that is lost is asked for again: what was counted counts once, and is given back where nobody waits any longer.
func TestLostAnswers(t *testing.T) {
	t.Parallel()
	for _, wait := range []time.Duration{100 * time.Millisecond, 30 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			s := newShared()
			l := limits.New(limits.Config{Rules: []limits.Rule{perMinute(10)}, Wait: wait}, s, limits.Options{})
			s.lose(3)
			_, err := l.Reserve(t.Context(), shop, limits.Estimate{})
			var want int64
			if wait < time.Second {
				require.Equal(t, events.CodeUnavailable, events.CodeOf(err))
			} else {
				require.NoError(t, err)
				want = 1
			}
			<-time.After(5 * time.Second)
			require.Equal(t, want, s.total("limits.requests"))
			pass(t, l, shop, limits.Estimate{})
			require.Equal(t, want+1, s.total("limits.requests"))
		})
	}
}

// What was reserved too much is given back once, also when all answers to the increment that does it are lost. What was reserved with
// it is given back, too.
func TestLostAnswersGiveBackOnce(t *testing.T) {
	t.Parallel()
	for _, lost := range []int{5, 10, 11, 50} {
		synctest.Test(t, func(t *testing.T) {
			s := newShared()
			here, there := limiter(s, perMinute(10)), limiter(s, perMinute(10))
			for range 5 {
				pass(t, here, shop, limits.Estimate{})
			}
			for range 5 {
				pass(t, there, shop, limits.Estimate{})
			}
			s.set(false, 10*time.Millisecond)
			refusedBy(t, here, shop, limits.Estimate{}) // it does not know of the others, and reserves one too many
			require.EqualValues(t, 11, s.total("limits.requests"))
			s.lose(lost)
			<-time.After(50 * time.Second)
			s.lose(0)
			require.EqualValues(t, 10, s.total("limits.requests"))
			refusedBy(t, there, shop, limits.Estimate{})
			<-time.After(9 * time.Second)
			require.EqualValues(t, 10, s.total("limits.requests"))
		})
	}
}

// Who is told that the counts cannot be reached has nothing reserved in the end, whether it was counted or not.
func TestLostAnswersReserveNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newShared()
		l := limits.New(limits.Config{Rules: []limits.Rule{perMinute(10)}, Wait: 30 * time.Second}, s, limits.Options{})
		s.lose(10)
		_, err := l.Reserve(t.Context(), shop, limits.Estimate{})
		require.Equal(t, events.CodeUnavailable, events.CodeOf(err))
		require.EqualValues(t, 1, s.total("limits.requests"))
		<-time.After(5 * time.Second)
		require.Zero(t, s.total("limits.requests"))
	})
}

// When the counts cannot be reached, requests are refused, quickly, or let through, as the operator wants.
func TestCountsThatCannotBeReached(t *testing.T) {
	t.Parallel()
	for _, hangs := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			s := newShared()
			cfg := limits.Config{Rules: []limits.Rule{perMinute(10), rule(func(r *limits.Rule) { r.TokensPerMinute = 100 })}, Wait: 200 * time.Millisecond}
			strict := limits.New(cfg, s, limits.Options{})
			cfg.Allow = true
			lenient := limits.New(cfg, s, limits.Options{})
			if hangs {
				s.set(true, 10*time.Second)
			} else {
				s.set(true, 0)
			}
			begin := time.Now()
			_, err := strict.Reserve(t.Context(), shop, limits.Estimate{Tokens: 5})
			require.Equal(t, events.CodeUnavailable, events.CodeOf(err))
			require.Equal(t, time.Second, events.AsError(err).RetryAfter)
			require.LessOrEqual(t, time.Since(begin), 200*time.Millisecond)
			lease := pass(t, lenient, shop, limits.Estimate{Tokens: 5})
			lease.Settle(7, 0)
			pass(t, lenient, shop, limits.Estimate{Tokens: 5}).Keep()
			begin = time.Now()
			for range 100 { // for a while, nobody waits
				_, err := strict.Reserve(t.Context(), shop, limits.Estimate{Tokens: 5})
				require.Equal(t, events.CodeUnavailable, events.CodeOf(err))
				pass(t, lenient, shop, limits.Estimate{Tokens: 5}).Release()
			}
			require.Zero(t, time.Since(begin))
			s.set(false, 0)
			<-time.After(22 * time.Second)
			require.EqualValues(t, 2, s.total("limits.requests"), "what was used is counted all the same")
			require.EqualValues(t, 7+5, s.total("limits.tokens"))
			pass(t, strict, shop, limits.Estimate{Tokens: 5})
			pass(t, lenient, shop, limits.Estimate{Tokens: 5})
		})
	}
}

// What could not be counted is counted when the limiter is closed, or said.
func TestClose(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newShared()
		l := limiter(s, rule(func(r *limits.Rule) { r.TokensPerMinute = 100 }))
		lease := pass(t, l, shop, limits.Estimate{Tokens: 5})
		lease.Settle(50, 0)
		s.set(true, 0)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, l.Close(ctx), errAway)
		s.set(false, 0)
		require.NoError(t, l.Close(t.Context()))
		require.EqualValues(t, 50, s.total("limits.tokens"))
		<-time.After(5 * time.Second) // until nothing is planned any more
	})
}

// What can never be counted any more is not waited for.
func TestCloseWhenTheCountsAreClosed(t *testing.T) {
	t.Parallel()
	for _, away := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			s := newShared()
			l := limiter(s, rule(func(r *limits.Rule) { r.TokensPerMinute = 100 }))
			pass(t, l, shop, limits.Estimate{Tokens: 5}).Settle(50, 0)
			begin := time.Now()
			if away { // it is closed while it is waited for
				s.set(true, 0)
				time.AfterFunc(time.Second, func() { close(s.closed) })
			} else {
				close(s.closed)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			require.ErrorIs(t, l.Close(ctx), errAway)
			require.LessOrEqual(t, time.Since(begin), time.Second)
			<-time.After(2 * time.Minute) // until the window is over, and nothing is tried any more
		})
	}
}

func TestGuess(t *testing.T) {
	t.Parallel()
	l := limits.New(limits.Config{Rules: []limits.Rule{perMinute(1)}, DefaultTokens: 77}, newShared(), limits.Options{})
	for _, c := range [][4]int{{0, 0, 0, 77}, {1, 5, 1, 5}, {4, 5, 1, 5}, {5, -1, 2, 77}, {-1, 1, 0, 1}} {
		prompt, completion := l.Guess(c[0], c[1])
		require.Equal(t, [2]int{c[2], c[3]}, [2]int{prompt, completion})
	}
}
