package pace

import (
	"container/heap"
	"time"
)

// entry is a watched repository.
type entry struct {
	repo string

	interval time.Duration // between polls, as it is now
	from     time.Time     // the last poll, or when it was first watched
	wait     time.Duration // after from, before it is stretched
	earliest time.Time     // not before that, however often it is touched
	due      time.Time
	fresh    bool // its wait is not stretched: it was not polled yet, or that came to nothing
	fails    int  // in a row

	touched     bool
	touchedFrom time.Time // a poll sees something from then on,
	touchedTo   time.Time // and everything from then on

	flying   bool
	eager    bool    // it was touched when the poll began
	reserved float64 // of the budget, for the poll that has begun
	in       *queue  // nil: in none
	index    int     // in that
	rate     float64 // polls a second that it is counted with
}

// queue is a heap of repositories by when they are due.
type queue []*entry

func (q queue) Len() int { return len(q) }

func (q queue) Less(i, j int) bool {
	if q[i].due.Equal(q[j].due) {
		return q[i].repo < q[j].repo
	}
	return q[i].due.Before(q[j].due)
}

func (q queue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].index, q[j].index = i, j
}

// Push implements [heap.Interface].
func (q *queue) Push(x any) {
	if e, ok := x.(*entry); ok {
		e.index = len(*q)
		*q = append(*q, e)
	}
}

// Pop implements [heap.Interface].
func (q *queue) Pop() any {
	last := len(*q) - 1
	e := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	return e
}

// dueOf returns when a repository is due.
func (p *Planner) dueOf(e *entry) time.Time {
	wait := e.wait
	if !e.fresh && e.fails == 0 {
		wait = max(wait, min(time.Duration(float64(wait)*p.stretch), p.longest))
	}
	due := e.from.Add(wait)
	if e.touched && e.touchedFrom.Before(due) {
		due = e.touchedFrom
	}
	return latest(due, e.earliest)
}

// insert puts a repository that is in no queue in the one where it belongs.
func (p *Planner) insert(e *entry) {
	e.due = p.dueOf(e)
	p.count(e, 1/max(e.interval, e.wait).Seconds())
	e.in = &p.routine
	if e.touched {
		e.in = &p.touched
	}
	heap.Push(e.in, e)
}

// remove takes a repository out of its queue, if it is in one.
func (p *Planner) remove(e *entry) {
	if e.in != nil {
		heap.Remove(e.in, e.index)
		e.in = nil
	}
}

// count keeps the sum of the rates at which repositories would be polled.
func (p *Planner) count(e *entry, rate float64) {
	p.rate += rate - e.rate
	e.rate = rate
}
