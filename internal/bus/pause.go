package bus

import "sync"

// pullers are the pull loops of a connection.
type pullers struct {
	mu     sync.Mutex
	paused bool
	all    map[*puller]struct{}
}

// add registers a pull loop; remove takes it away again.
func (ps *pullers) add(p *puller) (remove func()) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if ps.all == nil {
		ps.all = map[*puller]struct{}{}
	}
	ps.all[p] = struct{}{}
	p.paused.Store(ps.paused)
	return func() {
		ps.mu.Lock()
		defer ps.mu.Unlock()
		delete(ps.all, p)
	}
}

// pause stops asking for messages, or goes on with it.
func (ps *pullers) pause(paused bool) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	ps.paused = paused
	for p := range ps.all {
		p.paused.Store(paused)
		notify(p.changed) // to look again whether to ask
	}
}

// Pause has no consumer ask for more messages until [Bus.Resume], for a process that must not take in more work. What was asked for
// before may still come, for five seconds at most, and what is held is handled. Requests are answered as ever.
func (b *Bus) Pause() { b.pullers.pause(true) }

// Resume ends what [Bus.Pause] began.
func (b *Bus) Resume() { b.pullers.pause(false) }

// HeldBytes returns the size of the messages that the consumers hold now, those that are handled and those that wait.
func (b *Bus) HeldBytes() int64 {
	b.pullers.mu.Lock()
	defer b.pullers.mu.Unlock()
	var held int64
	for p := range b.pullers.all {
		held += p.crew.bytes.Load()
	}
	return held
}
