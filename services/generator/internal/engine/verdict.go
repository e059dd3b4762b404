package engine

import (
	"fmt"
	"time"

	"github.com/neuron7x/mlsdm-integrations/internal/llm"
	"github.com/neuron7x/mlsdm-integrations/internal/llm/keyring"
	"github.com/neuron7x/mlsdm-integrations/pkg/events"
	"github.com/neuron7x/mlsdm-integrations/services/generator/internal/route"
)

// verdict is what a caller is told when no target has answered: of all failures the most telling one.
type verdict struct {
	err  *events.Error
	rank int
	// hopeless are the targets, by number, that will not do any better at another time.
	hopeless uint64
	// gated are those that the gate keeps from being asked, and opens is when it lets the first of them.
	gated uint64
	opens time.Time
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

// failed takes note of an attempt at a target that has failed. Of those that cannot, the first counts; of others, the last.
func (v *verdict) failed(number int, f *llm.Fault) {
	rank := rankOf(f)
	if rank > v.rank || rank == v.rank && rank != rankCannot {
		v.err, v.rank = f.Err, rank
	}
	if rank == rankCannot || f.Class == llm.ClassAnswer {
		v.hopeless |= 1 << number
	}
}

// blocked takes note of a target that rests. It tells less than one that was asked.
func (v *verdict) blocked(b *keyring.Blocked) {
	if b.Fault.Err == nil {
		return
	}
	if rank := rankOf(&b.Fault); rank > v.rank {
		v.err, v.rank = b.Fault.Err, rank
	}
}

// limited takes note of a target that the gate keeps from being asked.
func (v *verdict) limited(number int, err *events.Error, now time.Time) {
	v.failed(number, &llm.Fault{Class: llm.ClassLimit, Err: err})
	if !err.Retryable { // it is more than the limit has at all
		v.hopeless |= 1 << number
		return
	}
	v.gated |= 1 << number
	if opens := now.Add(err.RetryAfter); v.opens.IsZero() || opens.Before(v.opens) {
		v.opens = opens
	}
}

// missing takes note of a target whose provider is not there.
func (v *verdict) missing(number int, t route.Target) {
	e := events.Errorf(events.CodeNotFound, "there is no provider %q", t.Provider)
	v.failed(number, &llm.Fault{Class: llm.ClassModel, Err: e})
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
	e.RetryAfter = 0
	if e.Retryable {
		e.RetryAfter = r.soonest(time.Now())
	}
	return &e
}

// soonest is the time until the first target can be asked again; 0 if one can be now, or nobody knows.
func (r *run) soonest(now time.Time) time.Duration {
	var soonest time.Time
	for i, t := range r.targets {
		var at time.Time
		switch {
		case r.verdict.hopeless&(1<<i) != 0:
			continue
		case r.verdict.gated&(1<<i) != 0:
			at = r.verdict.opens
		default:
			a := r.engine.providers[t.Provider].ring.Available(t.Model, now)
			if a.Available {
				return 0
			}
			at = a.Until
		}
		if !at.IsZero() && (soonest.IsZero() || at.Before(soonest)) {
			soonest = at
		}
	}
	if soonest.IsZero() {
		return 0
	}
	return max(soonest.Sub(now), 0)
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
