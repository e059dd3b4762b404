package chaos

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
)

// healingTime is how long healing a fault may take; Docker is slow on a busy machine.
const healingTime = 2 * time.Minute

// Runner carries out plans.
type Runner struct {
	// Run runs commands; [Exec] does it here.
	Run Run
	// Log is given a [Line] of JSON for all that is done.
	Log io.Writer
}

// Carry carries out a plan, and returns when all of its faults are healed. When the context ends, no further fault is made, and all are
// healed at once; that is no error. Its lines are those of the log. Its error says what could not be injected or healed: a container may
// have ended by itself, so judge the errors by what is tested.
func (r *Runner) Carry(ctx context.Context, plan Plan) ([]Line, error) {
	log := &journal{to: r.Log}
	for i, p := range plan.Faults {
		log.add(Line{Event: EventPlanned, Seed: plan.Seed, Index: i, Planned: p})
	}
	var all sync.WaitGroup
	var mu sync.Mutex
	var failed []error
	start := time.Now()
	for i, p := range plan.Faults {
		if !wait(ctx, time.Until(start.Add(time.Duration(p.At)))) {
			break
		}
		all.Go(func() {
			err := r.make(ctx, log, Line{Seed: plan.Seed, Index: i, Planned: p})
			mu.Lock()
			defer mu.Unlock()
			failed = append(failed, err)
		})
	}
	all.Wait()
	return log.lines, errors.Join(append(failed, log.err)...)
}

// make makes a fault and heals it.
func (r *Runner) make(ctx context.Context, log *journal, of Line) error {
	began := time.Now()
	made, err := r.Inject(ctx, of.Fault)
	tell := func(event string, err error) {
		l := of
		l.Event, l.Took = event, Span(time.Since(began).Round(time.Millisecond))
		if err != nil {
			l.Error = err.Error()
		}
		log.add(l)
	}
	tell(EventInjected, err)
	if made == nil {
		return err
	}
	wait(ctx, time.Duration(of.Fault.For))
	began = time.Now()
	healed := made.Heal(context.WithoutCancel(ctx))
	tell(EventHealed, healed)
	return errors.Join(err, healed)
}

// Made is a fault that has been made.
type Made struct {
	fault Fault
	run   Run
	steps steps
	guard *guard
	held  io.Closer
}

// Inject makes a fault. If that fails halfway there is both an error and what there is to heal. Whoever calls it has to heal it; the end of
// the process does so, too.
func (r *Runner) Inject(ctx context.Context, f Fault) (*Made, error) {
	s, err := f.steps(ctx, r.Run)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f, err)
	}
	m := &Made{fault: f, run: r.Run, steps: s}
	if m.guard, err = watch(s.heal); err != nil {
		return nil, fmt.Errorf("%s: %w", f, err)
	}
	if s.hold != nil {
		if m.held, err = s.hold(); err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", f, err), m.guard.release())
		}
	}
	for _, command := range s.inject {
		if _, err := r.Run(ctx, command); err != nil {
			return m, fmt.Errorf("%s: %w", f, err)
		}
	}
	return m, nil
}

// Heal ends a fault. It does all that it can, and returns what it could not.
func (m *Made) Heal(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, healingTime)
	defer cancel()
	var failed []error
	for _, command := range m.steps.heal {
		if _, err := m.run(ctx, command); err != nil {
			failed = append(failed, err)
		}
	}
	if m.held != nil {
		failed = append(failed, m.held.Close())
	}
	failed = append(failed, m.guard.release())
	if err := errors.Join(failed...); err != nil {
		return fmt.Errorf("healing %s: %w", m.fault, err)
	}
	return nil
}

// wait waits, and reports whether the context has not ended meanwhile.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(max(d, 0))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return ctx.Err() == nil
	}
}
