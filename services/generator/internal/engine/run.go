package engine

import (
	"context"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/genai"
	"github.com/neuron7x/mlsdm-integrations/internal/retry"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/generator/internal/route"
)

// run is one request.
type run struct {
	Result

	engine *Engine
	ask    Ask
	begin  time.Time
	last   time.Time // when the last attempt ended

	targets []route.Target
	// done are the targets, by number, that are not asked again in this request.
	done    uint64
	verdict verdict

	room  [1]Tried // most requests need no more
	order [1]route.Target
	call  llm.Call
	chat  genai.Chat // the attempt that is under way
}

// step is what follows an attempt.
type step int

const (
	again  step = iota // the same target, with whatever key there is
	next               // another target
	finish             // nothing
)

// do asks the targets in order. Those that could not be asked because of a limit are asked in another round, after it.
func (r *run) do(ctx context.Context) error {
	r.targets = r.ask.Route.Order(r.order[:0], r.engine.cfg.Random)
	for waits := 0; ; waits++ {
		var free time.Time // when a limit ends
		for i := range r.targets {
			if r.done&(1<<i) != 0 {
				continue
			}
			until, s, err := r.target(ctx, i)
			if s == finish {
				return err
			}
			if !until.IsZero() && (free.IsZero() || until.Before(free)) {
				free = until
			}
		}
		if free.IsZero() || waits == maxWaits || !retry.Await(ctx, free, r.engine.cfg.MaxWait, r.engine.cfg.Random) {
			break
		}
	}
	if ctx.Err() != nil {
		return r.gone(ctx)
	}
	return r.failure()
}

// target asks one target until it has answered, or it is of no use to go on. until is when a limit ends that keeps it from being
// asked; zero when nothing is to be waited for.
func (r *run) target(ctx context.Context, i int) (until time.Time, s step, err error) {
	r.Target = r.targets[i]
	p := r.engine.providers[r.Target.Provider]
	if p == nil {
		r.done |= 1 << i
		r.verdict.missing(i, r.Target)
		return time.Time{}, next, nil
	}
	a := attempts{run: r, provider: p, number: i, use: p.ring.Use()}
	for {
		if ctx.Err() != nil {
			return time.Time{}, finish, r.gone(ctx)
		}
		t, why := a.use.Take(r.Target.Model, time.Now())
		if why != nil {
			r.verdict.blocked(why)
			r.Skipped++
			if why.Waits {
				return why.Until, next, nil
			}
			r.done |= 1 << i
			return time.Time{}, next, nil
		}
		if s, err = a.once(ctx, &t); s == again && len(r.Attempts) < maxAttempts {
			continue
		}
		if s != finish {
			r.done |= 1 << i
		}
		return time.Time{}, s, err
	}
}

// more reports whether there are targets after the one of this number that can still be asked.
func (r *run) more(number int) bool {
	left := ^r.done & (1<<len(r.targets) - 1)
	return left&^(1<<number) != 0
}

// left is the time until the deadline, and whether there is one.
func left(ctx context.Context) (time.Duration, bool) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return 0, false
	}
	return time.Until(deadline), true
}

// gone is the error of a request whose caller is gone, or has no time left.
func (r *run) gone(ctx context.Context) error {
	e := *events.AsError(context.Cause(ctx))
	e.Message += r.verdict.tried(r)
	return &e
}
