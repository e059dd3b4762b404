// Package lifecycle starts a process, stops it in order, and never takes longer over that than it may.
//
// A stop begins when the context ends (a signal, see [WithSignals]), when main returns, or when something started with
// [Runtime.Go] fails. Then main's context is cancelled and main is given time to drain; after that, what was registered
// with [Runtime.OnStop] is stopped, the latest first. One budget of time covers all of it.
package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// grace is how much longer than the budget a part gets that stops because its context has ended.
const grace = 500 * time.Millisecond

var (
	errFinished = errors.New("finished")
	errFailed   = errors.New("failed")
	errTooSlow  = errors.New("did not stop in time")
)

// Run calls main and stays until everything has stopped. main should return nil when its context ends, and may drain
// before it does; [context.Canceled] counts as nil then. A main that has not returned when budget is over is given up
// on, what is left is told to stop at once, and the error says so. Run returns the errors of main and, with their
// names, of [Runtime.Go] and [Runtime.OnStop], joined.
func Run(ctx context.Context, log *slog.Logger, budget time.Duration, main func(context.Context, *Runtime) error) error {
	life, end := context.WithCancelCause(ctx)
	defer end(nil)
	rt := &Runtime{ctx: life, end: end}

	returned := make(chan error, 1)
	go func() {
		err := rt.stopped(main(life, rt))
		returned <- err
		if err != nil {
			end(errFailed) // not err itself: it is for the caller to log
		}
		end(errFinished)
	}()
	<-life.Done()
	log.InfoContext(ctx, "stopping", "reason", context.Cause(life).Error(), "budget", budget)

	// What ctx carries stays with it; its end does not, for stopping takes place after that.
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), budget)
	defer cancel()
	rt.fail("", await(stopping, returned))
	for part, ok := rt.next(); ok; part, ok = rt.next() {
		log.DebugContext(ctx, "stopping a part", "part", part.name)
		rt.fail("stop "+part.name, await(stopping, start(func() error { return part.stop(stopping) })))
	}
	for _, w := range rt.works() {
		rt.fail(w.name, await(stopping, w.done))
	}
	return rt.err()
}

// Runtime is what a running process registers its parts with. It is safe for concurrent use.
type Runtime struct {
	ctx context.Context
	end context.CancelCauseFunc

	mu    sync.Mutex
	parts []part
	work  []work
	errs  []error
}

// part is something to stop.
type part struct {
	name string
	stop func(ctx context.Context) error
}

// work is what runs beside main; done gives its end.
type work struct {
	name string
	done <-chan error
}

// OnStop registers how a part is stopped, right after it was started: parts stop in the opposite order, after main has
// returned. The context that stop gets ends with the budget; stop must return then.
func (rt *Runtime) OnStop(name string, stop func(ctx context.Context) error) {
	rt.mu.Lock()
	defer rt.mu.Unlock()
	rt.parts = append(rt.parts, part{name: name, stop: stop})
}

// Go runs something beside main. If it fails, everything is stopped. Its context ends when the stop begins; what must
// go on until a later step of the stop ends by a function registered with [Runtime.OnStop] instead.
func (rt *Runtime) Go(name string, run func(ctx context.Context) error) {
	rt.mu.Lock()
	defer rt.mu.Unlock()
	rt.work = append(rt.work, work{name: name, done: start(func() error {
		err := rt.stopped(run(rt.ctx))
		if err != nil {
			rt.end(fmt.Errorf("%s: %w", name, err))
		}
		return err
	})})
}

// stopped returns err, or nil if err says no more than that the context has ended, which whoever ended it knows.
func (rt *Runtime) stopped(err error) error {
	if rt.ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// fail keeps an error for the end; nil is none.
func (rt *Runtime) fail(name string, err error) {
	if err == nil {
		return
	}
	if name != "" {
		err = fmt.Errorf("%s: %w", name, err)
	}
	rt.mu.Lock()
	defer rt.mu.Unlock()
	rt.errs = append(rt.errs, err)
}

// next takes the part that was registered last.
func (rt *Runtime) next() (part, bool) {
	rt.mu.Lock()
	defer rt.mu.Unlock()
	last := len(rt.parts) - 1
	if last < 0 {
		return part{}, false
	}
	p := rt.parts[last]
	rt.parts = rt.parts[:last]
	return p, true
}

func (rt *Runtime) works() []work {
	rt.mu.Lock()
	defer rt.mu.Unlock()
	return slices.Clone(rt.work)
}

func (rt *Runtime) err() error {
	rt.mu.Lock()
	defer rt.mu.Unlock()
	return errors.Join(rt.errs...)
}

// start runs f and hands out what it returns.
func start(f func() error) <-chan error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	return done
}

// await waits for done until a little after ctx has ended.
func await(ctx context.Context, done <-chan error) error {
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	late := time.NewTimer(grace)
	defer late.Stop()
	select {
	case err := <-done:
		return err
	case <-late.C:
		return errTooSlow
	}
}
