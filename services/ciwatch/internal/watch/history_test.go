package watch_test

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/fakegithub"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge/github"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/tracker"
)

// happening is an attempt that ends.
type happening struct {
	run        int // which run of the history; one that was there before is started again
	conclusion string
}

// history is twelve of them: an alarm and its end, two runs that are started again, conclusions that say nothing, and a streak that lasts.
func history() []happening {
	return []happening{
		{1, "success"},
		{2, "failure"},
		{3, "cancelled"},
		{4, "timed_out"},
		{4, "failure"},
		{5, "failure"},
		{6, "success"},
		{7, "failure"},
		{7, "success"},
		{8, "skipped"},
		{9, "failure"},
		{10, "startup_failure"},
	}
}

// attempt is one that has ended.
type attempt struct {
	run  fakegithub.Run
	hook webhook
}

// past is a history that takes place in a repository.
type past struct {
	repository string
	since      time.Time
	ids        map[int]int64
	attempts   []attempt
}

// errNoRun is that a run is to be started again that is not there.
var errNoRun = errors.New("there is no such run")

// next has the next attempt end.
func (w *world) next(p *past, what happening) (attempt, error) {
	w.writing.Lock()
	defer w.writing.Unlock()
	at := p.since.Add(time.Duration(len(p.attempts)) * 3 * time.Second)
	w.clock.Store(&at)
	defer w.clock.Store(nil)
	var run fakegithub.Run
	ok := true
	if id, again := p.ids[what.run]; again {
		run, ok = w.fake.Rerun(id, what.conclusion)
	} else {
		run = w.fake.AddRunTo(p.repository, what.conclusion)
	}
	if !ok {
		return attempt{}, errNoRun
	}
	header, body, err := w.fake.Webhook(run, key)
	if err != nil {
		return attempt{}, err
	}
	p.ids[what.run] = run.ID
	p.attempts = append(p.attempts, attempt{run: run, hook: webhook{header: header, body: body}})
	return p.attempts[len(p.attempts)-1], nil
}

// isLast reports whether an attempt is the latest of its run.
func (p *past) isLast(i int) bool {
	for _, later := range p.attempts[i+1:] {
		if later.run.ID == p.attempts[i].run.ID {
			return false
		}
	}
	return true
}

// curtain keeps from who watches what is listed, until it is drawn: as if the list were not up to date.
type curtain struct {
	forge.Forge

	drawn atomic.Bool
}

// Runs implements [forge.Forge].
func (c *curtain) Runs(ctx context.Context, q forge.Query) (forge.Page, error) {
	page, err := c.Forge.Runs(ctx, q)
	if !c.drawn.Load() {
		return forge.Page{}, err
	}
	return page, err
}

// expect is what comes of a history that is heard of in its order, each attempt once and at once.
func (w *world) expect(t *testing.T, f forge.Forge, p *past, rules tracker.Rules) (tracker.State, []tracker.Event) {
	t.Helper()
	page, err := f.Runs(t.Context(), forge.Query{Repository: p.repository})
	require.NoError(t, err)
	var s tracker.State
	var all []tracker.Event
	for i, a := range p.attempts {
		told, err := github.Sightings("workflow_run", a.hook.body)
		require.NoError(t, err)
		run := *told[0].Run
		for _, listed := range page.Runs {
			if listed.ID == run.ID && listed.Attempt == run.Attempt {
				run = listed
			}
		}
		if i == 0 {
			s = tracker.New(tracker.Identity{
				Forge: f.Name(), Repository: p.repository, WorkflowID: run.WorkflowID, Workflow: run.Workflow, File: run.File, Branch: run.Branch,
			})
		}
		s = s.Listed([]forge.Run{run}, p.since.Add(time.Hour))
		for _, wanting := range s.Wanting() {
			jobs, err := f.Jobs(t.Context(), wanting)
			require.NoError(t, err)
			s = s.NoteJobs(wanting, jobs)
		}
		var out []tracker.Event
		s, out = s.Begin(p.since, rules).Advance(rules, p.since.Add(time.Hour), p.since.Add(time.Hour))
		all = append(all, out...)
	}
	return s, all
}

// stored is the state of a repository's only workflow, as it is stored, but for the fence; nil while there is none.
func (w *world) stored(ctx context.Context, repository string) *tracker.State {
	value, _, err := w.kv.Get(ctx, "state.github."+repository+".52104.branch.main")
	if err != nil {
		return nil
	}
	s, err := tracker.Decode(value)
	if err != nil {
		return nil
	}
	s.Fence = 0
	return &s
}

// knows reports whether an attempt was taken in.
func (w *world) knows(ctx context.Context, p *past, a attempt) bool {
	s := w.stored(ctx, p.repository)
	run := forge.Run{ID: a.run.ID, Attempt: a.run.Attempt, Number: a.run.Number}
	return s != nil && (s.Begun && s.Seen(run) || slices.ContainsFunc(s.Pending, func(n tracker.Noted) bool {
		return n.Run.ID == run.ID && n.Run.Attempt == run.Attempt
	}))
}

// waiting is how many sightings are stored and not taken in.
func (w *world) waiting(t *testing.T) uint64 {
	t.Helper()
	_, _, count := w.extent("MLSDM_SIGHTINGS")
	return count
}
