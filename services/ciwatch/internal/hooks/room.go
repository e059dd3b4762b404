package hooks

import (
	"container/list"
	"errors"
	"sync"
	"time"
)

// errFull is that there is no memory for a body.
var errFull = errors.New("there is no memory for the body")

// room is memory for bodies, in bytes.
type room struct {
	patience time.Duration // how long is waited for some

	mu     sync.Mutex
	size   int
	free   int
	guests *list.List    // *guest, those that may be thrown out, the eldest first
	freed  chan struct{} // closed when some is free again
}

// guest is a body that is being read.
type guest struct {
	expel func() // throws it out; it is called with the room's lock

	held     int
	place    *list.Element // nil when it may not be thrown out
	expelled bool
}

func newRoom(size int, patience time.Duration) *room {
	return &room{patience: patience, size: size, free: size, guests: list.New(), freed: make(chan struct{})}
}

// take gives n bytes to g. If there are not as many, those are thrown out that came first, and what they held is waited for. Who came first of all
// gets [errFull], as does who has waited too long.
func (r *room) take(g *guest, n int) error {
	var timeout <-chan time.Time
	for {
		freed, err := r.try(g, n)
		if freed == nil {
			return err
		}
		if timeout == nil {
			timer := time.NewTimer(r.patience)
			defer timer.Stop()
			timeout = timer.C
		}
		select {
		case <-freed:
		case <-timeout:
			return errFull
		}
	}
}

// try gives n bytes to g, or makes way for them and returns what to wait for.
func (r *room) try(g *guest, n int) (<-chan struct{}, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if g.expelled || n > r.size {
		return nil, errFull
	}
	if r.free >= n {
		r.free -= n
		g.held += n
		if g.place == nil {
			g.place = r.guests.PushBack(g)
		}
		return nil, nil
	}
	coming := r.free
	for e := r.guests.Front(); e != nil && coming < n; e = e.Next() {
		other, ok := e.Value.(*guest)
		if !ok || other == g {
			return nil, errFull // all others came later
		}
		coming += other.held
		if !other.expelled {
			other.expelled = true
			other.expel()
		}
	}
	return r.freed, nil
}

// give takes n bytes back.
func (r *room) give(g *guest, n int) {
	if n == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.free += n
	g.held -= n
	if g.held == 0 {
		r.settled(g)
	}
	close(r.freed)
	r.freed = make(chan struct{})
}

// settle says that g is not to be thrown out any more.
func (r *room) settle(g *guest) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.settled(g)
}

// settled takes g off the list.
func (r *room) settled(g *guest) {
	if g.place != nil {
		r.guests.Remove(g.place)
		g.place = nil
	}
}

// gone reports whether g was thrown out.
func (r *room) gone(g *guest) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return g.expelled
}

// held is how many bytes are taken.
func (r *room) held() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.size - r.free
}
