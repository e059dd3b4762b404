package engine

import (
	"context"
	"sync"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
)

// watch ends an attempt when a time has passed without a sign of life. Signs come far more often than times pass, so that they only
// take down a new end, which the timer looks at when it has run out.
type watch struct {
	cancel context.CancelCauseFunc
	slow   func(what string, limit time.Duration) *llm.Fault

	mu    sync.Mutex
	timer *time.Timer
	what  string // the provider did not do in time
	limit time.Duration
	due   time.Time // zero: nobody is waited for
	idle  bool      // the timer has run out while nobody was waited for
	fired bool
}

// start begins to watch.
func (w *watch) start(what string, limit time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.what, w.limit, w.due = what, limit, time.Now().Add(limit)
	w.timer = time.AfterFunc(limit, w.fire)
}

// fire looks whether the time has passed.
func (w *watch) fire() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.due.IsZero() {
		w.idle = true
		return
	}
	if rest := time.Until(w.due); rest > 0 {
		w.timer.Reset(rest)
		return
	}
	w.fired = true
	w.cancel(w.slow(w.what, w.limit))
}

// rest stops watching for a while, unless it is too late.
func (w *watch) rest() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.due = time.Time{}
	return !w.fired
}

// next goes on watching, for another reason.
func (w *watch) next(what string, limit time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	other := w.what != what
	w.what, w.limit, w.due = what, limit, time.Now().Add(limit)
	if w.idle || other {
		w.idle = false
		w.timer.Reset(limit)
	}
}

// alive notes a sign of life, if what is waited for is one.
func (w *watch) alive(what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.due.IsZero() && w.what == what {
		w.due = time.Now().Add(w.limit)
	}
}

// stop ends watching.
func (w *watch) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.due = time.Time{}
	w.timer.Stop()
}
