package pace_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/pace"
)

func TestBelowTheReserve(t *testing.T) {
	t.Parallel()
	p := pace.New(pace.Config{})
	p.Watch([]string{"a/a", "b/b"}, epoch())
	poll(p, "a/a", 0, quiet())
	poll(p, "b/b", 0, quiet())
	p.Budget(at(time.Second), quota(499, 100))
	_, due := next(t, p, time.Second)
	require.Equal(t, time.Hour, due, "no routine before the reset")
	require.True(t, p.Plan(at(time.Second)).TouchedOnly)
	require.Equal(t, at(time.Hour), p.Plan(at(time.Second)).Reset)

	p.Touch("b/b", at(5*time.Second))
	repo, due := next(t, p, time.Second)
	require.Equal(t, "b/b", repo)
	require.Equal(t, 5*time.Second, due)

	p.Budget(at(time.Second), quota(0, 100))
	_, due = next(t, p, time.Second)
	require.Equal(t, time.Hour, due, "nothing is left for anybody")

	// Another credential has something.
	more := append(quota(0, 100), forge.Quota{Credential: "token 2", Limit: 5000, Remaining: 5000, Reset: at(30 * time.Minute), At: epoch()})
	p.Budget(at(time.Second), more)
	_, due = next(t, p, time.Second)
	require.Equal(t, 5*time.Second, due)
	require.False(t, p.Plan(at(time.Second)).TouchedOnly)

	// The window is over, and nobody has said anything since.
	p.Budget(at(time.Second), quota(0, 100))
	_, due = next(t, p, time.Hour+time.Second)
	require.Equal(t, time.Hour+time.Second, due)
	require.InDelta(t, 4000, p.Plan(at(time.Hour+time.Second)).BudgetPerHour, 100)
}

func TestShareIsForPolls(t *testing.T) {
	t.Parallel()
	p := pace.New(pace.Config{Share: 0.5})
	p.Watch([]string{"a/a"}, epoch())
	poll(p, "a/a", 0, quiet())
	p.Touch("a/a", epoch())
	p.Budget(at(time.Second), quota(2000, 2500))
	_, due := next(t, p, time.Second)
	require.Equal(t, time.Hour, due, "the share is spent, and the rest is not ours, whoever was touched")
	p.Budget(at(time.Second), quota(2000, 2000))
	_, due = next(t, p, time.Second)
	require.Equal(t, time.Second, due)
	require.InDelta(t, 500, p.Plan(at(time.Second)).BudgetPerHour, 1)
}

func TestIntervalsStretch(t *testing.T) {
	t.Parallel()
	p := pace.New(pace.Config{})
	const n = 300
	p.Watch(names(n), epoch())
	// No poll is free here.
	calls := 0
	now := epoch()
	for {
		repo, due, ok := p.Next(now)
		require.True(t, ok)
		now = latest(now, due)
		if !now.Before(at(time.Hour)) {
			break
		}
		if now.After(at(30*time.Minute)) && now.Before(at(50*time.Minute)) {
			require.InDelta(t, 10, p.Plan(now).Stretch, 4)
		}
		p.Began(repo, now)
		calls++
		p.Done(repo, now, pace.Outcome{Changed: true, Calls: 1})
		p.Budget(now, quota(5000-calls, calls))
	}
	require.LessOrEqual(t, calls, 4000)
	require.Greater(t, calls, 3000, "what there is is used")
}

func TestPollsThatHaveBegunAreCounted(t *testing.T) {
	t.Parallel()
	p := pace.New(pace.Config{Interval: time.Nanosecond})
	p.Watch(names(10), epoch())
	p.Budget(epoch(), []forge.Quota{{Credential: "token 1", Limit: 5, Remaining: 5, Reset: at(time.Hour), At: epoch()}})
	now := time.Duration(0)
	for range 4 {
		var repo string
		repo, now = next(t, p, now)
		require.Less(t, now, time.Hour)
		p.Began(repo, at(now))
	}
	_, due := next(t, p, now)
	require.Equal(t, time.Hour, due, "four of five requests are the share")
	p.Watch(names(10)[5:], at(now))
	_, due = next(t, p, now)
	require.Less(t, due, time.Hour, "nobody waits for what is no longer watched")
	p.Done("acme/repo-00000", at(now), pace.Outcome{Calls: 4})
	_, due = next(t, p, now)
	require.Equal(t, time.Hour, due, "but what it has cost is gone")
}

func TestLimitsThatMakeNoSense(t *testing.T) {
	t.Parallel()
	for name, q := range map[string]forge.Quota{
		"nothing":   {},
		"negative":  {Limit: -1, Remaining: -5},
		"too much":  {Limit: 10, Remaining: 1 << 60, Reset: at(time.Hour), At: epoch()},
		"no reset":  {Limit: 5000, Remaining: 0},
		"past":      {Limit: 5000, Remaining: 0, Reset: at(-1000 * time.Hour), At: at(-1001 * time.Hour)},
		"backwards": {Limit: 5000, Remaining: 4000, Spent: -7, Reset: at(time.Minute), At: at(time.Hour)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := pace.New(pace.Config{})
			p.Watch([]string{"a/a"}, epoch())
			p.Budget(epoch(), []forge.Quota{q})
			_, due := next(t, p, 0)
			require.Zero(t, due)
		})
	}
	p := pace.New(pace.Config{})
	p.Watch([]string{"a/a"}, epoch())
	p.Budget(epoch(), []forge.Quota{{Limit: 10, Reset: at(1 << 62), At: epoch()}})
	_, due := next(t, p, 0)
	require.Equal(t, 24*time.Hour, due, "nobody is believed for longer")
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
