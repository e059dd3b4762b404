// Package watch watches the CI of many repositories: it takes in what webhooks tell and what polls find, keeps the state of each workflow and
// branch in a KV bucket, publishes its transitions, and recovers it where a rule says so.
//
//	webhook ─► SIGHTINGS ─► consume ─┐
//	                                 ├─► leader of the shard ─► tracker ─► events, KV ─► view ─► who asks
//	plan ─► poll ─► forge ───────────┘                 └─► policy ─► forge (recovery)
//
// Any number of replicas does so together. The repositories are divided into shards, each of which one replica leads, by a lease: it alone polls
// them, writes their states and recovers them. Every replica sees all states, and can answer for them.
package watch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"
	"golang.org/x/sync/errgroup"

	"github.com/neuron7x/mlsdm-integrations/internal/bus"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/lease"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/pace"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/policy"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/tracker"
)

// DefaultSettle is how long what a webhook tells waits for what may have ended before it.
const DefaultSettle = 5 * time.Second

// DefaultGrace is how much longer than it has to a sighting waits for the poll that it caused.
const DefaultGrace = 20 * time.Second

// clockSlack is how far a forge's clock may be ahead.
const clockSlack = time.Minute

// Config says what is watched and how.
type Config struct {
	// Forges are those that are asked, by their names.
	Forges []Forge
	// Repositories are those that are wanted.
	Repositories []Wanted
	// Rules say how runs are watched.
	Rules policy.Rules
	// Pace says how often repositories are polled.
	Pace pace.Config
	// Settle is how long what a webhook tells waits for what may have ended before it; negative is not at all, 0 is [DefaultSettle].
	Settle time.Duration
	// Grace is how much longer than that it waits for the poll that it caused, which knows better; 0 is [DefaultGrace].
	Grace time.Duration
	// LeaseTTL is how long a replica that has died is waited for; 0 is [lease.DefaultTTL].
	LeaseTTL time.Duration
	// Drain is how long work may go on after the stop.
	Drain time.Duration
	// Version is that of the program, for who is posted to.
	Version string
	// Tracer makes spans of polls and recoveries; nil makes none.
	Tracer trace.TracerProvider
}

// Forge is a forge, and how it is known what happens there.
type Forge struct {
	forge.Forge
	// Silent says that it is never asked: only its webhooks tell.
	Silent bool
}

// Watch is a replica's part in watching. Make one with [New].
type Watch struct {
	cfg          Config
	bus          *bus.Bus
	log          *slog.Logger
	metrics      *metrics
	forges       map[string]Forge
	plans        map[string]*plan
	repositories *repositories
	branches     *branches
	poster       *poster
	spans        *spans
	started      time.Time // what ended before is history to a workflow that was never seen

	kv   *bus.KV // these are there once Run has begun
	view *view

	begun chan struct{} // closed when they are

	leastStale time.Duration // of all rules

	mu      sync.Mutex
	leaders [events.CIShards]*leader
	leases  *lease.Leases

	unlisted map[string]error // by owner, why its repositories are not known

	planning sync.Mutex // held while plans are made, so that a later one is never replaced by an earlier one
}

// New returns a replica that does not watch yet.
func New(cfg Config, b *bus.Bus, log *slog.Logger, registry prometheus.Registerer) (*Watch, error) {
	switch {
	case cfg.Settle == 0:
		cfg.Settle = DefaultSettle
	case cfg.Settle < 0:
		cfg.Settle = 0
	}
	cfg.Grace = cmp.Or(cfg.Grace, DefaultGrace)
	w := &Watch{
		cfg: cfg, bus: b, log: log, forges: map[string]Forge{}, plans: map[string]*plan{}, repositories: newRepositories(cfg.Repositories),
		branches: &branches{known: map[string]branch{}}, poster: newPoster(cfg.Version), spans: newSpans(cfg.Tracer), started: time.Now().Add(-clockSlack), begun: make(chan struct{}),
		leastStale: leastStaleOf(cfg.Rules), unlisted: map[string]error{},
	}
	for _, f := range cfg.Forges {
		if _, twice := w.forges[f.Name()]; twice {
			return nil, fmt.Errorf("there are two forges %q; each needs a name of its own", f.Name())
		}
		w.forges[f.Name()] = f
		if !f.Silent {
			w.plans[f.Name()] = newPlan(f, cfg.Pace)
		}
	}
	for _, wanted := range cfg.Repositories {
		if _, ok := w.forges[wanted.Forge]; !ok {
			return nil, fmt.Errorf("the repository %s is to be watched in the forge %q, which is none of the forges", wanted.Name, wanted.Forge)
		}
	}
	var err error
	w.metrics, err = newMetrics(registry, w)
	return w, err
}

// Run watches until ctx ends.
func (w *Watch) Run(ctx context.Context) error {
	if len(w.cfg.Repositories) == 0 {
		<-ctx.Done()
		return nil
	}
	if err := w.open(ctx); err != nil {
		if ctx.Err() != nil {
			return nil //nolint:nilerr // stopped before it began
		}
		return err
	}
	group, running := errgroup.WithContext(ctx)
	group.Go(func() error { return w.view.run(running) })
	group.Go(func() error {
		select {
		case <-w.view.ready: // before, nobody knows what is new
		case <-running.Done():
			return nil
		}
		return w.leases.Run(running, w.lead)
	})
	group.Go(func() error { return w.list(running) })
	group.Go(func() error { return w.tellQuotas(running) })
	for _, p := range w.plans {
		group.Go(func() error { return p.run(running, w.pollOne) })
	}
	return group.Wait()
}

// open opens the buckets.
func (w *Watch) open(ctx context.Context) error {
	kv, err := w.bus.KV(ctx, events.BucketCI)
	if err != nil {
		return err
	}
	leases, err := w.bus.KV(ctx, events.BucketCILeases)
	if err != nil {
		return err
	}
	w.mu.Lock()
	w.leases = lease.New(leases, lease.Config{Shards: events.CIShards, Name: w.bus.Name(), TTL: w.cfg.LeaseTTL, Logger: w.log})
	w.mu.Unlock()
	w.kv, w.view = kv, newView(kv, w.log)
	close(w.begun)
	return nil
}

// replace makes l the leader of a shard; nil is nobody here.
func (w *Watch) replace(shard int, l *leader) {
	w.mu.Lock()
	w.leaders[shard] = l
	w.mu.Unlock()
	w.replan()
}

// leaderOf returns who leads a repository here, or nil.
func (w *Watch) leaderOf(r Repository) *leader {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.leaders[r.Shard()]
}

// leads reports whether this replica leads a shard.
func (w *Watch) leads(shard int) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.leaders[shard] != nil
}

// replan makes the plans those of the repositories that this replica leads.
func (w *Watch) replan() {
	w.planning.Lock()
	defer w.planning.Unlock()
	lists := map[string][]Repository{}
	for _, r := range w.repositories.all() {
		if w.leaderOf(r) != nil {
			lists[r.Forge] = append(lists[r.Forge], r)
		}
	}
	now := time.Now()
	for name, p := range w.plans {
		p.watch(lists[name], now)
	}
}

// touch has a repository polled at a time, at the latest.
func (w *Watch) touch(r Repository, at time.Time) {
	p := w.plans[r.Forge]
	if p == nil {
		return
	}
	if w.repositories.add(r) { // it was matched by a pattern, and is new
		w.replan()
	}
	p.touch(r, at)
}

// Watches reports whether a repository of a forge is watched.
func (w *Watch) Watches(forgeName, repository string) bool {
	return w.watches(Repository{Forge: forgeName, Name: repository})
}

// watches reports whether r is watched.
func (w *Watch) watches(r Repository) bool { return w.repositories.watches(r) }

// pollable reports whether a repository can be asked about.
func (w *Watch) pollable(r Repository) bool { return w.plans[r.Forge] != nil }

// ruleOf returns the rule of a state; ok is false when it is not watched any more.
func (w *Watch) ruleOf(s tracker.State) (policy.Rule, bool) {
	run := forge.Run{
		Repository: s.Repository, WorkflowID: s.WorkflowID, Workflow: s.Workflow, File: s.File, Branch: s.Branch, PullRequest: s.PullRequests,
	}
	switch { // what started the runs, of which the rule may make something
	case len(s.Pending) > 0:
		run.Event = s.Pending[len(s.Pending)-1].Run.Event
	case s.LastRun != nil:
		run.Event = s.LastRun.Event
	}
	return w.cfg.Rules.For(s.Forge, run, w.view.record(Repository{Forge: s.Forge, Name: s.Repository}.recordKey()).Branch)
}

// errNotBegun says that nothing is known yet.
var errNotBegun = errors.New("ciwatch has not read its bucket yet")

// wait returns the view when it is complete, which it soon is after the start.
func (w *Watch) wait(ctx context.Context) (*view, error) {
	select {
	case <-w.begun:
	case <-ctx.Done():
		return nil, events.Errorf(events.CodeUnavailable, "%w", errNotBegun)
	}
	select {
	case <-w.view.ready:
		return w.view, nil
	case <-ctx.Done():
		return nil, events.Errorf(events.CodeUnavailable, "%w", errNotBegun)
	}
}

// seen returns the view if it is complete.
func (w *Watch) seen() (*view, error) {
	select {
	case <-w.begun:
	default:
		return nil, events.Errorf(events.CodeUnavailable, "%w", errNotBegun)
	}
	select {
	case <-w.view.ready:
		return w.view, nil
	default:
		return nil, events.Errorf(events.CodeUnavailable, "%w", errNotBegun)
	}
}
