package fakeforge

import (
	"net/http"
	"sync"
)

// Failures are the answers of a fake that are to be none, each an F. The zero value has none. It is safe for concurrent use.
type Failures[F any] struct {
	mu    sync.Mutex
	queue []F
	fault func(r *http.Request) (F, bool)
}

// Fail makes the next requests fail, one for each failure.
func (f *Failures[F]) Fail(failures ...F) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.queue = append(f.queue, failures...)
}

// SetFault has each request asked whether it fails, after those of [Failures.Fail]; nil ends it. Fault must not call the server.
func (f *Failures[F]) SetFault(fault func(r *http.Request) (F, bool)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fault = fault
}

// Heal forgets the failures that are still to come.
func (f *Failures[F]) Heal() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.queue, f.fault = nil, nil
}

// NextFailure takes the first failure of the queue, or asks the fault. It is the fake that calls it, once for each request.
func (f *Failures[F]) NextFailure(r *http.Request) (failure F, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.queue) > 0 {
		failure, f.queue = f.queue[0], f.queue[1:]
		return failure, true
	}
	if f.fault == nil {
		return failure, false
	}
	return f.fault(r)
}
