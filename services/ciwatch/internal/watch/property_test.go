package watch_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/forge"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/tracker"
	"github.com/neuron7x/mlsdm-integrations/services/ciwatch/internal/watch"
)

const (
	// shuffled is how many orders are tried in which all is delivered before GitHub lists any of it, and mingled how many with polls in between:
	// a sample, for they go through the whole service. The tracker's own tests are for the rest.
	shuffled = 240
	mingled  = 60
	// never is so long that what a webhook told waits for a poll, however slow the machine.
	never = time.Hour
	// at is how many are at work at a time.
	at = 16
)

// Whatever the order in which webhooks come, however often, and if some are lost, what is stored and told is that of the history.
func TestAnyOrder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	behind := &curtain{Forge: w.github(t)}
	cfg := w.config(t, "acme/*")
	cfg.Forges, cfg.Grace = []watch.Forge{{Forge: behind}}, never
	r := w.run(t, cfg)
	since := time.Now().Truncate(time.Second)
	pasts := make([]*past, shuffled)
	for i := range pasts {
		pasts[i] = &past{repository: fmt.Sprintf("acme/shuffled-%03d", i), since: since, ids: map[int]int64{}}
		for _, what := range history() {
			_, err := w.next(pasts[i], what)
			require.NoError(t, err)
		}
	}
	together(t, pasts, func(ctx context.Context, i int, p *past) error {
		return r.deliver(ctx, p.shuffle(rand.New(rand.NewPCG(uint64(i), 1)))...)
	})
	eventually(t, func() bool { return w.waiting(t) == 0 }, "all sightings are taken in")
	behind.drawn.Store(true)
	together(t, pasts, func(ctx context.Context, _ int, p *past) error { return r.check(ctx, p.repository) })
	w.requireHistory(t, behind, pasts, cfg.Rules[0].Tracker())
}

// shuffle returns the webhooks of a history in some order: some of them twice, and without some that a poll tells as well.
func (p *past) shuffle(random *rand.Rand) []webhook {
	var hooks []webhook
	for i, a := range p.attempts {
		if p.isLast(i) && random.IntN(4) == 0 {
			continue // it is lost
		}
		hooks = append(hooks, a.hook)
		switch random.IntN(6) {
		case 0:
			hooks = append(hooks, a.hook) // by a proxy that did not hear the answer
		case 1:
			hooks = append(hooks, a.hook.again(1)) // by a person
		}
	}
	random.Shuffle(len(hooks), func(i, j int) { hooks[i], hooks[j] = hooks[j], hooks[i] })
	return hooks
}

// The same with polls in between, at any time.
func TestAnyOrderBetweenPolls(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	cfg := w.config(t, "acme/*")
	cfg.Grace = never
	r := w.run(t, cfg)
	since := time.Now().Truncate(time.Second)
	pasts := make([]*past, mingled)
	for i := range pasts {
		pasts[i] = &past{repository: fmt.Sprintf("acme/mingled-%03d", i), since: since, ids: map[int]int64{}}
	}
	together(t, pasts, func(ctx context.Context, i int, p *past) error {
		return w.mingle(ctx, r, p, rand.New(rand.NewPCG(uint64(i), 2)))
	})
	eventually(t, func() bool { return w.waiting(t) == 0 }, "all sightings are taken in")
	together(t, pasts, func(ctx context.Context, _ int, p *past) error { return r.check(ctx, p.repository) })
	w.requireHistory(t, cfg.Forges[0], pasts, cfg.Rules[0].Tracker())
}

// mingle has a history take place, with webhooks that come late, twice or never, and polls.
func (w *world) mingle(ctx context.Context, r *replica, p *past, random *rand.Rand) error {
	var late []webhook
	heard := false
	for _, what := range history() {
		if _, again := p.ids[what.run]; again { // by somebody who has seen how it ended, as we have by then
			last := p.attempts[len(p.attempts)-1]
			if err := errors.Join(r.deliver(ctx, last.hook), until(ctx, func() bool { return w.knows(ctx, p, last) })); err != nil {
				return err
			}
			heard = true
		}
		a, err := w.next(p, what)
		if err != nil {
			return err
		}
		late = append(late, a.hook)
		random.Shuffle(len(late), func(i, j int) { late[i], late[j] = late[j], late[i] })
		for len(late) > 0 && random.IntN(3) > 0 {
			hook := late[0]
			switch late = late[1:]; random.IntN(6) {
			case 0: // it is lost
			case 1:
				err = r.deliver(ctx, hook, hook.again(1), hook)
			default:
				err = r.deliver(ctx, hook)
			}
			if err != nil {
				return err
			}
		}
		if heard && random.IntN(4) == 0 {
			if err := r.check(ctx, p.repository); err != nil {
				return err
			}
		}
	}
	if random.IntN(2) == 0 {
		return r.deliver(ctx, late...)
	}
	return nil
}

// requireHistory requires that what is stored and told of each past is what comes of it.
func (w *world) requireHistory(t *testing.T, f forge.Forge, pasts []*past, rules tracker.Rules) {
	t.Helper()
	told := map[string][]string{}
	for _, ev := range w.events(t, "") {
		told[ev.Subject] = append(told[ev.Subject], ev.Type+" "+ev.ID)
	}
	for _, p := range pasts {
		state, out := w.expect(t, f, p, rules)
		got := w.stored(t.Context(), p.repository)
		require.NotNil(t, got, p.repository)
		if got.Failed != nil {
			got.Failed.Trace = "" // each webhook is of a trace of its own
		}
		want, err := state.Encode()
		require.NoError(t, err)
		encoded, err := got.Encode()
		require.NoError(t, err)
		require.JSONEq(t, string(want), string(encoded), p.repository)
		var ids []string
		for _, ev := range out {
			ids = append(ids, ev.Payload.EventType()+" "+ev.ID)
		}
		require.Equal(t, ids, told[p.repository], p.repository)
	}
	t.Logf("%d histories of %d attempts; of each, %v", len(pasts), len(history()), w.types(t, pasts[0].repository))
}

// together does something with each past, some at a time.
func together(t *testing.T, pasts []*past, do func(ctx context.Context, i int, p *past) error) {
	t.Helper()
	group, ctx := errgroup.WithContext(t.Context())
	group.SetLimit(at)
	for i, p := range pasts {
		group.Go(func() error {
			if err := do(ctx, i, p); err != nil {
				return fmt.Errorf("%s: %w", p.repository, err)
			}
			return nil
		})
	}
	require.NoError(t, group.Wait())
}
