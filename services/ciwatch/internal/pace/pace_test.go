package pace_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/pace"
)

// epoch is when all tests begin.
func epoch() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

func at(d time.Duration) time.Time { return epoch().Add(d) }

func names(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("acme/repo-%05d", i)
	}
	return names
}

// next returns what is next, and when, counted from the epoch.
func next(t *testing.T, p *pace.Planner, now time.Duration) (string, time.Duration) {
	t.Helper()
	repo, due, ok := p.Next(at(now))
	require.True(t, ok)
	return repo, due.Sub(epoch())
}

// poll polls a repository at a time, in no time.
func poll(p *pace.Planner, repo string, now time.Duration, o pace.Outcome) {
	p.Began(repo, at(now))
	p.Done(repo, at(now), o)
}

func quiet() pace.Outcome { return pace.Outcome{NotModified: true} }

func quota(remaining, spent int) []forge.Quota {
	return []forge.Quota{{Credential: "token 1", Limit: 5000, Remaining: remaining, Spent: spent, Reset: at(time.Hour), At: epoch()}}
}

func TestNothingToWatch(t *testing.T) {
	t.Parallel()
	p := pace.New(pace.Config{})
	_, _, ok := p.Next(epoch())
	require.False(t, ok)
	p.Touch("acme/unknown", epoch())
	p.Began("acme/unknown", epoch())
	p.Done("acme/unknown", epoch(), quiet())
	_, _, ok = p.Next(epoch())
	require.False(t, ok)
}

func TestNewOnesAreSpread(t *testing.T) {
	t.Parallel()
	p := pace.New(pace.Config{})
	p.Watch(append(names(3), names(3)...), epoch())
	for i, repo := range names(3) {
		got, due := next(t, p, 0)
		require.Equal(t, repo, got)
		require.Equal(t, time.Duration(i)*10*time.Second, due)
		p.Began(repo, epoch())
	}
	_, _, ok := p.Next(epoch())
	require.False(t, ok, "all are being polled")
	require.Equal(t, 3, p.Plan(epoch()).InFlight)
}

func TestWatchIsExact(t *testing.T) {
	t.Parallel()
	p := pace.New(pace.Config{})
	p.Watch([]string{"a/a", "b/b", "c/c"}, epoch())
	p.Began("b/b", epoch())
	p.Watch([]string{"c/c", "d/d"}, epoch())
	p.Done("b/b", epoch(), pace.Outcome{Calls: 1})
	plan := p.Plan(epoch())
	require.Equal(t, 2, plan.Repositories)
	require.Zero(t, plan.InFlight)
	require.Equal(t, 1, plan.Spent, "it was spent all the same")
	repo, due := next(t, p, 0)
	require.Equal(t, "d/d", repo)
	require.Zero(t, due)
	poll(p, "d/d", 0, quiet())
	repo, due = next(t, p, 0)
	require.Equal(t, "c/c", repo, "it has kept its turn")
	require.Equal(t, 20*time.Second, due)
	p.Watch(nil, epoch())
	_, _, ok := p.Next(epoch())
	require.False(t, ok)
	require.Zero(t, p.Plan(epoch()).PollsPerHour)
}

func TestIntervals(t *testing.T) {
	t.Parallel()
	p := pace.New(pace.Config{Interval: 20 * time.Second, Max: time.Minute})
	p.Watch([]string{"a/a"}, epoch())
	now := time.Duration(0)
	for _, step := range []struct {
		outcome pace.Outcome
		wait    time.Duration
	}{
		{quiet(), 30 * time.Second},
		{pace.Outcome{Calls: 1}, 45 * time.Second},
		{quiet(), time.Minute},
		{quiet(), time.Minute},
		{pace.Outcome{Changed: true, Calls: 2}, 20 * time.Second},
		{quiet(), 30 * time.Second},
		{pace.Outcome{NotModified: true, Wait: 10 * time.Second}, 45 * time.Second},
		{pace.Outcome{NotModified: true, Wait: 90 * time.Second}, 90 * time.Second},
		{pace.Outcome{NotModified: true, Wait: 1 << 62, Calls: -5}, 2 * time.Hour},
	} {
		poll(p, "a/a", now, step.outcome)
		_, due := next(t, p, now)
		require.Equal(t, step.wait, due-now)
		now = due
	}
}

func TestTouch(t *testing.T) {
	t.Parallel()
	p := pace.New(pace.Config{})
	p.Watch([]string{"a/a", "b/b"}, epoch())
	poll(p, "a/a", 0, quiet())
	poll(p, "b/b", 0, quiet())

	p.Touch("b/b", at(10*time.Second))
	p.Touch("b/b", at(5*time.Second))
	p.Touch("b/b", at(8*time.Second))
	repo, due := next(t, p, time.Second)
	require.Equal(t, "b/b", repo)
	require.Equal(t, 5*time.Second, due)
	require.Equal(t, 1, p.Plan(at(time.Second)).Touched)

	poll(p, "b/b", 5*time.Second, quiet())
	repo, due = next(t, p, 5*time.Second)
	require.Equal(t, "b/b", repo)
	require.Equal(t, 10*time.Second, due, "what was touched for later is polled then as well")

	poll(p, "b/b", 10*time.Second, pace.Outcome{Changed: true})
	require.Zero(t, p.Plan(at(10*time.Second)).Touched)
	_, due = next(t, p, 10*time.Second)
	require.Equal(t, 40*time.Second, due, "as often as can be")

	p.Began("b/b", at(40*time.Second))
	p.Touch("b/b", at(41*time.Second))
	p.Done("b/b", at(43*time.Second), quiet())
	repo, due = next(t, p, 43*time.Second)
	require.Equal(t, "b/b", repo)
	require.Equal(t, 44*time.Second, due, "touched while it was polled: again, a second later")

	p.Touch("b/b", at(time.Hour))
	_, due = next(t, p, 43*time.Second)
	require.Equal(t, 44*time.Second, due, "a touch for later delays nothing")
}

func TestFailures(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err   error
		waits []time.Duration
	}{
		"backs off": {errors.New("broken"), []time.Duration{
			time.Minute, 2 * time.Minute, 4 * time.Minute, 5 * time.Minute, 5 * time.Minute,
		}},
		"as the forge says": {&events.Error{Code: events.CodeUnavailable, RetryAfter: 7 * time.Minute}, []time.Duration{
			7 * time.Minute, 7 * time.Minute,
		}},
		"within bounds": {&events.Error{Code: events.CodeUnavailable, RetryAfter: 1 << 62}, []time.Duration{2 * time.Hour}},
		"canceled":      {events.Errorf(events.CodeCanceled, "stopping"), []time.Duration{time.Second, time.Second}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := pace.New(pace.Config{})
			p.Watch([]string{"a/a"}, epoch())
			now := time.Duration(0)
			for _, wait := range c.waits {
				poll(p, "a/a", now, pace.Outcome{Err: c.err})
				_, due := next(t, p, now)
				require.Equal(t, wait, due-now)
				now = due
			}
			poll(p, "a/a", now, pace.Outcome{Changed: true})
			_, due := next(t, p, now)
			require.Equal(t, 30*time.Second, due-now, "and is as before")
		})
	}
}

func TestFailureIsNobodyElses(t *testing.T) {
	t.Parallel()
	p := pace.New(pace.Config{})
	p.Watch([]string{"a/a", "b/b"}, epoch())
	poll(p, "a/a", 0, pace.Outcome{Err: events.Errorf(events.CodeNotFound, "no such repository")})
	poll(p, "b/b", 0, pace.Outcome{Changed: true})
	repo, due := next(t, p, 0)
	require.Equal(t, "b/b", repo)
	require.Equal(t, 30*time.Second, due)
}

func TestTouchedThatFails(t *testing.T) {
	t.Parallel()
	p := pace.New(pace.Config{})
	p.Watch([]string{"a/a"}, epoch())
	poll(p, "a/a", 0, quiet())
	p.Touch("a/a", at(2*time.Second))
	now := 2 * time.Second
	for _, seconds := range []int{1, 2, 4, 8} {
		poll(p, "a/a", now, pace.Outcome{Err: errors.New("broken")})
		_, due := next(t, p, now)
		require.Equal(t, time.Duration(seconds)*time.Second, due-now)
		now = due
	}
	poll(p, "a/a", now, pace.Outcome{Err: errors.New("broken")})
	_, due := next(t, p, now)
	require.Equal(t, 5*time.Minute, due-now, "it is one of many again")
	p.Touch("a/a", at(now))
	_, due = next(t, p, now)
	require.Equal(t, 16*time.Second, due-now)
}

func TestRateLimitRestsAll(t *testing.T) {
	t.Parallel()
	limited := func(after time.Duration) pace.Outcome {
		return pace.Outcome{Err: &events.Error{Code: events.CodeRateLimited, RetryAfter: after}}
	}
	p := pace.New(pace.Config{})
	p.Watch([]string{"a/a", "b/b"}, epoch())
	poll(p, "a/a", 0, limited(10*time.Minute))
	p.Touch("b/b", at(time.Second))
	now := 10 * time.Minute
	_, due := next(t, p, time.Second)
	require.Equal(t, at(now), p.Plan(at(time.Second)).RestUntil)
	require.GreaterOrEqual(t, due, now)
	require.Less(t, due, now+time.Second)

	// It does not say how long: a minute, and longer each time. Several that hear so at once are one time.
	for _, minutes := range []int{1, 2, 4, 5, 5} {
		p.Began("a/a", at(now))
		p.Began("b/b", at(now))
		p.Done("a/a", at(now), limited(0))
		p.Done("b/b", at(now), limited(0))
		now += time.Duration(minutes) * time.Minute
		require.Equal(t, at(now), p.Plan(at(now-time.Second)).RestUntil)
	}
	require.Zero(t, p.Plan(at(now)).RestUntil)
	poll(p, "a/a", now, quiet())
	poll(p, "b/b", now, limited(0))
	require.Equal(t, at(now+time.Minute), p.Plan(at(now)).RestUntil, "it begins anew")
	poll(p, "b/b", now, limited(1<<62))
	require.Equal(t, at(now+2*time.Hour), p.Plan(at(now)).RestUntil)
}
