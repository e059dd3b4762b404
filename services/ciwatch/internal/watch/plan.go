package watch

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/pace"
)

// pollers is how many repositories of a forge are polled at a time. The forge itself is asked by one at a time with each credential.
const pollers = 4

// soon is the time in which all repositories are polled that this replica has come to lead.
const soon = 30 * time.Second

// plan says when this replica polls which of a forge's repositories: those of the shards that it leads.
type plan struct {
	forge forge.Forge
	wake  chan struct{}

	mu      sync.Mutex
	planner *pace.Planner
	repos   map[string]Repository // by id
}

func newPlan(f forge.Forge, cfg pace.Config) *plan {
	return &plan{forge: f, wake: make(chan struct{}, 1), planner: pace.New(cfg), repos: map[string]Repository{}}
}

// watch makes the plan that of these repositories.
func (p *plan) watch(repos []Repository, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	known := p.repos
	p.repos = make(map[string]Repository, len(repos))
	ids := make([]string, 0, len(repos))
	var fresh []string
	for _, r := range repos {
		id := r.id()
		if _, ok := known[id]; !ok {
			fresh = append(fresh, id)
		}
		p.repos[id] = r
		ids = append(ids, id)
	}
	p.planner.Watch(ids, now)
	for i, id := range fresh { // what happened while nobody looked is worth to be known soon, however long the interval is
		p.planner.Touch(id, now.Add(soon*time.Duration(i)/time.Duration(len(fresh))))
	}
	p.notify()
}

// touch has a repository polled at a time, at the latest.
func (p *plan) touch(r Repository, at time.Time) {
	p.mu.Lock()
	p.planner.Touch(r.id(), at)
	p.mu.Unlock()
	p.notify()
}

// notify makes a poller look again.
func (p *plan) notify() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// run polls what is due until ctx ends.
func (p *plan) run(ctx context.Context, poll func(context.Context, Repository) pace.Outcome) error {
	group, ctx := errgroup.WithContext(ctx)
	for range pollers {
		group.Go(func() error {
			for ctx.Err() == nil {
				r, ok := p.next(ctx)
				if !ok {
					continue
				}
				outcome := poll(ctx, r)
				p.mu.Lock()
				p.planner.Done(r.id(), time.Now(), outcome)
				p.mu.Unlock()
				p.notify()
			}
			return nil
		})
	}
	return group.Wait()
}

// next returns a repository that is due, and waits for one, or for a change of the plan, for a while; ok is then false.
func (p *plan) next(ctx context.Context) (r Repository, ok bool) {
	const longest = time.Minute
	now := time.Now()
	p.mu.Lock()
	p.planner.Budget(now, p.forge.Quotas())
	id, due, found := p.planner.Next(now)
	if found && !due.After(now) {
		p.planner.Began(id, now)
		r, ok = p.repos[id]
		p.mu.Unlock()
		p.notify() // there may be more that is due, for another poller
		return r, ok
	}
	p.mu.Unlock()
	wait := longest
	if found {
		wait = min(due.Sub(now), longest)
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-p.wake:
	case <-timer.C:
	}
	return Repository{}, false
}

// shared says how many replicas use the same credentials.
func (p *plan) shared(replicas int, now time.Time) { p.planner.Sharers(max(replicas, 1), now) }

// rests returns until when nothing is polled, because a rate limit is used up; the zero time when it is not.
func (p *plan) rests(now time.Time) time.Time {
	return p.planned(now).RestUntil
}

// planned returns what is planned.
func (p *plan) planned(now time.Time) pace.Plan {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.planner.Plan(now)
}
