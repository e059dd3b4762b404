package pace_test

import (
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/pace"
)

// world is a forge with one token, without a network: a poll that finds what it found before is free, unless the token has
// changed meanwhile; what is not counts.
type world struct {
	planner *pace.Planner
	now     time.Time
	random  *rand.Rand
	repos   []string
	changes map[string][]time.Time // not seen yet, the oldest first
	asked   map[string]int         // the hour in which a repository was last asked
	last    map[string]time.Time   // when it was last polled
	fault   func(repo string, now time.Time) error

	window          time.Time // when the current one began
	spent           int       // in the current window
	mostSpent       int       // in any
	polls, free     int
	seen            int
	latest, longest time.Duration // how late a change was seen; how long a repository was not asked
	perMinute       map[int64]int
}

func newWorld(n int) *world {
	w := &world{
		planner: pace.New(pace.Config{}), now: epoch(), random: rand.New(rand.NewPCG(7, 7)), repos: names(n),
		changes: make(map[string][]time.Time), asked: make(map[string]int), last: make(map[string]time.Time),
		window: epoch(), perMinute: make(map[int64]int),
	}
	w.planner.Watch(w.repos, w.now)
	return w
}

// change has a part of the repositories change at random times of each hour.
func (w *world) change(until time.Time, part float64) {
	for hour := w.now; hour.Before(until); hour = hour.Add(time.Hour) {
		for range int(part * float64(len(w.repos))) {
			repo := w.repos[w.random.IntN(len(w.repos))]
			at := hour.Add(time.Duration(w.random.Int64N(int64(time.Hour))))
			list := append(w.changes[repo], at)
			for i := len(list) - 1; i > 0 && list[i].Before(list[i-1]); i-- {
				list[i], list[i-1] = list[i-1], list[i]
			}
			w.changes[repo] = list
		}
	}
}

// run polls until a time. Every tick, if there is one, something happens.
func (w *world) run(t *testing.T, until time.Time, tick time.Duration, happen func()) {
	t.Helper()
	nextTick := w.now
	for w.now.Before(until) {
		if tick > 0 && !w.now.Before(nextTick) {
			happen()
			nextTick = nextTick.Add(tick)
			continue
		}
		repo, due, ok := w.planner.Next(w.now)
		require.True(t, ok)
		wake := until
		if due.Before(wake) {
			wake = due
		}
		if tick > 0 && nextTick.Before(wake) {
			wake = nextTick
		}
		if wake.After(w.now) {
			w.now = wake
			continue
		}
		w.poll(repo)
	}
}

// poll asks the forge, which takes some milliseconds.
func (w *world) poll(repo string) {
	w.planner.Began(repo, w.now)
	if last, ok := w.last[repo]; ok {
		w.longest = max(w.longest, w.now.Sub(last))
	}
	w.last[repo] = w.now
	w.polls++
	w.perMinute[w.now.Unix()/60]++
	if !w.now.Before(w.window.Add(time.Hour)) {
		w.window, w.spent = w.window.Add(w.now.Sub(w.window).Truncate(time.Hour)), 0
	}
	var o pace.Outcome
	if w.fault != nil {
		o.Err = w.fault(repo, w.now)
	}
	hour := int(w.now.Sub(epoch()) / time.Hour)
	asked, known := w.asked[repo]
	switch list := w.changes[repo]; {
	case o.Err != nil:
		o.Calls = 1
	case len(list) > 0 && !list[0].After(w.now):
		for len(list) > 0 && !list[0].After(w.now) {
			w.latest = max(w.latest, w.now.Sub(list[0]))
			list = list[1:]
			w.seen++
		}
		w.changes[repo] = list
		o.Changed, o.Calls = true, 2 // the list, and the jobs of what failed
		w.asked[repo] = hour
	case !known || asked != hour:
		o.Calls = 1
		w.asked[repo] = hour
	default:
		o.NotModified = true
		w.free++
	}
	w.spent += o.Calls
	w.mostSpent = max(w.mostSpent, w.spent)
	w.now = w.now.Add(30 * time.Millisecond)
	w.planner.Done(repo, w.now, o)
	w.planner.Budget(w.now, []forge.Quota{{
		Credential: "token 1", Limit: 5000, Remaining: max(5000-w.spent, 0), Spent: w.spent, Reset: w.window.Add(time.Hour), At: w.now,
	}})
}

// unseen counts the changes that nobody has seen.
func (w *world) unseen() int {
	n := 0
	for _, list := range w.changes {
		for _, at := range list {
			if at.Before(w.now.Add(-10 * time.Minute)) {
				n++
			}
		}
	}
	return n
}

// 300 repositories, of which 1 % change each hour, are polled for a day with a token that is another one each hour.
func TestDay(t *testing.T) {
	t.Parallel()
	w := newWorld(300)
	end := at(24 * time.Hour)
	w.change(end, 0.01)
	w.run(t, end.Add(10*time.Minute), 0, nil)
	t.Logf("%d polls, %.1f %% free, at most %d requests an hour counted, changes seen within %v", w.polls,
		100*float64(w.free)/float64(w.polls), w.mostSpent, w.latest)
	require.Zero(t, w.unseen())
	require.Equal(t, 72, w.seen)
	require.LessOrEqual(t, w.mostSpent, 5000*15/100)
	require.GreaterOrEqual(t, float64(w.free)/float64(w.polls), 0.9)
	require.LessOrEqual(t, w.latest, 5*time.Minute+10*time.Second)
	require.LessOrEqual(t, w.longest, 5*time.Minute+10*time.Second)
}

// Nothing is lost in a storm, and it is over when it is over.
func TestStorms(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]error{
		"5xx":                  events.Errorf(events.CodeUnavailable, "502"),
		"403 of one kind":      events.Errorf(events.CodePermissionDenied, "403"),
		"429, saying how long": &events.Error{Code: events.CodeRateLimited, RetryAfter: 90 * time.Second},
		"429, saying nothing":  &events.Error{Code: events.CodeRateLimited},
		"broken":               errors.New("connection reset"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(300)
			end := at(6 * time.Hour)
			w.change(end, 0.05)
			w.fault = func(_ string, now time.Time) error {
				stormy := now.Sub(epoch())%(2*time.Hour) > 100*time.Minute
				if stormy && w.random.IntN(10) > 0 {
					return fault
				}
				return nil
			}
			w.run(t, end, 0, nil)
			w.fault = nil
			w.run(t, end.Add(10*time.Minute), 0, nil)
			t.Logf("%d polls, at most %d requests an hour counted, changes seen within %v", w.polls, w.mostSpent, w.latest)
			require.Zero(t, w.unseen())
			require.Equal(t, 90, w.seen)
			require.LessOrEqual(t, w.mostSpent, 4000)
			require.LessOrEqual(t, w.latest, 20*time.Minute+11*time.Minute, "the storm and as long as a wait may be after it")
		})
	}
}

// A part that fails does not touch the others.
func TestSomeAlwaysFail(t *testing.T) {
	t.Parallel()
	w := newWorld(300)
	bad := make(map[string]bool)
	for _, repo := range w.repos[:100] {
		bad[repo] = true
	}
	w.fault = func(repo string, _ time.Time) error {
		if bad[repo] {
			return events.Errorf(events.CodeNotFound, "404")
		}
		return nil
	}
	w.repos = w.repos[100:]
	w.change(at(4*time.Hour), 0.05)
	w.run(t, at(4*time.Hour+10*time.Minute), 0, nil)
	require.Equal(t, 40, w.seen)
	require.LessOrEqual(t, w.latest, 5*time.Minute+10*time.Second)
}

// 2,000 webhooks a second, and nothing is free: the budget holds, and who has none is not forgotten.
func TestStormOfHooks(t *testing.T) {
	t.Parallel()
	w := newWorld(300)
	touched := w.repos[:250]
	everything := func() {
		for range 200 {
			repo := touched[w.random.IntN(len(touched))]
			w.planner.Touch(repo, w.now.Add(5*time.Second))
			if list := w.changes[repo]; len(list) == 0 {
				w.changes[repo] = append(list, w.now)
			}
		}
	}
	w.run(t, at(15*time.Minute), 100*time.Millisecond, everything)
	polls := w.polls
	w.run(t, at(3*time.Hour), 10*time.Second, everything)
	most := 0
	for _, n := range w.perMinute {
		most = max(most, n)
	}
	t.Logf("%d polls in the first 15 min, %d in all, at most %d a minute, %d requests an hour counted, each at least every %v",
		polls, w.polls, most, w.mostSpent, w.longest)
	require.LessOrEqual(t, w.mostSpent, 4000+2)
	require.LessOrEqual(t, most, 660)
	require.LessOrEqual(t, w.longest, 30*time.Minute, "nobody is starved")
	w.run(t, at(5*time.Hour), 0, nil)
	require.Zero(t, w.unseen())
	require.InDelta(t, 1, w.planner.Plan(w.now).Stretch, 0.2, "calm is restored")
}

// Ten thousand repositories on one token: what can be done is done, within all limits.
func TestTenThousand(t *testing.T) {
	t.Parallel()
	w := newWorld(10_000)
	w.run(t, at(6*time.Hour), 0, nil)
	most := 0
	for _, n := range w.perMinute {
		most = max(most, n)
	}
	plan := w.planner.Plan(w.now)
	t.Logf("%d polls, at most %d a minute, %d requests an hour counted, %+v", w.polls, most, w.mostSpent, plan)
	require.LessOrEqual(t, w.mostSpent, 4000)
	require.LessOrEqual(t, most, 660)
	require.Len(t, w.last, 10_000, "all had a turn")
	require.Greater(t, plan.Stretch, 2.0)
}

// Three replicas with one token, each with a third of the repositories and nothing free: together they leave the reserve.
func TestSharers(t *testing.T) {
	t.Parallel()
	const n = 3
	var planners [n]*pace.Planner
	for i := range planners {
		planners[i] = pace.New(pace.Config{})
		planners[i].Watch(names(300)[i*100:(i+1)*100], epoch())
		planners[i].Sharers(n, epoch())
	}
	now, all, minute := epoch(), 0, make(map[int64]int)
	var spent [n]int
	for now.Before(at(time.Hour)) {
		for i, p := range planners {
			repo, due, ok := p.Next(now)
			require.True(t, ok)
			if due.After(now) {
				continue
			}
			p.Began(repo, now)
			spent[i]++
			all++
			minute[now.Unix()/60]++
			p.Done(repo, now, pace.Outcome{Changed: true, Calls: 1})
			p.Budget(now, quota(5000-all, spent[i]))
		}
		now = now.Add(100 * time.Millisecond)
	}
	t.Logf("%d requests, %v by each", all, spent)
	require.LessOrEqual(t, all, 4500)
	require.Greater(t, all, 3500)
	for _, polls := range minute {
		require.LessOrEqual(t, polls, 660)
	}
	for i := range n {
		require.InDelta(t, all/n, spent[i], float64(all)/n/10, "even shares")
	}
}
