// Package health answers whether a process lives, whether it is ready for work, and what stands in its way.
package health

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"
)

// The bounds of a check: how long it may take before it counts as failed, and how many of its runs may overlap.
const (
	checkTimeout = 2 * time.Second
	maxRuns      = 4
)

// Check returns nil if what it looks at is usable, an error made by [Degraded] if work goes on without it, and any other
// error if there is no work without it. It must return when ctx ends.
type Check func(ctx context.Context) error

// Checks are the checks of a process, by name. It is safe for concurrent use. Make one with [NewChecks].
type Checks struct {
	*registry

	prefix string
}

// registry is what a [Checks] shares with those made of it by [Checks.Sub].
type registry struct {
	mu       sync.Mutex
	checks   map[string]*entry
	stopping bool
}

// entry is one check; running has an element for each of its runs.
type entry struct {
	check   Check
	running chan struct{}
}

// NewChecks returns an empty set of checks: ready, until one is registered that fails.
func NewChecks() *Checks {
	return &Checks{registry: &registry{checks: map[string]*entry{}}}
}

// Sub returns the same checks for one of several parts of a process: what is registered there has name and a slash
// before its own name.
func (c *Checks) Sub(name string) *Checks {
	return &Checks{registry: c.registry, prefix: c.prefix + name + "/"}
}

// Register adds a check, or puts it in the place of the one that had its name.
func (c *Checks) Register(name string, check Check) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.checks[c.prefix+name] = &entry{check: check, running: make(chan struct{}, maxRuns)}
}

// Stop makes the process not ready, for good. It is the first thing to do on the way down.
func (c *Checks) Stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stopping = true
}

// Status is the outcome of a check, or of all of them.
type Status string

// The outcomes of a single check are [StatusOK], [StatusDegraded] and [StatusFailed]; those of all together are [StatusReady],
// [StatusDegraded] and [StatusNotReady].
const (
	StatusOK       Status = "ok"
	StatusDegraded Status = "degraded"
	StatusFailed   Status = "failed"
	StatusReady    Status = "ready"
	StatusNotReady Status = "not_ready"
)

// Result is the outcome of one check.
type Result struct {
	Status  Status `json:"status"`
	Message string `json:"message,omitempty"` // what is wrong
}

// Report is the outcome of all checks.
type Report struct {
	Status Status            `json:"status"`
	Checks map[string]Result `json:"checks"`
}

// shutdownCheck is the name under which a report says that the process is on its way down.
const shutdownCheck = "shutdown"

// Run runs all checks at the same time, each for two seconds at most, and reports what they say.
func (c *Checks) Run(ctx context.Context) Report {
	c.mu.Lock()
	entries, stopping := maps.Clone(c.checks), c.stopping
	c.mu.Unlock()

	report := Report{Status: StatusReady, Checks: make(map[string]Result, len(entries))}
	if stopping {
		report.add(shutdownCheck, errors.New("the process is shutting down"))
	}
	type outcome struct {
		name string
		err  error
	}
	outcomes := make(chan outcome, len(entries))
	for name, e := range entries {
		go func() { outcomes <- outcome{name, e.run(ctx)} }()
	}
	for range entries {
		o := <-outcomes
		report.add(o.name, o.err)
	}
	return report
}

// run runs the check, unless too many of its runs have not come back: a check that does not return, though it should,
// must not cost one goroutine more with every probe.
func (e *entry) run(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	select {
	case e.running <- struct{}{}:
	case <-ctx.Done():
		return errors.New("earlier runs of this check have not come back")
	}
	done := make(chan error, 1)
	go func() {
		done <- e.check(ctx)
		<-e.running
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("no answer within %s", checkTimeout)
	}
}

func (r *Report) add(name string, err error) {
	var degraded *degradedError
	switch {
	case err == nil:
		r.Checks[name] = Result{Status: StatusOK}
	case errors.As(err, &degraded):
		r.Checks[name] = Result{Status: StatusDegraded, Message: err.Error()}
		if r.Status == StatusReady {
			r.Status = StatusDegraded
		}
	default:
		r.Checks[name] = Result{Status: StatusFailed, Message: err.Error()}
		r.Status = StatusNotReady
	}
}

// Degraded returns an error for a [Check] whose subject does not work as it should while the process works without it.
// The arguments are those of [fmt.Errorf].
func Degraded(format string, args ...any) error {
	return &degradedError{err: fmt.Errorf(format, args...)}
}

type degradedError struct{ err error }

func (e *degradedError) Error() string { return e.err.Error() }
func (e *degradedError) Unwrap() error { return e.err }
