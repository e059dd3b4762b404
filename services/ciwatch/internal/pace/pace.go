// Package pace decides which repository is polled when, so that what happens is seen soon and the credentials' rate limits last.
//
// It asks nothing and starts nothing: times come in as arguments, and the same calls have the same answers. Whoever polls does
//
//	repo, due, ok := planner.Next(now) // wait until due, or until something is touched
//	planner.Began(repo, now)
//	…                                  // ask the forge
//	planner.Done(repo, now, outcome)
//	planner.Budget(now, forge.Quotas())
//
// How often: a repository in which something happens is polled every [Config.Interval]; with each poll that finds nothing it
// waits longer, up to [Config.Max]. One that was touched, by a webhook or a person, is polled at once.
//
// How much: requests that count come out of a bucket that fills at the rate at which what is left lasts until the window ends. Routine
// polls are stretched when they would need more than that. Whatever is waiting is polled in the order in which it became due, so
// that no storm keeps any repository from its turn.
package pace

import (
	"container/heap"
	"slices"
	"sync"
	"time"

	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge"
)

// Defaults of [Config].
const (
	DefaultInterval  = 30 * time.Second
	DefaultMax       = 5 * time.Minute
	DefaultShare     = 0.8
	DefaultReserve   = 0.1
	DefaultGap       = time.Second
	DefaultPerMinute = 600
)

const (
	decay       = 1.5 // by which a repository in which nothing happens waits longer each time
	longestWait = 2 * time.Hour
	shortRest   = time.Minute // after a rate limit that does not say how long
	eagerTries  = 5           // polls that fail before a touched repository is one of many again
)

// Config says how often and how much is polled. A field that is 0 or less is its default.
type Config struct {
	// Interval is the time between two polls of a repository in which something happens, Max that of one in which nothing does
	// for long; when the budget is short, both are longer.
	Interval, Max time.Duration
	// Share is the part of each credential's limit that may be spent in a window, greater than 0 and at most 1. The rest is for
	// others. It is not known beforehand what a poll costs: one that has begun may cost more.
	Share float64
	// Reserve is the part of each credential's limit below which only touched repositories are polled, at most 1.
	Reserve float64
	// Gap is the least time between two polls of a repository, however often it is touched.
	Gap time.Duration
	// PerMinute bounds the polls of a minute, free ones too: forges have limits for that which they do not tell.
	PerMinute int
}

// withDefaults fills in what is missing.
func (c Config) withDefaults() Config {
	c.Interval = orDefault(c.Interval, DefaultInterval)
	c.Max = max(orDefault(c.Max, DefaultMax), c.Interval)
	c.Share = min(orDefault(c.Share, DefaultShare), 1)
	c.Reserve = min(orDefault(c.Reserve, DefaultReserve), 1)
	c.Gap = orDefault(c.Gap, DefaultGap)
	c.PerMinute = orDefault(c.PerMinute, DefaultPerMinute)
	return c
}

func orDefault[T int | float64 | time.Duration](v, otherwise T) T {
	if v > 0 {
		return v
	}
	return otherwise
}

// Outcome is what came of a poll.
type Outcome struct {
	// Changed says that there was something new; NotModified that the forge said that there was nothing, for free.
	Changed     bool
	NotModified bool
	// Err is why the poll failed. An error rate_limited rests all repositories, another one only this, both for the time that it says.
	// One that says canceled is no outcome: the poll is due again.
	Err error
	// Wait is how long the forge wants not to be asked about the repository again.
	Wait time.Duration
	// Calls counts the requests that counted against the rate limit.
	Calls int
}

// Planner plans the polls of one forge. It is safe for concurrent use.
type Planner struct {
	mu      sync.Mutex
	cfg     Config
	repos   map[string]*entry
	routine queue   // nothing has happened in them that we know of
	touched queue   // something has
	flying  int     // polls that have begun and are not done
	rate    float64 // polls a second, if every repository were polled at its interval

	budget  budget
	ledger  ledger
	stretch float64
	longest time.Duration // that a repository waits because of that
	stacked time.Time     // when both were looked at
	rest    time.Time     // nothing is polled until then
	limited int           // rests in a row that were not told for how long
}

// New makes a planner that has nothing to watch.
func New(cfg Config) *Planner {
	cfg = cfg.withDefaults()
	return &Planner{cfg: cfg, repos: make(map[string]*entry), budget: newBudget(cfg), stretch: 1, longest: cfg.Max}
}

// Watch says which repositories there are: exactly these. New ones are spread over the first interval.
func (p *Planner) Watch(repos []string, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	wanted := make(map[string]bool, len(repos))
	var fresh []string
	for _, repo := range repos {
		if wanted[repo] {
			continue
		}
		wanted[repo] = true
		if p.repos[repo] == nil {
			fresh = append(fresh, repo)
		}
	}
	for repo, e := range p.repos {
		if !wanted[repo] {
			p.remove(e)
			p.count(e, 0)
			if e.flying {
				p.flying--
				p.budget.spend(now, e.reserved, 0)
			}
			delete(p.repos, repo)
		}
	}
	slices.Sort(fresh)
	for i, repo := range fresh {
		e := &entry{repo: repo, interval: p.cfg.Interval, from: now, fresh: true}
		e.wait = time.Duration(float64(p.cfg.Interval) * float64(i) / float64(len(fresh)))
		p.repos[repo] = e
		p.insert(e)
	}
	p.rate = 0 // of what rounding has left in it
	for _, e := range p.repos {
		p.rate += e.rate
	}
}

// Touch says that something has happened in a repository, or is wanted of it, and that a poll sees it from at on. One that is
// not watched is nobody's concern.
func (p *Planner) Touch(repo string, at time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e := p.repos[repo]
	if e == nil {
		return
	}
	if !e.touched || at.Before(e.touchedFrom) {
		e.touchedFrom = at
	}
	if !e.touched || at.After(e.touchedTo) {
		e.touchedTo = at
	}
	e.touched = true
	if e.fails == 0 {
		e.interval = p.cfg.Interval
		if !e.fresh {
			e.wait = e.interval
		}
	}
	if !e.flying {
		p.remove(e)
		p.insert(e)
	}
}

// Next returns the repository that is to be polled next and when that may begin; nothing when none is watched that is not
// being polled already. It holds until another method is called.
func (p *Planner) Next(now time.Time) (repo string, due time.Time, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.restretch(now)
	var best *entry
	for _, q := range []*queue{&p.touched, &p.routine} {
		if len(*q) == 0 {
			continue
		}
		e := (*q)[0]
		at := latest(e.due, p.rest, p.budget.gate(now, q == &p.touched))
		if best == nil || at.Before(due) || at.Equal(due) && e.due.Before(best.due) {
			best, due = e, at
		}
	}
	if best == nil {
		return "", time.Time{}, false
	}
	return best.repo, due, true
}

// Began says that the poll of a repository has begun.
func (p *Planner) Began(repo string, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e := p.repos[repo]
	if e == nil || e.flying {
		return
	}
	p.remove(e)
	e.flying, e.eager = true, e.touched
	p.flying++
	e.reserved = 1
	if !e.fresh && !e.eager {
		e.reserved = p.budget.cost
	}
	p.budget.reserve(now, e.reserved)
	if e.touched && e.touchedTo.After(now) {
		e.touchedFrom = e.touchedTo // this poll does not see that yet
	} else {
		e.touched = false
	}
}

// Done says what came of the poll.
func (p *Planner) Done(repo string, now time.Time, o Outcome) {
	p.mu.Lock()
	defer p.mu.Unlock()
	o.Calls = max(o.Calls, 0)
	o.Wait = min(max(o.Wait, 0), longestWait)
	e := p.repos[repo]
	if e == nil || !e.flying { // no longer watched
		p.budget.spend(now, 0, o.Calls)
		p.ledger.add(now, false, o)
		return
	}
	e.flying = false
	p.flying--
	p.budget.spend(now, e.reserved, o.Calls)
	if !e.fresh && !e.eager && o.Err == nil {
		p.budget.learn(o.Calls, len(p.repos))
	}
	p.ledger.add(now, e.eager, o)
	p.settle(e, now, o)
	p.insert(e)
	p.restretch(now)
}

// settle decides when a repository is polled again.
func (p *Planner) settle(e *entry, now time.Time, o Outcome) {
	e.from, e.earliest = now, now.Add(max(p.cfg.Gap, o.Wait))
	if o.Err == nil {
		p.limited = 0
		e.fresh, e.fails = false, 0
		if o.Changed || e.eager {
			e.interval = p.cfg.Interval
		} else {
			e.interval = min(time.Duration(float64(e.interval)*decay), p.cfg.Max)
		}
		e.wait = e.interval
		return
	}
	if e.eager && !e.touched {
		e.touched, e.touchedFrom, e.touchedTo = true, now, now
	}
	after := min(max(events.AsError(o.Err).RetryAfter, 0), longestWait)
	switch events.CodeOf(o.Err) {
	case events.CodeCanceled:
		e.fresh, e.wait = true, 0
	case events.CodeRateLimited:
		e.fresh, e.wait = true, 0
		p.restAll(now, after)
	default:
		e.fails++
		e.touched = e.touched && e.fails < eagerTries
		e.wait = doubled(p.cfg.Interval, e.fails, p.cfg.Max)
		e.earliest = latest(e.earliest, now.Add(doubled(p.cfg.Gap, e.fails-1, p.cfg.Max)), now.Add(after))
	}
}

// restAll leaves the forge alone: for as long as it said, or longer each time.
func (p *Planner) restAll(now time.Time, after time.Duration) {
	if after == 0 {
		if now.Before(p.rest) {
			return // told by several polls at once
		}
		after = doubled(shortRest, p.limited, max(p.cfg.Max, shortRest))
		p.limited++
	}
	p.rest = latest(p.rest, now.Add(after))
	p.budget.calm(p.rest)
}

// Budget takes in what the forge said of the credentials' limits.
func (p *Planner) Budget(now time.Time, quotas []forge.Quota) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.budget.told(now, quotas)
	p.restretch(now)
}

// Sharers says how many planners spend of the same credentials, this one included: replicas, each with repositories of its own. What
// is left is divided among them; each tells of what it sees, so that what one does not need is there for the others.
func (p *Planner) Sharers(n int, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.budget.refill(now)
	p.budget.sharers = float64(max(n, 1))
	p.restretch(now)
}

// restretch adapts the waits to what is left, when that makes a difference.
func (p *Planner) restretch(now time.Time) {
	if now.Sub(p.stacked) < time.Second && !p.stacked.IsZero() {
		return
	}
	touchedCalls, touchedPolls := p.ledger.touchedRates(now)
	stretch, longest := p.budget.stretch(now, len(p.repos), p.rate, touchedCalls, touchedPolls)
	p.stacked = now
	if alike(stretch, p.stretch) && alike(longest.Seconds(), p.longest.Seconds()) {
		return
	}
	p.stretch, p.longest = stretch, longest
	for _, e := range p.routine {
		e.due = p.dueOf(e)
	}
	heap.Init(&p.routine)
	for _, e := range p.touched {
		e.due = p.dueOf(e)
	}
	heap.Init(&p.touched)
}

// alike reports whether two numbers differ by so little that it is not worth the work.
func alike(a, b float64) bool { return a == b || a > 1 && a/b > 0.9 && a/b < 1.1 }

// doubled returns d doubled n times, at most limit.
func doubled(d time.Duration, n int, limit time.Duration) time.Duration {
	for range n {
		if d >= limit {
			break
		}
		d *= 2
	}
	return min(d, limit)
}

// latest returns the latest of some times.
func latest(times ...time.Time) time.Time {
	var last time.Time
	for _, t := range times {
		if t.After(last) {
			last = t
		}
	}
	return last
}
