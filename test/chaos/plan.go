package chaos

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// Choice is a fault that may be drawn: for one of Targets, each as likely as the others, and for a time from Least to Most.
type Choice struct {
	// Weight is how often it is drawn, beside the others; 0 is never.
	Weight int
	// Fault is what is drawn, without Target and For.
	Fault Fault
	// Targets are who it may befall. Path, Mates and Away come from With, if it is not nil.
	Targets []string
	With    func(f *Fault)
	// Least and Most bound For. Both are whole milliseconds.
	Least, Most time.Duration
}

// Menu is what faults are drawn from.
type Menu []Choice

// Plan says when what goes wrong.
type Plan struct {
	// Seed is what it was drawn by.
	Seed uint64
	// Faults are in the order of their times.
	Faults []Planned
}

// Planned is a fault and when it begins, from the start of the plan.
type Planned struct {
	At    Span  `json:"at"`
	Fault Fault `json:"fault"`
}

// NewPlan draws a fault every so often for so long. No fault befalls a container that has another then: the plan has a gap where none is
// left. None lasts longer than the plan.
func NewPlan(seed uint64, menu Menu, every, length time.Duration) (Plan, error) {
	if err := menu.check(); err != nil {
		return Plan{}, err
	}
	random := rand.New(rand.NewPCG(seed, 0))
	plan := Plan{Seed: seed}
	busy := map[string]time.Duration{} // until when
	for at := time.Duration(0); at < length; at += every {
		const tries = 20
		for range tries {
			f := menu.draw(random)
			f.For = Span(min(time.Duration(f.For), length-at))
			if !free(f, busy, at) {
				continue
			}
			for _, name := range f.touches() {
				busy[name] = at + time.Duration(f.For)
			}
			plan.Faults = append(plan.Faults, Planned{At: Span(at), Fault: f})
			break
		}
	}
	return plan, nil
}

// check returns an error if nothing can be drawn.
func (m Menu) check() error {
	total := 0
	for i, c := range m {
		if c.Weight < 0 || len(c.Targets) == 0 || c.Least <= 0 || c.Most < c.Least {
			return fmt.Errorf("choice %d, %s: it needs a weight of at least 0, a target, and times with 0 < least <= most", i, c.Fault.Kind)
		}
		total += c.Weight
	}
	if total == 0 {
		return fmt.Errorf("nothing can be drawn from %d choices", len(m))
	}
	return nil
}

// draw draws a fault.
func (m Menu) draw(random *rand.Rand) Fault {
	total := 0
	for _, c := range m {
		total += c.Weight
	}
	n, i := random.IntN(total), 0
	for ; n >= m[i].Weight; i++ {
		n -= m[i].Weight
	}
	c := m[i]
	f := c.Fault
	f.Target = c.Targets[random.IntN(len(c.Targets))]
	const step = time.Millisecond
	f.For = Span(c.Least + time.Duration(random.Int64N(int64((c.Most-c.Least)/step)+1))*step)
	if c.With != nil {
		c.With(&f)
	}
	return f
}

// free reports whether all whom the fault concerns have no other then.
func free(f Fault, busy map[string]time.Duration, at time.Duration) bool {
	for _, name := range f.touches() {
		if busy[name] > at {
			return false
		}
	}
	return true
}
