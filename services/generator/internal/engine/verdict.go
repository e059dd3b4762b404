package engine

import (
	"fmt"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/generator/internal/route"
)

// verdict is what a caller is told when no target has answered: of all failures the most telling one, and the soonest time at which
// any of the targets can be asked again.
type verdict struct {
	err  *events.Error
	rank int
	soon time.Time
}

// Ranks of failures: what may pass goes before what needs an operator, and that before what a target cannot do at all.
const (
	rankCannot = iota + 1
	rankOperator
	rankPasses
)

// rankOf is the rank of a failure.
func rankOf(f *llm.Fault) int {
	switch {
	case f.Class == llm.ClassUnsupported || f.Class == llm.ClassModel:
		return rankCannot
	case f.Err.Retryable:
		return rankPasses
	default:
		return rankOperator
	}
}

// failed takes note of an attempt that has failed. Of those that cannot, the first counts; of others, the last.
func (v *verdict) failed(f *llm.Fault, now time.Time) {
	if rank := rankOf(f); rank > v.rank || rank == v.rank && rank != rankCannot {
		v.err, v.rank = f.Err, rank
	}
	switch {
	case !f.Until.IsZero():
		v.sooner(f.Until)
	case f.Err.Retryable && f.Err.RetryAfter > 0:
		v.sooner(now.Add(f.Err.RetryAfter))
	}
}

// blocked takes note of a target that rests. It tells less than one that was asked.
func (v *verdict) blocked(b *blocked, now time.Time) {
	if b.fault.Err == nil {
		return
	}
	if rank := rankOf(&b.fault); rank > v.rank {
		v.err, v.rank = b.fault.Err, rank
	}
	if b.until.After(now) {
		v.sooner(b.until)
	}
}

// sooner takes note of when something can be asked again.
func (v *verdict) sooner(at time.Time) {
	if v.soon.IsZero() || at.Before(v.soon) {
		v.soon = at
	}
}

// missing takes note of a target whose provider is not there.
func (v *verdict) missing(t route.Target) {
	e := events.Errorf(events.CodeNotFound, "there is no provider %q", t.Provider)
	v.failed(&llm.Fault{Class: llm.ClassModel, Err: e}, time.Time{})
}

// ends is the error of a failure after which nothing is tried.
func (v *verdict) ends(r *run, f *llm.Fault) error {
	e := *f.Err
	e.Message += v.tried(r)
	return &e
}

// failure is the error of a request that no target has answered.
func (r *run) failure() error {
	v := &r.verdict
	if v.err == nil { // nothing was asked, and nobody has said why
		return events.Errorf(events.CodeUnavailable, "no model can be asked now")
	}
	e := *v.err
	e.Message += v.tried(r)
	if !e.Retryable {
		e.RetryAfter = 0
		return &e
	}
	if !v.soon.IsZero() {
		e.RetryAfter = max(time.Until(v.soon), 0)
	}
	return &e
}

// tried says in short words what was done, unless it was one attempt at the only target.
func (v *verdict) tried(r *run) string {
	asked := 0
	for i := range r.Attempts {
		first := true
		for j := range i {
			first = first && r.Attempts[j].Target.ID != r.Attempts[i].Target.ID
		}
		if first {
			asked++
		}
	}
	if len(r.targets) == 1 && len(r.Attempts) <= 1 || len(r.Attempts) == 0 && len(r.targets) == 0 {
		return ""
	}
	return fmt.Sprintf(" (%s, %d of %s asked)", count(len(r.Attempts), "attempt"), asked, count(len(r.targets), "model"))
}

// count is a number of things.
func count(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}
