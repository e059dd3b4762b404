package ciwatch_test

import (
	"slices"
	"sync"
	"time"
)

// How a fuse burns.
const (
	unsent     = "unsent"     // the operation is not made
	unanswered = "unanswered" // it is made, and its answer is lost
	held       = "held"       // nothing gets through for a while, as of a process that is stopped and goes on
)

// fuse lies between a replica and everybody else. When it burns, at an operation that was chosen, nothing that the replica does reaches
// anybody any more, nor is it told anything: it is dead, as after kill -9.
type fuse struct {
	mu     sync.Mutex
	change *sync.Cond
	armed  bool
	at     int // the operation at which it burns, counted from 1
	how    string
	hold   time.Duration
	made   []string // operations since it was armed
	burnt  string   // the operation at which it did
	dead   bool
	asleep bool
	died   func() // is called once, without the lock
}

func newFuse() *fuse {
	f := &fuse{}
	f.change = sync.NewCond(&f.mu)
	return f
}

// arm makes it burn at an operation from now on; 0 is never, but operations are counted.
func (f *fuse) arm(at int, how string, hold time.Duration, died func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.armed, f.at, f.how, f.hold, f.made, f.burnt, f.died = true, at, how, hold, nil, "", died
}

// disarm returns the operations that were made since it was armed, and at which it has burnt: empty for none.
func (f *fuse) disarm() (made []string, burnt string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.armed = false
	return slices.Clone(f.made), f.burnt
}

// out is asked before an operation is made, and reports whether it is.
func (f *fuse) out(operation string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.wait()
	if f.dead {
		return false
	}
	if !f.armed {
		return true
	}
	f.made = append(f.made, operation)
	if len(f.made) != f.at {
		return true
	}
	f.armed, f.burnt = false, operation
	if f.how == held {
		f.asleep = true
		time.AfterFunc(f.hold, f.wake)
		f.wait()
		return !f.dead
	}
	f.dead = true
	f.change.Broadcast()
	go f.died()
	return f.how == unanswered
}

// in is asked before something is told to the replica, and reports whether it is.
func (f *fuse) in() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.wait()
	return !f.dead
}

// awake reports whether it gets through what there is to be told, or never will.
func (f *fuse) awake() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return !f.asleep
}

func (f *fuse) wake() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asleep = false
	f.change.Broadcast()
}

// wait waits as long as nothing gets through.
func (f *fuse) wait() {
	for f.asleep && !f.dead {
		f.change.Wait()
	}
}
